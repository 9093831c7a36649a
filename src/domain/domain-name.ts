// Domain names as people write them, brought to the one form everything else compares: A-labels in lower case.
//
// None of the mappings of UTS 46 but lower case is made: full-width letters, ideographic dots and soft hyphens are
// refused instead of silently becoming another domain. A bare dotted quad is syntactically a name (RFC 5321 §4.1.2) and
// passes; delivery must look it up and never dial it.

import { domainToASCII, domainToUnicode } from 'node:url';

/** RFC 1035 §2.3.4. */
export const MAX_LABEL = 63;
/** 255 octets on the wire, with the length octets of the first label and of the root. */
const MAX_DOMAIN = 253;

export type AsciiDomain =
  | { readonly ok: true; readonly name: string }
  | { readonly ok: false; readonly reason: string };

/** `reason` completes a sentence about what holds the domain: "an address … has a domain without a dot". */
export function asciiDomain(text: string): AsciiDomain {
  if (text === '') return { ok: false, reason: 'has nothing after the @' };
  if (text.startsWith('[')) return { ok: false, reason: 'has an IP address in brackets instead of a domain' };
  if (/[\x00-\x2c\x2f\x3a-\x40\x5b-\x60\x7b-\x7f]/.test(text))
    return { ok: false, reason: 'has a character in its domain that no domain has' };
  const lower = text.normalize('NFC').toLowerCase();
  let name = lower;
  if (/[^\x00-\x7f]/.test(lower)) {
    name = domainToASCII(lower);
    // The way back must give the same name: a mapped character (U+FF41 → a, U+3002 → dot, U+00AD → nothing) does not.
    if (name === '' || domainToUnicode(name) !== unicodeForm(lower))
      return { ok: false, reason: 'has a domain that is not a valid international domain name' };
  }
  const labels = name.split('.');
  if (labels.some((label) => label === '')) return { ok: false, reason: 'has a misplaced dot in its domain' };
  if (labels.some((label) => label.length > MAX_LABEL))
    return { ok: false, reason: `has a domain label longer than ${MAX_LABEL} characters` };
  if (labels.some((label) => !/^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/.test(label)))
    return { ok: false, reason: 'has a domain label that begins or ends with a hyphen' };
  if (name.length > MAX_DOMAIN) return { ok: false, reason: `has a domain longer than ${MAX_DOMAIN} characters` };
  if (labels.length < 2) return { ok: false, reason: 'has a domain without a dot' };
  return { ok: true, name };
}

/** A name may mix labels of both forms; xn-- labels are compared decoded. */
function unicodeForm(domain: string): string {
  return domain
    .split('.')
    .map((label) => (label.startsWith('xn--') ? domainToUnicode(label) : label))
    .join('.');
}
