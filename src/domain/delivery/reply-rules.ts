// What replies say about the pace: rules as data. The first that matches counts. A rule is about the site, or about what
// one account sends to it, so that one customer's mail does not stop that of the others.
import { statedPause } from './stated-pause.ts';

/** SLOW: half the pace. ONE_CONNECTION: one at a time, half the pace. SUSPEND: nothing. */
export type MeasureKind = 'SLOW' | 'ONE_CONNECTION' | 'SUSPEND';

export interface ReplyRule {
  readonly name: string;
  /** Null: any. */
  readonly providers: readonly string[] | null;
  readonly codes: readonly number[];
  readonly enhancedCodes?: readonly string[];
  readonly text?: RegExp;
  /** Before MAIL: the receiver does not know yet whose mail it is. */
  readonly phase?: 'connection';
  readonly measure: MeasureKind;
  readonly of: 'SITE' | 'ACCOUNT';
  readonly minutes: number;
}

const HOUR = 60;

export const replyRules: readonly ReplyRule[] = [
  {
    name: 'yahoo: deferred for complaints (TSS04)',
    providers: ['yahoo'],
    codes: [421, 451],
    text: /\[TSS0?4\]|unexpected volume|user complaints/i,
    measure: 'SUSPEND',
    of: 'SITE',
    minutes: 2 * HOUR,
  },
  {
    name: 'google: the sender is not authenticated or has a poor reputation',
    providers: ['google'],
    codes: [421],
    enhancedCodes: ['4.7.26', '4.7.27', '4.7.29', '4.7.30', '4.7.32'],
    measure: 'SUSPEND',
    of: 'ACCOUNT',
    minutes: HOUR,
  },
  {
    name: 'google: unusual rate of mail from the sender (4.7.28, 4.7.0)',
    providers: ['google'],
    codes: [421, 450, 451],
    enhancedCodes: ['4.7.28', '4.7.0'],
    text: /unsolicited|unusual rate|rate limited/i,
    measure: 'SLOW',
    of: 'SITE',
    minutes: 90,
  },
  {
    name: 'microsoft: throttled for reputation (RP-001 to RP-003, S775, S3150)',
    providers: ['outlook', 'microsoft365'],
    codes: [421, 451],
    text: /\(RP-00[123]\)|S775|rate limit|4\.7\.500|4\.7\.650|server busy/i,
    measure: 'ONE_CONNECTION',
    of: 'SITE',
    minutes: HOUR,
  },
  {
    name: 'microsoft: our address is blocked (S3140, 5.7.606 and others)',
    providers: ['outlook', 'microsoft365'],
    codes: [550, 554],
    text: /S3140|S3150|5\.7\.60[6-9]|5\.7\.61\d|5\.7\.511/,
    measure: 'SUSPEND',
    of: 'SITE',
    minutes: 2 * HOUR,
  },
  {
    name: 'apple: too many messages or connections',
    providers: ['apple'],
    codes: [421, 450, 451, 452],
    text: /\[?CS0[1-3]\]?|too many/i,
    measure: 'ONE_CONNECTION',
    of: 'SITE',
    minutes: 30,
  },
  {
    name: 'orange, free: too many connections (OFR_104, OFR_105, OFR_999)',
    providers: ['orange', 'free'],
    codes: [421, 450, 451],
    text: /OFR_?(?:10[45]|999)|too many/i,
    measure: 'ONE_CONNECTION',
    of: 'SITE',
    minutes: 30,
  },
  {
    name: 'too many connections at once',
    providers: null,
    codes: [421, 450, 451, 452, 454],
    text: /too many (?:concurrent |simultaneous |open )?(?:smtp )?(?:connections|sessions)|connection (?:rate )?limit|concurrent/i,
    measure: 'ONE_CONNECTION',
    of: 'SITE',
    minutes: 30,
  },
  {
    name: 'refused before it was known whose mail it is',
    providers: null,
    codes: [521, 550, 553, 554, 571],
    phase: 'connection',
    measure: 'SUSPEND',
    of: 'SITE',
    minutes: 15,
  },
  {
    name: 'mail of this sender is deferred for spam or complaints',
    providers: null,
    codes: [421, 450, 451],
    text: /\bspam|complaint|reputation|suspicious|unsolicited/i,
    measure: 'SUSPEND',
    of: 'ACCOUNT',
    minutes: 30,
  },
  {
    name: 'too much mail',
    providers: null,
    codes: [421, 450, 451, 452, 454],
    text: /too (?:many|much) (?:messages|mail|email|e-mail)|(?:rate|message|hourly|sending) limit|throttl|slow(?:ing)? down/i,
    measure: 'SLOW',
    of: 'SITE',
    minutes: 30,
  },
  {
    name: 'the service closes the channel (421)',
    providers: null,
    codes: [421],
    measure: 'SLOW',
    of: 'SITE',
    minutes: 10,
  },
];

/** What a receiver may ask for by naming a time. */
const MOST_MINUTES = 6 * HOUR;

export interface Signal {
  readonly rule: string;
  readonly measure: MeasureKind;
  readonly of: 'SITE' | 'ACCOUNT';
  readonly minutes: number;
}

export interface SignallingReply {
  readonly code: number;
  readonly enhancedCode: string | null;
  readonly text: string;
}

/** Null: the reply says nothing of the kind. `provider`: name; null: none that is known. */
export function signalOf(
  provider: string | null,
  reply: SignallingReply,
  phase: 'connection' | 'transaction',
  rules: readonly ReplyRule[] = replyRules,
): Signal | null {
  if (reply.code < 400 || isIdleTimeout(reply)) return null;
  const rule = rules.find((candidate) => matches(candidate, provider, reply, phase));
  if (rule === undefined) return null;
  const stated = statedPause(reply.text);
  const minutes = stated === null ? rule.minutes : Math.min(Math.max(rule.minutes, stated / 60), MOST_MINUTES);
  return { rule: rule.name, measure: rule.measure, of: rule.of, minutes };
}

/** We had nothing to say for too long: no reason to say less. */
export function isIdleTimeout({ code, enhancedCode, text }: SignallingReply): boolean {
  return code === 421 && (enhancedCode === '4.4.2' || /time[d ]*-?out|idle/i.test(text));
}

/**
 * RFC 5321 §4.5.3.1.10: 452 is what too many recipients get; old servers say 552. A full mailbox has the same codes, so
 * that the enhanced code or the words must say it.
 */
export function isTooManyRecipients({ code, enhancedCode, text }: SignallingReply): boolean {
  if (code !== 452 && code !== 451 && code !== 552) return false;
  return enhancedCode === '4.5.3' || enhancedCode === '5.5.3' || /too many (?:recipients|rcpt)/i.test(text);
}

/** Where a rule names enhanced codes and a text, one of the two is enough: providers are not consistent. */
function matches(rule: ReplyRule, provider: string | null, reply: SignallingReply, phase: string): boolean {
  if (!rule.codes.includes(reply.code)) return false;
  if (rule.providers !== null && (provider === null || !rule.providers.includes(provider))) return false;
  if (rule.phase !== undefined && rule.phase !== phase) return false;
  if (rule.enhancedCodes === undefined && rule.text === undefined) return true;
  const byCode = reply.enhancedCode !== null && rule.enhancedCodes?.includes(reply.enhancedCode) === true;
  return byCode || rule.text?.test(`${reply.enhancedCode ?? ''} ${reply.text}`) === true;
}
