// message/delivery-status (RFC 3464, with the slips of those who send it): what it says of each recipient.
import { addressIn, sameAddress } from './addresses.ts';
import { type Field, readFields, valueOf } from './fields.ts';
import type { DeliveryAction } from './returned.ts';

export interface StatusOfRecipient {
  /** As it was sent to, where the report still knows; else where it went in the end. */
  readonly address: string;
  /** Where it went in the end, where that is another address. */
  readonly finalRecipient: string | null;
  readonly action: DeliveryAction;
  /** `5.1.1`; null where the field is missing or says nothing. */
  readonly status: string | null;
  /** Without its type; '' where there is none. */
  readonly diagnostic: string;
  /** `smtp`, `x-unix`, `x-postfix`, …; '' where there is none. */
  readonly diagnosticType: string;
  readonly remoteMta: string | null;
}

export interface DeliveryStatus {
  readonly reportingMta: string | null;
  readonly envelopeId: string | null;
  readonly recipients: readonly StatusOfRecipient[];
}

/** Ours go to one recipient each; a relay that joins some, or a list's expansion, may tell of more. */
export const MAX_RECIPIENTS = 100;
const ACTIONS: readonly DeliveryAction[] = ['failed', 'delayed', 'relayed', 'expanded', 'delivered'];

export function readDeliveryStatus(text: string): DeliveryStatus {
  const blocks = blocksOf(text);
  const all = blocks.flat();
  const recipients: StatusOfRecipient[] = [];
  for (const block of blocks) {
    const recipient = recipients.length < MAX_RECIPIENTS ? recipientOf(block) : null;
    if (recipient !== null) recipients.push(recipient);
  }
  return {
    reportingMta: typed(valueOf(all, 'reporting-mta')),
    envelopeId: valueOf(all, 'original-envelope-id') || null,
    recipients,
  };
}

/** Groups of fields between empty lines, and one a recipient also where nobody put an empty line. */
function blocksOf(text: string): readonly (readonly Field[])[] {
  const blocks: Field[][] = [];
  for (let at = 0; at < text.length && blocks.length < 4 * MAX_RECIPIENTS; ) {
    const { fields, end } = readFields(text, at);
    let block: Field[] = [];
    for (const field of fields) {
      if (field.name === 'final-recipient' && block.some(({ name }) => name === 'final-recipient')) {
        blocks.push(block);
        block = [];
      }
      block.push(field);
    }
    if (block.length > 0) blocks.push(block);
    at = Math.max(end, at + 1);
    if (fields.length === 0) at = nextLine(text, at);
  }
  return blocks;
}

function nextLine(text: string, at: number): number {
  if (text.charCodeAt(at - 1) === 10) return at;
  const end = text.indexOf('\n', at);
  return end < 0 ? text.length : end + 1;
}

function recipientOf(fields: readonly Field[]): StatusOfRecipient | null {
  const final = valueOf(fields, 'final-recipient');
  const original = valueOf(fields, 'original-recipient');
  const actual = valueOf(fields, 'x-actual-recipient');
  if (final === '' && original === '') return null;
  const address =
    addressIn(original) ?? addressIn(final) ?? addressIn(actual) ?? addressIn(valueOf(fields, 'x-display-name'));
  if (address === null) return null;
  const diagnostic = valueOf(fields, 'diagnostic-code');
  const type = /^([A-Za-z][\w-]{0,30})\s{0,5};/.exec(diagnostic);
  const status = statusIn(valueOf(fields, 'status'));
  return {
    address,
    finalRecipient: other(addressIn(final), address),
    action: actionOf(valueOf(fields, 'action'), status),
    status,
    diagnostic: (type === null ? diagnostic : diagnostic.slice(type[0].length)).trim(),
    diagnosticType: type?.[1]?.toLowerCase() ?? '',
    remoteMta: typed(valueOf(fields, 'remote-mta')),
  };
}

function actionOf(value: string, status: string | null): DeliveryAction {
  const word = value.trim().toLowerCase();
  const found = ACTIONS.find((action) => word.startsWith(action));
  if (found !== undefined) return found;
  if (status?.startsWith('2') === true) return 'delivered';
  return word.includes('delay') ? 'delayed' : 'failed';
}

/** `5.1.1`, also inside `5.1.1 (bad address)` or `smtp;5.1.1`. */
export function statusIn(value: string): string | null {
  return /(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.]*\d)/.exec(value.slice(0, 200))?.[1] ?? null;
}

function other(address: string | null, than: string): string | null {
  return address === null || sameAddress(address, than) ? null : address;
}

function typed(value: string): string | null {
  return value.replace(/^[A-Za-z][\w-]{0,20}\s{0,5};\s{0,20}/, '').trim() || null;
}
