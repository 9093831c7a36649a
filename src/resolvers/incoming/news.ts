// What a message that came back means for one recipient. Pure: what was read goes in, one piece of news comes out.
import { type BounceType, bounceTypes } from '#/domain/bounce-types.ts';
import type { SuppressionReason } from '#/domain/errors.ts';
import { keyOfAddress } from '#/domain/suppression.ts';
import type { Bounce, Complaint, Returned, ReturnedRecipient } from '#/mail/bounce/returned.ts';
import { storable } from '#/domain/storable.ts';

export interface News {
  readonly type: BounceType;
  /** The message did not arrive: what was DELIVERED is BOUNCED. */
  readonly failed: boolean;
  /** Why the address gets no more mail of the stream; null: it does. */
  readonly suppresses: SuppressionReason | null;
  readonly smtpCode: number | null;
  readonly enhancedCode: string | null;
  /** What the remote side said. */
  readonly details: string;
}

/** As much of a reply as anybody reads. */
const MAX_DETAILS = 2_000;
const AT_FAULT: ReadonlySet<BounceType> = new Set(['HARD_BOUNCE', 'BAD_EMAIL_ADDRESS']);

/**
 * `address`: of the recipient whom the mail is about; null where only the mail itself can tell. `fromNobody`: it came
 * from the null sender, as notifications do. Null: nothing that is worth a row, such as a report of success.
 */
export function newsOf(returned: Returned, address: string | null, fromNobody: boolean): News | null {
  switch (returned.kind) {
    case 'bounce':
      return fromBounce(returned, address);
    case 'complaint':
      return fromComplaint(returned);
    case 'auto-reply':
    case 'challenge':
    case 'subscribe':
    case 'unsubscribe':
      return returned.type === null ? null : harmless(returned.type);
    case 'ordinary':
      // A person who answers does not do so without a sender.
      return fromNobody ? harmless('UNKNOWN') : null;
    case 'authentication-failure':
    case 'delivered':
    case 'receipt':
      return null;
    default:
      return returned satisfies never;
  }
}

/** Also when reading failed: something came back. */
export function harmless(type: BounceType, details = ''): News {
  return { type, failed: false, suppresses: null, smtpCode: null, enhancedCode: null, details: textFor(type, details) };
}

function fromBounce({ recipients, type }: Bounce, address: string | null): News | null {
  const entry = entryFor(recipients, address);
  if (entry === undefined) return { ...harmless(type), failed: type !== 'TRANSIENT', suppresses: null };
  if (entry.type === null) return null;
  const { smtpCode, status, diagnostic, temporary } = entry;
  const failed = entry.action === 'failed';
  const aboutUs = status !== null && /^[245]\.7\./.test(status);
  const condemns = failed && !temporary && !aboutUs && AT_FAULT.has(entry.type);
  return {
    type: entry.type,
    failed,
    suppresses: condemns ? 'HARD_BOUNCE' : null,
    smtpCode: smtpCode !== null && smtpCode >= 200 && smtpCode < 600 ? smtpCode : null,
    enhancedCode: status === null ? null : storable(status, 20),
    details: textFor(entry.type, diagnostic ?? ''),
  };
}

/** Each recipient has a reverse-path of its own, so a report names one; after forwarding, another than we wrote to. */
function entryFor(recipients: readonly ReturnedRecipient[], address: string | null): ReturnedRecipient | undefined {
  const key = address === null ? null : keyOfAddress(address);
  const same = recipients.find((one) =>
    [one.address, one.finalRecipient].some((told) => told !== null && keyOfAddress(told) === key),
  );
  return same ?? recipients.find(({ action }) => action === 'failed') ?? recipients[0];
}

function fromComplaint({ type, feedbackType }: Complaint): News | null {
  if (type === null) return null;
  const suppresses = type === 'SPAM_COMPLAINT' || type === 'UNSUBSCRIBE' ? type : null;
  return { ...harmless(type, type === 'SPAM_COMPLAINT' ? '' : `Feedback of the type ${feedbackType}.`), suppresses };
}

function textFor(type: BounceType, details: string): string {
  return storable(details, MAX_DETAILS) || bounceTypes[type].description;
}
