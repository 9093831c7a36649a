// Replies of the world, written down from knowledge of receivers and in none of the shared corpora: how well the rules read
// what they were not made from. Labels are reasons; what types a reason may have is the shared corpora's guide.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BounceType } from '#/domain/bounce-types.ts';
import { classifyEvidence } from '#/mail/bounce/classify-evidence.ts';
import { evidenceOf } from '#/mail/bounce/evidence.ts';

/** The first is expected, the others accepted as well. */
const REASONS: Readonly<Record<string, readonly BounceType[]>> = {
  userunknown: ['HARD_BOUNCE', 'BAD_EMAIL_ADDRESS'],
  hostunknown: ['HARD_BOUNCE', 'DNS_ERROR', 'BAD_EMAIL_ADDRESS'],
  hasmoved: ['ADDRESS_CHANGE', 'HARD_BOUNCE'],
  notaccept: ['HARD_BOUNCE', 'BLOCKED', 'DNS_ERROR'],
  mailboxfull: ['SOFT_BOUNCE', 'TRANSIENT'],
  suspend: ['SOFT_BOUNCE', 'HARD_BOUNCE'],
  systemfull: ['SOFT_BOUNCE', 'TRANSIENT'],
  mesgtoobig: ['SOFT_BOUNCE', 'BLOCKED', 'TRANSIENT'],
  systemerror: ['SOFT_BOUNCE', 'TRANSIENT', 'UNKNOWN'],
  mailererror: ['SOFT_BOUNCE', 'TRANSIENT', 'UNKNOWN', 'HARD_BOUNCE'],
  syntaxerror: ['SOFT_BOUNCE', 'UNKNOWN', 'HARD_BOUNCE', 'BAD_EMAIL_ADDRESS', 'BLOCKED'],
  expired: ['TRANSIENT', 'SOFT_BOUNCE', 'DNS_ERROR'],
  networkerror: ['TRANSIENT', 'SOFT_BOUNCE', 'DNS_ERROR', 'HARD_BOUNCE'],
  loop: ['SOFT_BOUNCE', 'TRANSIENT', 'HARD_BOUNCE', 'DNS_ERROR', 'UNKNOWN'],
  toomanyconn: ['TRANSIENT', 'SOFT_BOUNCE', 'BLOCKED'],
  ratelimited: ['TRANSIENT', 'SOFT_BOUNCE', 'BLOCKED'],
  greylisted: ['TRANSIENT', 'SOFT_BOUNCE'],
  failedstarttls: ['TRANSIENT', 'SOFT_BOUNCE', 'BLOCKED'],
  blocked: ['BLOCKED', 'SPAM_NOTIFICATION', 'DNS_ERROR', 'TRANSIENT', 'SOFT_BOUNCE'],
  badreputation: ['BLOCKED', 'SPAM_NOTIFICATION', 'TRANSIENT'],
  rejected: ['BLOCKED', 'SPAM_NOTIFICATION', 'SOFT_BOUNCE', 'DMARC_POLICY'],
  requireptr: ['BLOCKED', 'DNS_ERROR', 'TRANSIENT', 'SOFT_BOUNCE'],
  authfailure: ['BLOCKED', 'DMARC_POLICY', 'SPAM_NOTIFICATION', 'SOFT_BOUNCE'],
  'authfailure-dmarc': ['DMARC_POLICY', 'BLOCKED'],
  policyviolation: ['BLOCKED', 'SPAM_NOTIFICATION', 'DMARC_POLICY', 'SOFT_BOUNCE'],
  spamdetected: ['SPAM_NOTIFICATION', 'BLOCKED'],
  virusdetected: ['VIRUS_NOTIFICATION', 'BLOCKED'],
  norelaying: ['BLOCKED', 'HARD_BOUNCE', 'SOFT_BOUNCE', 'OPEN_RELAY_TEST'],
  filtered: ['BLOCKED', 'HARD_BOUNCE', 'SPAM_NOTIFICATION', 'SOFT_BOUNCE'],
  notcompliantrfc: ['BLOCKED', 'SOFT_BOUNCE', 'SPAM_NOTIFICATION', 'UNKNOWN'],
};
/** May the recipient be deactivated? */
const HARD = new Set(['userunknown', 'hostunknown', 'hasmoved', 'notaccept']);
const CONDEMNS: ReadonlySet<BounceType> = new Set(['HARD_BOUNCE', 'BAD_EMAIL_ADDRESS', 'ADDRESS_CHANGE']);
/** These are read alike; which of them is expected matters to nobody. */
const SURE = new Set(['userunknown', 'mailboxfull', 'spamdetected', 'virusdetected', 'authfailure-dmarc', 'systemfull']);

export function acceptedTypes(reason: string): readonly BounceType[] {
  const known = REASONS[reason];
  if (known === undefined) throw new Error(`no such reason: ${reason}`);
  return known;
}

export const isHard = (reason: string): boolean => HARD.has(reason);
export const condemns = (type: BounceType): boolean => CONDEMNS.has(type);

export interface WorldReply {
  readonly reason: string;
  readonly reply: string;
}

export interface WorldScore {
  readonly of: number;
  readonly misses: readonly string[];
}

export function worldReplies(): readonly WorldReply[] {
  const lines = readFileSync(join(import.meta.dirname, 'world/replies.txt'), 'utf8').split('\n');
  const replies: WorldReply[] = [];
  let reason = '';
  for (const line of lines) {
    const heading = /^\[([\w-]+)\]$/.exec(line)?.[1];
    if (heading !== undefined) reason = heading;
    else if (line !== '' && !line.startsWith('# ')) replies.push({ reason, reply: line.replaceAll('~', '\r\n') });
  }
  return replies;
}

export type WorldScores = Readonly<Record<'accepted' | 'expected, where no doubt is' | 'hard or not', WorldScore>>;

export function scoreWorldReplies(replies: readonly WorldReply[] = worldReplies()): WorldScores {
  const types = replies.map(({ reply }) => classifyEvidence(evidenceOf(reply)).type);
  const score = (
    counts: (one: WorldReply) => boolean,
    right: (one: WorldReply, type: BounceType) => boolean,
  ): WorldScore => {
    const counted = replies.map((one, index) => ({ one, type: types[index] ?? 'UNKNOWN' })).filter(({ one }) => counts(one));
    const misses = counted.filter(({ one, type }) => !right(one, type));
    return { of: counted.length, misses: misses.map(({ one, type }) => `${one.reason}, ${type}: ${one.reply}`) };
  };
  return {
    accepted: score(() => true, (one, type) => acceptedTypes(one.reason).includes(type)),
    'expected, where no doubt is': score(({ reason }) => SURE.has(reason), (one, type) => acceptedTypes(one.reason)[0] === type),
    'hard or not': score(() => true, ({ reason }, type) => condemns(type) === isHard(reason)),
  };
}
