// Addresses in the text and the fields of reports. Looser than RFC 5321: what a receiver prints is matched with what we
// sent, never sent to. All patterns are linear: each begins at an @ or is bounded.

/** Longest address of RFC 5321 §4.5.3.1.3, with room for a source route. */
const MAX_ADDRESS = 320;
const ATOM = String.raw`[A-Za-z0-9!#$%&'*+/=?^_{|}~.\x80-\u{ffff}-]{1,128}`;
const LOCAL = String.raw`(?:"(?:[^"\\\n]|\\.){1,128}"|${ATOM})`;
const DOMAIN = String.raw`(?:[A-Za-z0-9\x80-\u{ffff}](?:[A-Za-z0-9\x80-\u{ffff}_-]{0,62})?(?:\.[A-Za-z0-9\x80-\u{ffff}_-]{1,63}){0,12}|\[[0-9A-Fa-f:.xIPv]{3,60}\])`;
const ADDRESS = new RegExp(`^${LOCAL}@${DOMAIN}$`, 'u');
const IN_TEXT = new RegExp(`(?<![A-Za-z0-9.!#$%&*+/=?^_{|}~@-])${LOCAL}@${DOMAIN}`, 'gu');

export interface FoundAddress {
  readonly address: string;
  readonly start: number;
  readonly end: number;
}

/** Addresses in one line, with their places. Lines without an @ cost nothing; of long ones the beginning is read. */
export function findAddresses(line: string): readonly FoundAddress[] {
  if (!line.includes('@')) return [];
  const found: FoundAddress[] = [];
  for (const match of line.slice(0, 2_000).matchAll(IN_TEXT)) {
    const address = tidy(match[0]);
    if (address !== null) found.push({ address, start: match.index, end: match.index + match[0].length });
    if (found.length >= 20) break;
  }
  return found;
}

function tidy(text: string): string | null {
  const address = text.replace(/^['`.*=]{1,10}/, '').replace(/[.'_-]{1,10}$/, '');
  return address.includes('@') && address.length <= MAX_ADDRESS && !address.startsWith('@') ? address : null;
}

/**
 * The address in a field: `rfc822; a@b`, `<a@b>`, `"A" <a@b> (comment)`, `undisclosed <a@b>`, `a@b`. Null where there is none:
 * a bare local part of a gateway or an X.400 name is no address of ours.
 */
export function addressIn(value: string): string | null {
  const text = value.trim().slice(0, 1_000);
  const typed = /^[A-Za-z][\w-]{1,20}\s{0,5};\s{0,20}(.*)$/s.exec(text)?.[1] ?? text;
  const bracketed = /<\s{0,5}([^<>\n]{1,400})\s{0,5}>/.exec(typed)?.[1]?.trim();
  for (const candidate of [bracketed, typed, typed.replace(/\s{1,100}\(.{0,300}$/s, '')]) {
    const plain = candidate === undefined ? undefined : unrouted(candidate.trim());
    if (plain !== undefined && plain.length <= MAX_ADDRESS && ADDRESS.test(plain)) return plain;
  }
  return findAddresses(typed)[0]?.address ?? null;
}

/** `@relay,@other:a@b` of RFC 821. */
function unrouted(address: string): string {
  const colon = address.startsWith('@') ? address.lastIndexOf(':') : -1;
  return colon < 0 ? address.replace(/^smtp:|^mailto:/i, '') : address.slice(colon + 1);
}

export function addressesIn(value: string): readonly string[] {
  return [...new Set(findAddresses(value).map(({ address }) => address))];
}

export function sameAddress(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

const DAEMON =
  /^(?:mailer-?daemon|post[_-]?master|mail-?daemon|mail[_.-]?delivery|mail-?adm(?:in)?|mail-?(?:system|server)|virus-?alert|mdaemon|bounces?|no-?reply|noreply|abuse)$/i;

/** Addresses that speak for a mail system and fail for nobody. */
export function isDaemon(address: string): boolean {
  return DAEMON.test(address.slice(0, address.lastIndexOf('@')));
}
