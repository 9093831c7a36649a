// What DNS says of one record that was asked for, in words for whoever publishes it. Pure.
import type { DnsRecordState } from '#/domain/sender-identity/rules.ts';
import { dkimRecordFlaw } from '#/mail/dkim/record.ts';
import type { CnameAnswer, TextAnswer } from '#/runtime/ports.ts';
import type { ExpectedRecord } from './expected-records.ts';

export interface Judgement {
  readonly state: DnsRecordState;
  readonly found: readonly string[];
  /** Null: nothing is wrong. */
  readonly problem: string | null;
}

/** What is kept of what strangers publish. */
const MAX_FOUND = 5;
const MAX_FOUND_LENGTH = 1_000;

const ok = (found: readonly string[]): Judgement => ({ state: 'OK', found: cut(found), problem: null });
const missing = (problem: string): Judgement => ({ state: 'MISSING', found: [], problem });
const wrong = (found: readonly string[], problem: string): Judgement => ({
  state: 'WRONG',
  found: cut(found),
  problem,
});

function cut(texts: readonly string[]): readonly string[] {
  // PostgreSQL keeps no NUL, and a TXT record may hold any octets.
  return texts.slice(0, MAX_FOUND).map((text) => text.slice(0, MAX_FOUND_LENGTH).replaceAll('\0', '').toWellFormed());
}

/** SERVFAIL, timeout and the like say nothing about the record. */
function unknown(reason: string): Judgement {
  const text =
    reason === 'ELOOP'
      ? 'The name is a CNAME that leads on for too long, or in a circle.'
      : `The name servers gave no answer (${reason.replace(/^E/, '')}); nothing is concluded from that, and it is asked again.`;
  return { state: 'UNKNOWN', found: [], problem: text };
}

export function judgeDkim(expected: ExpectedRecord, answer: TextAnswer): Judgement {
  if (answer.kind === 'failed') return unknown(answer.reason);
  if (answer.kind !== 'texts') return missing(`There is no TXT record at ${expected.host}.`);
  const { texts } = answer;
  const [only] = texts;
  if (texts.length > 1 || only === undefined) {
    return wrong(texts, 'There are several TXT records at this name, and receivers take any of them: leave one alone.');
  }
  const flaw = dkimRecordFlaw(only, expected.value);
  return flaw === null ? ok(texts) : wrong(texts, `The record ${flaw}.`);
}

/** A zone editor that adds the domain by itself makes a.example.a.example of a.example. */
export function judgeDoubled(expected: ExpectedRecord, domain: string, answer: TextAnswer): Judgement | null {
  if (answer.kind !== 'texts') return null;
  return missing(
    `There is a record at ${expected.host}.${domain}: the domain stands there twice. Leave it out where your DNS editor adds it by itself.`,
  );
}

export function judgeReturnPath(expected: ExpectedRecord, answer: CnameAnswer): Judgement {
  switch (answer.kind) {
    case 'failed':
      return unknown(answer.reason);
    case 'chain':
      return answer.names.includes(expected.value)
        ? ok(answer.names)
        : wrong(answer.names, `The CNAME points to ${answer.names[0]}, not to ${expected.value}.`);
    default:
      return missing(
        'There is no CNAME at this name. Until there is one, bounces go to the From address, and SPF is checked against its domain. (An entry that a CDN answers for with its own addresses does not count.)',
      );
  }
}

/** `answers`: of _dmarc at the domain, then at each name above it, from which a policy is inherited. */
export function judgeDmarc(answers: readonly TextAnswer[]): Judgement {
  for (const answer of answers) {
    if (answer.kind === 'failed') return unknown(answer.reason);
    const policies = answer.kind === 'texts' ? answer.texts.filter((text) => /^\s*v\s*=\s*DMARC1\b/i.test(text)) : [];
    if (policies.length > 1) {
      return wrong(policies, 'There are several DMARC records at this name; receivers then take none of them.');
    }
    const [policy] = policies;
    if (policy === undefined) continue;
    if (/;\s*p\s*=\s*(?:none|quarantine|reject)\s*(?:;|$)/i.test(policy)) return ok(policies);
    return wrong(policies, 'The record has no policy: p=none, p=quarantine or p=reject.');
  }
  return missing(
    'There is no DMARC record. It is not needed to send, but large receivers want one of whoever sends much.',
  );
}

/** With a return path of its own the domain's SPF record is not looked at for our mail. */
export function judgeSpf(expected: ExpectedRecord, answer: TextAnswer, returnPath: Judgement): Judgement {
  const policies =
    answer.kind === 'texts' ? answer.texts.filter((text) => /^v=spf1(?: |$)/i.test(text)) : ([] as readonly string[]);
  if (returnPath.state === 'OK') return ok(policies);
  if (answer.kind === 'failed') return unknown(answer.reason);
  if (policies.length > 1) {
    return wrong(policies, 'There are several SPF records (v=spf1), which makes SPF fail: put them into one.');
  }
  const include = expected.value.split(' ')[1] ?? '';
  const [policy] = policies;
  if (policy === undefined) return missing('There is no SPF record. None is needed once the return-path CNAME stands.');
  if (policy.toLowerCase().split(/\s+/).includes(include)) return ok(policies);
  return wrong(
    policies,
    `The SPF record does not name this installation: add ${include} to it, not a second record. It is not needed once the return-path CNAME stands.`,
  );
}
