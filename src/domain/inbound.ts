// Rules of inbound mail.
import { asciiDomain } from './domain-name.ts';
import { parseMailbox } from './email-address.ts';
import { ownershipFlaw } from './sender-identity/identity-name.ts';

export const inboundStatuses = ['QUEUED', 'PROCESSED', 'FAILED', 'BLOCKED'] as const;
export type InboundStatus = (typeof inboundStatuses)[number];

/** Of one server. Each mail is checked against all of them, by one look-up. */
export const MAX_INBOUND_RULES = 1_000;
export const MAX_URL = 2_048;
/** Scores of spam filters: rspamd rejects at 15 unless told otherwise. */
export const SPAM_THRESHOLD = { min: 0, max: 1_000 } as const;
/** Received fields. RFC 5321 §6.3 asks for at least 100 before a loop is assumed; no honest route is half as long. */
export const MAX_HOPS = 100;

type Checked = { readonly ok: true; readonly value: string } | { readonly ok: false; readonly reason: string };

/** A domain, or `*.domain` for all below it; in A-labels and lower case. */
export function inboundDomainName(text: string): Checked {
  const trimmed = text.trim().replace(/\.$/, '');
  const wildcard = trimmed.startsWith('*.');
  const parsed = asciiDomain(wildcard ? trimmed.slice(2) : trimmed);
  if (!parsed.ok) return parsed;
  const flaw = ownershipFlaw(parsed.name);
  if (flaw !== null) return { ok: false, reason: flaw };
  return { ok: true, value: wildcard ? `*.${parsed.name}` : parsed.name };
}

/** An address, or a domain, for which all below it stands too. */
export function rulePattern(text: string): Checked {
  const trimmed = text.trim();
  if (trimmed.includes('@') && !trimmed.startsWith('@')) {
    const parsed = parseMailbox(trimmed);
    return parsed.ok ? { ok: true, value: parsed.mailbox.key } : parsed;
  }
  const parsed = asciiDomain(trimmed.replace(/^@/, '').replace(/\.$/, ''));
  return parsed.ok ? { ok: true, value: parsed.name } : parsed;
}

/** Where inbound mail is posted to. */
export function webhookUrl(text: string): Checked {
  if (text.length > MAX_URL) return { ok: false, reason: `is longer than ${MAX_URL} characters` };
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) return { ok: false, reason: 'is not an http or https URL' };
  return { ok: true, value: url.href };
}
