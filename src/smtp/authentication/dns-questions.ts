// Answers mailauth's questions by the installation's own DNS, in the form in which node:dns answers. What was just asked
// is not asked again: a burst of mail from one sender has the same few questions.
import type { Clock, Dns, TextAnswer } from '#/runtime/ports.ts';

export interface Answered {
  readonly records: unknown[] | null;
  readonly code: string | null;
}

const NO_NAME: Answered = { records: null, code: 'ENOTFOUND' };
const NO_DATA: Answered = { records: null, code: 'ENODATA' };
const FAILED: Answered = { records: null, code: 'ESERVFAIL' };
/** Keys and policies change rarely, and whoever changes them waits for TTLs anyway. */
const KEPT_MS = 60_000;
/** Some 2 KB each. */
const MAX_KEPT = 2_000;

export function createQuestions(dns: Dns, clock: Clock): (name: string, type: string) => Promise<Answered> {
  const kept = new Map<string, { readonly answer: Promise<TextAnswer>; readonly until: number }>();

  const txt = (name: string): Promise<TextAnswer> => {
    const key = name.toLowerCase();
    const now = clock.monotonic();
    const known = kept.get(key);
    if (known !== undefined && known.until > now) return known.answer;
    if (kept.size >= MAX_KEPT) kept.clear();
    const answer = dns.txt(key);
    kept.set(key, { answer, until: now + KEPT_MS });
    void answer.then(({ kind }) => kind === 'failed' && kept.delete(key));
    return answer;
  };

  return async (name, type) => {
    switch (type) {
      case 'TXT':
        return ofText(await txt(name));
      case 'A':
      case 'AAAA': {
        const answer = await dns.addresses(name);
        if (answer.kind === 'failed') return FAILED;
        if (answer.kind === 'none') return NO_DATA;
        const records = answer.addresses.filter((address) => address.includes(':') === (type === 'AAAA'));
        return records.length === 0 ? NO_DATA : { records, code: null };
      }
      case 'MX': {
        const answer = await dns.mx(name);
        if (answer.kind === 'hosts')
          return {
            records: answer.hosts.map(({ exchange, preference }) => ({ exchange, priority: preference })),
            code: null,
          };
        return answer.kind === 'failed' ? FAILED : answer.kind === 'no-such-domain' ? NO_NAME : NO_DATA;
      }
      default:
        // SPF's `ptr` says itself that it should not be used (RFC 7208 §5.5): nothing is found by it here.
        return NO_NAME;
    }
  };
}

function ofText(answer: TextAnswer): Answered {
  if (answer.kind === 'texts') return { records: answer.texts.map((text) => [text]), code: null };
  return answer.kind === 'failed' ? FAILED : answer.kind === 'no-such-name' ? NO_NAME : NO_DATA;
}
