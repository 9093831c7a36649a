// Accuracy on the shared corpora: what comes back is read right whatever its line ends, and never breaks or hangs the reader.
import { describe, expect, test } from 'vitest';
import { readReturned } from '#/mail/bounce/read-report.ts';
import {
  bounceSets,
  feedbackFloors,
  filesOf,
  type Floor,
  floorsOf,
  ordinaryFloors,
  replyFloors,
  type Run,
  runBounces,
  runFeedback,
  runOrdinary,
  runReplies,
} from './bounce-scores.ts';
import { corpusFile, hasCorpora, lineEnds, percent as percentOf } from '../../bench/corpora.ts';

if (!hasCorpora) console.warn('shared/corpora is not beside this checkout: accuracy of bounces is not tested');

/** Milliseconds for one message: ten times what is seen, as the machine may be busy and the code cold. */
const SLOWEST = 1_000;

function holds(run: Run, floors: readonly Floor[]) {
  const below = floors.flatMap(({ figure, percent }) => {
    const score = run.scores[figure];
    return score === undefined || percentOf(score) >= percent
      ? []
      : [`${figure} ${score.right}/${score.of}, not ${percent} %`];
  });
  expect(below).toEqual([]);
  expect(floors.some(({ figure }) => run.scores[figure] !== undefined)).toBe(true);
  expect(run.slowest).toBeLessThan(SLOWEST);
}

describe.skipIf(!hasCorpora)('accuracy', () => {
  describe.each(lineEnds)('line ends %s', (ends) => {
    test.each(bounceSets)('%s', (set) => holds(runBounces(set, ends), floorsOf[set]));
    test('complaints', () => holds(runFeedback(ends), feedbackFloors));
    test('ordinary mail is no report', () => holds(runOrdinary(ends), ordinaryFloors));
  });

  test('SMTP replies', () => holds(runReplies(), replyFloors));

  test('line ends change nothing', () => {
    const different = [...bounceSets, 'feedback', 'mime'].flatMap((set) =>
      filesOf(set).flatMap((file) => {
        const [plain, ...others] = lineEnds.map((ends) => JSON.stringify(readReturned(corpusFile(set, file, ends))));
        return others.every((other) => other === plain) ? [] : [`${set}/${file}`];
      }),
    );
    expect(different).toEqual([]);
  });

  test('cut anywhere, and with octets changed, it is read all the same', { timeout: 120_000 }, () => {
    let state = 1;
    const next = (below: number) => (state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) % below;
    for (const set of [...bounceSets, 'feedback']) {
      for (const file of filesOf(set)) {
        const source = corpusFile(set, file, 'as they are').subarray(0, 60_000);
        expect(() => readReturned(source.subarray(0, next(source.length + 1)))).not.toThrow();
        const changed = Buffer.from(source);
        for (let count = 0; count < 20; count++) changed[next(changed.length)] = next(256);
        expect(() => readReturned(changed)).not.toThrow();
      }
    }
  });
});
