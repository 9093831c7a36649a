// The shared corpora of bounces, complaints and SMTP replies, read as a receiver may get them (line ends as they are, CRLF, bare
// CR), and scored by the corpora's own program.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { postmarkName } from '#/cli/postmark-names.ts';
import type { BounceType } from '#/domain/bounce-types.ts';
import { classifyEvidence } from '#/mail/bounce/classify-evidence.ts';
import { evidenceOf } from '#/mail/bounce/evidence.ts';
import { readReturned } from '#/mail/bounce/read-report.ts';
import type { Returned } from '#/mail/bounce/returned.ts';
import { CORPORA, corpusFile, type LineEnds, score, type Scores } from '../../bench/corpora.ts';

export const bounceSets = ['bounces-sisimai', 'bounces-flufl', 'bounces-bounceparser', 'bounces-misc'] as const;
export type BounceSet = (typeof bounceSets)[number];

export interface Run {
  readonly scores: Scores;
  readonly messages: number;
  /** Of reading alone, in milliseconds. */
  readonly total: number;
  readonly slowest: number;
}

function nameOf(type: BounceType | null): string | null {
  return type === null ? null : postmarkName(type);
}

/** How one message is read: `read` does it. */
type Around = <T>(name: string, read: () => T) => T;
const plainly: Around = (_, read) => read();

export function runBounces(set: BounceSet, ends: LineEnds, around: Around = plainly): Run {
  return runFiles(set, 'bounce', ends, predictionOf, around);
}

export function runOrdinary(ends: LineEnds): Run {
  return runFiles('mime', 'notbounce', ends, predictionOf);
}

export function runFeedback(ends: LineEnds): Run {
  return runFiles('feedback', 'feedback', ends, feedbackOf);
}

export function repliesOf(): readonly { readonly id: string; readonly reply: string }[] {
  return labelsOf('smtp-replies').map(({ id = '', reply = '' }) => ({ id, reply }));
}

export function runReplies(around: Around = plainly): Run {
  const replies = new Map(repliesOf().map(({ id, reply }) => [id, reply]));
  return run('smtp-replies', 'smtp', [...replies.keys()], (id) => {
    const start = performance.now();
    const { type, temporary } = around(id, () => classifyEvidence(evidenceOf(replies.get(id) ?? '')));
    return { ms: performance.now() - start, prediction: { id, kind: nameOf(type), temporary } };
  });
}

function predictionOf(returned: Returned): object {
  if (returned.kind === 'ordinary') return { is_bounce: false, recipients: [] };
  if ('feedbackType' in returned)
    return { is_bounce: false, is_feedback: true, kind: nameOf(returned.type), recipients: [] };
  const recipients = returned.recipients.map(({ address, status, smtpCode, type }) => ({
    address,
    status,
    smtp_code: smtpCode,
    kind: nameOf(type),
  }));
  return { is_bounce: returned.kind === 'bounce', kind: nameOf(returned.type), recipients };
}

function feedbackOf(returned: Returned): object {
  // A mail to the address of List-Unsubscribe is feedback as well.
  if (returned.kind === 'unsubscribe') {
    const recipients = returned.from === null ? [] : [returned.from];
    return { is_feedback: true, feedback_type: 'opt-out', kind: nameOf(returned.type), recipients };
  }
  if (!('feedbackType' in returned)) return { is_feedback: false };
  return {
    is_feedback: true,
    feedback_type: returned.feedbackType,
    recipients: returned.recipients,
    source_ip: returned.sourceIp,
    reported_domain: returned.reportedDomains,
    original_message_id: returned.originalMessageId,
    kind: nameOf(returned.type),
  };
}

interface Label {
  readonly file?: string;
  readonly id?: string;
  readonly reply?: string;
}

function labelsOf(set: string): readonly Label[] {
  const lines = readFileSync(join(CORPORA, set, 'labels.jsonl'), 'utf8')
    .split('\n')
    .filter(Boolean);
  return lines.map((line) => JSON.parse(line) as Label);
}

export function filesOf(set: string): readonly string[] {
  return [...new Set(labelsOf(set).map(({ file }) => file ?? ''))];
}

function runFiles(
  set: string,
  kind: string,
  ends: LineEnds,
  predict: (returned: Returned) => object,
  around: Around = plainly,
): Run {
  return run(set, kind, filesOf(set), (file) => {
    const source = corpusFile(set, file, ends);
    const start = performance.now();
    const returned = around(file, () => readReturned(source));
    return { ms: performance.now() - start, prediction: { file, ...predict(returned) } };
  });
}

function run(
  set: string,
  kind: string,
  names: readonly string[],
  one: (name: string) => { readonly ms: number; readonly prediction: object },
): Run {
  const answers = names.map(one);
  const times = answers.map(({ ms }) => ms);
  return {
    scores: score(
      kind,
      set,
      answers.map(({ prediction }) => prediction),
    ),
    messages: names.length,
    total: times.reduce((sum, ms) => sum + ms, 0),
    slowest: Math.max(...times),
  };
}

export interface Floor {
  readonly figure: string;
  readonly percent: number;
}

const BOUNCE_FLOORS: readonly Floor[] = [
  { figure: 'recipient', percent: 95 },
  { figure: 'recipient_precision', percent: 98 },
  { figure: 'kind_accept', percent: 92 },
  { figure: 'hard_or_not', percent: 96 },
  { figure: 'temporary_not_hard', percent: 96 },
];

/**
 * bounces-bounceparser has two messages whose failed address stands in plain words, and whose label names none ("User mailbox
 * exceeds allowed size: a@b.c"): of 47 that makes 95.7 % at best.
 */
export const floorsOf: Readonly<Record<(typeof bounceSets)[number], readonly Floor[]>> = {
  'bounces-sisimai': BOUNCE_FLOORS,
  'bounces-flufl': BOUNCE_FLOORS,
  'bounces-bounceparser': BOUNCE_FLOORS.map((floor) =>
    floor.figure === 'recipient_precision' ? { ...floor, percent: 95.5 } : floor,
  ),
  'bounces-misc': BOUNCE_FLOORS,
};
export const feedbackFloors: readonly Floor[] = [
  'is_feedback',
  'recipients',
  'feedback_type',
  'kind',
  'original_message_id',
  'reported_domain',
  'source_ip',
].map((figure) => ({ figure, percent: 100 }));
export const ordinaryFloors: readonly Floor[] = [{ figure: 'left_alone', percent: 100 }];
export const replyFloors: readonly Floor[] = [
  { figure: 'kind_accept', percent: 90 },
  { figure: 'kind_exact_high', percent: 85 },
  { figure: 'temporary', percent: 98 },
];
