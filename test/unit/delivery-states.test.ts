// The states of a recipient: whatever happens in whatever order, a final state is never left and never reached twice.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  after,
  inDoubtPolicies,
  MAX_DOUBTS,
  type Occurrence,
  type OpenRecipient,
  type RecipientState,
} from '#/domain/delivery/states.ts';

const occurrences: readonly Occurrence[] = [
  'CLAIMED',
  'STARTED',
  'CONTENT_MARKED',
  'RETURNED',
  'DEFERRED',
  'DELIVERED',
  'BOUNCED',
  'DOUBTED',
  'OVERDUE',
  'CANCELLED',
  'WORKER_LOST',
];
const policy = fc.constantFrom(...inDoubtPolicies);
const begin = fc
  .constantFrom('SCHEDULED' as const, 'QUEUED' as const)
  .map((status): OpenRecipient => ({ kind: 'OPEN', status, phase: 'WAITING', doubts: 0 }));
/** The usual order more often than chance would bring it. */
const step = fc.oneof(
  fc.constantFrom(...occurrences).map((what) => [what]),
  fc
    .constantFrom<Occurrence>('DELIVERED', 'BOUNCED', 'DEFERRED', 'DOUBTED', 'WORKER_LOST')
    .map((what): Occurrence[] => ['CLAIMED', 'STARTED', 'CONTENT_MARKED', what]),
);
const story = fc.array(step, { maxLength: 12 }).map((steps) => steps.flat());

describe('a recipient', () => {
  test('never leaves a final state', () => {
    fc.assert(
      fc.property(begin, story, policy, (start, steps, rule) => {
        let state: RecipientState = start;
        for (const what of steps) {
          const next = after(state, what, rule);
          if (state.kind === 'SETTLED') expect(next).toBeNull();
          state = next ?? state;
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test('is in doubt only after its content was sent, and never told as expired then', () => {
    fc.assert(
      fc.property(begin, story, policy, (start, steps, rule) => {
        let state: RecipientState = start;
        let sentUnanswered = 0;
        for (const what of steps) {
          const next = after(state, what, rule);
          if (next === null) continue;
          const doubted = what === 'DOUBTED' || what === 'WORKER_LOST';
          if (state.kind === 'OPEN' && state.phase === 'CONTENT_SENT' && doubted) sentUnanswered++;
          if (next.kind === 'SETTLED' && next.status === 'IN_DOUBT') expect(sentUnanswered).toBeGreaterThan(0);
          if (next.kind === 'SETTLED' && next.status === 'EXPIRED') expect(sentUnanswered).toBe(0);
          if (next.kind === 'OPEN') expect(next.doubts).toBe(sentUnanswered);
          state = next;
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test('is sent once at most in doubt where no second copy may come, and a few times otherwise', () => {
    fc.assert(
      fc.property(begin, story, policy, (start, steps, rule) => {
        let state: RecipientState = start;
        let copies = 0;
        for (const what of steps) {
          const next = after(state, what, rule);
          if (next === null) continue;
          if (what === 'CONTENT_MARKED') copies++;
          // An answer, or its certain absence, takes the copy back.
          if (what === 'DEFERRED' || what === 'RETURNED') {
            if (state.kind === 'OPEN' && state.phase === 'CONTENT_SENT') copies--;
          }
          expect(copies).toBeLessThanOrEqual(rule === 'NEVER_TWICE' ? 1 : MAX_DOUBTS);
          state = next;
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test('cannot be cancelled while its mail may be on the wire', () => {
    fc.assert(
      fc.property(begin, story, policy, (start, steps, rule) => {
        let state: RecipientState = start;
        for (const what of steps) {
          if (state.kind === 'OPEN' && state.phase !== 'WAITING') expect(after(state, 'CANCELLED', rule)).toBeNull();
          state = after(state, what, rule) ?? state;
        }
      }),
    );
  });
});
