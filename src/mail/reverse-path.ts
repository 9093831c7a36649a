// The reverse-path (RFC 5321 §4.4) under which a message travels: where receivers report failures to, and what SPF is
// checked against.
//
// On a domain with a return path it names the recipient of the message (VERP), so that a notification tells whom it is about
// whatever its text says:
//
//   msg_01k7…-3-5s7t9w1y3a-8f0qk2m4t6v8x0z1@bounces.acme.example
//   │         │ │          └ HMAC-SHA256 of the rest, domain included, cut to 80 bits: nobody else can make one
//   │         │ └ HMAC of message, stream and address, cut to 50 bits: says nothing, and proves what somebody claims
//   │         └ ordinal of the recipient
//   └ the message, in the form in which the API and the log name it
//
// Everything it needs is in it: it is checked without a look at the database. When retention has removed the message, a
// report still names the address, and the tag shows that this is the one we wrote to, and on which stream. It holds no
// address itself, which would have to be forgotten too. 80 bits can only be guessed by sending mail to us, and make a local
// part of at most 64 octets. A retry has the same reverse-path, as greylisting wants. Case does not matter: some relays
// change it.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { decodeIdOf, encodeId } from '#/domain/ids.ts';
import { keyOfAddress } from '#/domain/suppression.ts';

export interface VerpRecipient {
  /** UUID of the message. */
  readonly messageId: string;
  readonly ordinal: number;
  /** Of recipientTag. */
  readonly tag: string;
}

export interface ReturnPath {
  /** Verified host, in A-labels, whose mail comes to this installation. */
  readonly domain: string;
  /** Of the installation; never changed while notifications for old mail may come. */
  readonly secret: Uint8Array;
}

const MAC_BYTES = 10;
const TAG_LENGTH = 10;
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const LOCAL_PART = /^(msg_[0-9a-z]{26})-(0|[1-9][0-9]{0,4})-([0-9a-z]{10})-([0-9a-z]{16})$/;

/** Without a return path the sender's own address: its domain is verified, so SPF and DMARC alignment are the sender's to publish. */
export function reversePathOf(
  message: { readonly id: string; readonly streamId: string; readonly fromAddress: string },
  recipient: { readonly ordinal: number; readonly address: string },
  returnPath: ReturnPath | null,
): string {
  if (returnPath === null) return message.fromAddress;
  const { ordinal, address } = recipient;
  const tag = recipientTag({ messageId: message.id, streamId: message.streamId, address }, returnPath.secret);
  return `${verpLocalPart({ messageId: message.id, ordinal, tag }, returnPath)}@${returnPath.domain}`;
}

/** What an address must be for a claim about it to be believed. */
export function recipientTag(
  { messageId, streamId, address }: { readonly messageId: string; readonly streamId: string; readonly address: string },
  secret: Uint8Array,
): string {
  const claim = `recipient\0${messageId}\0${streamId}\0${keyOfAddress(address)}`;
  return authenticator(claim, secret).slice(0, TAG_LENGTH);
}

/** At most 64 octets, as a local part may have: an ordinal has up to five digits. */
export function verpLocalPart({ messageId, ordinal, tag }: VerpRecipient, { domain, secret }: ReturnPath): string {
  const named = `${encodeId('message', messageId)}-${ordinal}-${tag}`;
  return `${named}-${macOf(named, domain, secret)}`;
}

/** Whom an address names that we made; null for every other, also for one of ours on another domain. */
export function readVerp(address: string, secret: Uint8Array): VerpRecipient | null {
  const lower = address.toLowerCase();
  const at = lower.lastIndexOf('@');
  const [, id, digits, tag, mac] = LOCAL_PART.exec(lower.slice(0, Math.max(at, 0))) ?? [];
  if (id === undefined || digits === undefined || tag === undefined || mac === undefined) return null;
  const messageId = decodeIdOf('message', id);
  if (messageId === null) return null;
  const expected = macOf(`${id}-${digits}-${tag}`, lower.slice(at + 1), secret);
  if (!isSame(mac, expected)) return null;
  return { messageId, ordinal: Number(digits), tag };
}

/** Of the same length, in a time that tells nothing. */
export function isSame(given: string, expected: string): boolean {
  return given.length === expected.length && timingSafeEqual(Buffer.from(given), Buffer.from(expected));
}

/** The domain is in it, so that what one account's receivers know proves nothing at another's return path. */
function macOf(named: string, domain: string, secret: Uint8Array): string {
  return authenticator(`verp\0${named}@${domain.toLowerCase()}`, secret);
}

/** 16 characters that fit any part of an address. `text` begins with what it is for. */
export function authenticator(text: string, secret: Uint8Array): string {
  return base32(createHmac('sha256', secret).update(text).digest().subarray(0, MAC_BYTES));
}

/** Five bits a character; MAC_BYTES is a multiple of five, so nothing is left over. */
function base32(bytes: Uint8Array): string {
  let text = '';
  let bits = 0;
  let pending = 0;
  for (const byte of bytes) {
    bits = (bits << 8) | byte;
    for (pending += 8; pending >= 5; ) {
      pending -= 5;
      text += ALPHABET.charAt((bits >> pending) & 31);
    }
    bits &= (1 << pending) - 1;
  }
  return text;
}
