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
const SURE = new Set([
  'userunknown',
  'mailboxfull',
  'spamdetected',
  'virusdetected',
  'authfailure-dmarc',
  'systemfull',
]);

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

export type ReplyFile = 'replies.txt' | 'unusual-replies.txt';

function repliesIn(name: ReplyFile): readonly WorldReply[] {
  const lines = readFileSync(join(import.meta.dirname, 'world', name), 'utf8').split('\n');
  const replies: WorldReply[] = [];
  let reason = '';
  for (const line of lines) {
    const heading = /^\[([\w-]+)\]$/.exec(line)?.[1];
    if (heading !== undefined) reason = heading;
    else if (line !== '' && !line.startsWith('# ')) replies.push({ reason, reply: line.replaceAll('~', '\r\n') });
  }
  return replies;
}

export interface ReplyScores {
  readonly accepted: WorldScore;
  readonly expected: WorldScore;
  readonly hard: WorldScore;
}

export function scoreReplies(name: ReplyFile): ReplyScores {
  const read = repliesIn(name).map((one) => ({ ...one, type: classifyEvidence(evidenceOf(one.reply)).type }));
  const score = (counted: typeof read, right: (one: (typeof read)[number]) => boolean): WorldScore => {
    const misses = counted.filter((one) => !right(one));
    return { of: counted.length, misses: misses.map(({ reason, type, reply }) => `${reason}, ${type}: ${reply}`) };
  };
  return {
    accepted: score(read, ({ reason, type }) => acceptedTypes(reason).includes(type)),
    expected: score(
      read.filter(({ reason }) => SURE.has(reason)),
      ({ reason, type }) => acceptedTypes(reason)[0] === type,
    ),
    hard: score(read, ({ reason, type }) => condemns(type) === isHard(reason)),
  };
}
