// Feedback-ID: by its parts Gmail counts the complaints about a sender's mail, which it reports in no other way.
// Gmail's rules: at most four parts, from the general at the end to the special; the last, 5 to 15 characters, is the same
// for all mail of a sender; no value stands in two parts; and the field is signed with the sender's domain.
import { hash } from 'node:crypto';
import { encodeId } from '#/domain/ids.ts';

const LONGEST = 15;
const SHORTEST = 5;
/** Of SHA-256, in hex: 24 bits between domains that begin alike. */
const DIGEST = 6;

export interface FeedbackSource {
  readonly streamId: string;
  readonly serverId: string;
  readonly accountId: string;
  /** Of the From address, in A-labels. */
  readonly domain: string;
}

/** `stream:server:account:sender`. */
export function feedbackId({ streamId, serverId, accountId, domain }: FeedbackSource): string {
  const ids = [encodeId('stream', streamId), encodeId('server', serverId), encodeId('account', accountId)];
  return [...ids, senderId(domain)].join(':');
}

/** The domain where it fits, because people look for it; else its beginning and a digest that tells it from others. */
function senderId(domain: string): string {
  if (domain.length >= SHORTEST && domain.length <= LONGEST) return domain;
  return `${domain.slice(0, LONGEST - DIGEST - 1)}-${hash('sha256', domain, 'hex').slice(0, DIGEST)}`;
}
