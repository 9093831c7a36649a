// The message of ours inside a report: its fields, as far as they came back.
import { addressIn } from './addresses.ts';
import { asCharacters, type Field, readFields, valueOf, valuesOf } from './fields.ts';
import { type Leaf, octetsOf, type Part } from './parts.ts';
import type { OriginalMessage } from './returned.ts';

/** Kept of a returned header: what identifies a message stands in the first of them. */
const MAX_KEPT = 200;
const MAX_KEPT_VALUE = 2_000;
const MESSAGE_TYPES = new Set([
  'message/rfc822',
  'text/rfc822-headers',
  'message/global',
  'message/global-headers',
  'message/rfc822-headers',
  'text/rfc822',
  'message/partial',
]);

export function isReturnedMessage({ type }: Part): boolean {
  return MESSAGE_TYPES.has(type) || type === 'message/news';
}

export function originalOf(leaves: readonly Leaf[], following: string): OriginalMessage | null {
  const part = leaves.find((leaf) => isReturnedMessage(leaf.part))?.part;
  if (part !== undefined) return readOriginal(octetsOf(part));
  return following === '' ? null : readOriginal(following);
}

export function readOriginal(text: string): OriginalMessage | null {
  let start = 0;
  while (start < 20 && /\s/.test(text.charAt(start))) start++;
  const { fields } = readFields(text, start);
  if (fields.length === 0) return null;
  const kept = fields
    .slice(0, MAX_KEPT)
    .map((field) => asCharacters({ name: field.name, value: field.value.slice(0, MAX_KEPT_VALUE) }));
  return { messageId: valueOf(kept, 'message-id') || null, returnPath: returnPathOf(kept), fields: kept };
}

const ENVELOPE_SENDER = [
  'return-path',
  'x-envelope-from',
  'envelope-from',
  'x-mailfrom',
  'x-original-from',
  'x-sender',
  'errors-to',
  'sender',
];

function returnPathOf(fields: readonly Field[]): string | null {
  for (const name of ENVELOPE_SENDER) {
    const address = addressIn(valueOf(fields, name));
    if (address !== null) return address;
  }
  return null;
}

/** A copy of a list's mail names the list, not who failed. */
export function isListMail({ fields }: OriginalMessage): boolean {
  const bulk = /^(?:list|bulk|junk)$/i.test(valueOf(fields, 'precedence').trim());
  return (
    bulk ||
    fields.some(
      ({ name }) =>
        name === 'list-id' ||
        name === 'x-beenthere' ||
        name === 'list-post' ||
        name === 'mailing-list' ||
        name === 'newsgroups',
    )
  );
}

/** To whom the returned message says it went; its envelope first. */
export function recipientsOf(original: OriginalMessage | null): readonly string[] {
  if (original === null) return [];
  const envelope = [
    'x-envelope-to',
    'envelope-to',
    'x-rcpt-to',
    'x-hmxmroriginalrecipient',
    'delivered-to',
    'x-original-to',
    'x-apparently-to',
  ];
  const fields = [...envelope, 'to', 'cc'].flatMap((name) => valuesOf(original.fields, name));
  const addresses = fields.flatMap((value) => value.slice(0, 4_000).split(',', 50)).map(addressIn);
  return [...new Set(addresses.filter((address) => address !== null))];
}
