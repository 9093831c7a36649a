// Mail that is no bounce, in the world's forms: what people write about bounces, answers of machines, complaints.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readReturned } from '#/mail/bounce/read-report.ts';
import type { WorldScore } from './world-replies.ts';

export function scoreOrdinary(
  kind: 'ordinary' | 'auto-reply' | 'complaint' | 'authentication-failure',
  ends: string,
): WorldScore {
  const entries = readFileSync(join(import.meta.dirname, 'world/ordinary.txt'), 'utf8')
    .split(/^=== /m)
    .slice(1);
  const cases = entries.filter((entry) => entry.startsWith(kind));
  const misses = cases.flatMap((entry) => {
    const start = entry.indexOf('\n');
    const recipient = entry.slice(0, start).split(' ')[1] ?? '-';
    const read = readReturned(Buffer.from(entry.slice(start + 1).replaceAll('\n', ends)));
    const named = 'feedbackType' in read ? (read.recipients[0] ?? '-') : '-';
    // What asks for a confirmation may be taken for a challenge: it is neither counted nor suppressed.
    const kinds = kind === 'ordinary' ? ['ordinary', 'challenge'] : [kind];
    return kinds.includes(read.kind) && (recipient === '-' || named === recipient)
      ? []
      : [`${read.kind} ${named}: ${entry.slice(0, 300)}`];
  });
  return { of: cases.length, misses };
}
