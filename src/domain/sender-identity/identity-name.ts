// Which names can be somebody's domain to send from: not a public suffix, not one where anybody gets a mailbox.
import { parse } from 'tldts';
import { asciiDomain, type AsciiDomain } from '../domain-name.ts';
import { isPublicMailboxDomain } from './public-mailbox-domains.ts';

/** Under the domain, for the selectors and the label of the return path that stand before it. */
const MAX_NAME = 253 - 'vr202601abcd._domainkey.'.length;

/** A-labels in lower case. A dot at the end is how zone files write names, and is dropped. */
export function identityName(text: string): AsciiDomain {
  const trimmed = text.trim().replace(/\.$/, '');
  if (trimmed === '') return { ok: false, reason: 'is empty' };
  if (trimmed.includes('@')) return { ok: false, reason: 'is an address: give what stands after its @' };
  const parsed = asciiDomain(trimmed);
  if (!parsed.ok) return parsed;
  if (parsed.name.length > MAX_NAME) return { ok: false, reason: `is longer than ${MAX_NAME} characters` };
  const flaw = ownershipFlaw(parsed.name);
  return flaw === null ? parsed : { ok: false, reason: flaw };
}

/** Why nobody can prove that mail from this domain is theirs alone, or null. Also for the domains of addresses. */
export function ownershipFlaw(name: string): string | null {
  const { publicSuffix, domain, isIp } = parse(name, { allowPrivateDomains: true });
  if (isIp === true || /(?:^|\.)[0-9]+$/.test(name)) return 'is an IP address';
  if (domain === null || publicSuffix === name) {
    return 'is a public suffix, under which names are given to anybody: name a domain of your own';
  }
  if (isPublicMailboxDomain(domain)) {
    return 'belongs to a public mailbox provider: mail in its name from elsewhere is refused by receivers';
  }
  return null;
}

/** What bounces come back to unless the account names another. */
export function defaultReturnPath(name: string): string {
  return `vr-bounces.${name}`;
}

/** Must be below the domain: only then SPF is aligned with From, also where DMARC asks for strict alignment of neither. */
export function returnPathName(text: string, domain: string): AsciiDomain {
  const parsed = asciiDomain(text.trim().replace(/\.$/, ''));
  if (!parsed.ok) return parsed;
  if (parsed.name.endsWith(`.${domain}`)) return parsed;
  return { ok: false, reason: `is not a subdomain of ${domain}` };
}
