// Accuracy and speed of what reads bounces, complaints and SMTP replies, on the shared corpora.
import {
  bounceSets,
  feedbackFloors,
  type Floor,
  floorsOf,
  ordinaryFloors,
  replyFloors,
  type Run,
  runBounces,
  runFeedback,
  runOrdinary,
  runReplies,
} from '../test/corpora/bounce-scores.ts';
import { hasCorpora, lineEnds, NO_CORPORA, percent as percentOf } from './corpora.ts';
import { atLeast, atMost, type Context, figure, type Outcome } from './scenario.ts';

/** Milliseconds for one message in a warm process: nothing may hold the event loop for longer. */
const SLOWEST = 50;

export async function classifyBounces(context: Context): Promise<readonly Outcome[]> {
  if (!hasCorpora) return [{ name: 'bounces', skipped: NO_CORPORA }];
  const outcomes: Outcome[] = [];
  const runs: Run[] = [];
  const add = (name: string, floors: readonly Floor[], each: readonly Run[]) => {
    runs.push(...each);
    for (const { figure: of, percent } of floors) {
      const scores = each.map(({ scores: all }) => all[of]).filter((score) => score !== undefined);
      if (scores.length === 0) continue;
      // Of the variants the worst counts.
      const worst = scores.reduce((low, score) => (percentOf(score) < percentOf(low) ? score : low));
      outcomes.push(
        figure(`${name}: ${of}`, '%', [percentOf(worst)], {
          target: atLeast(percent),
          remark: `${worst.right} of ${worst.of}`,
        }),
      );
    }
    context.say(`${name}: read`);
  };
  // Not counted: the code is compiled, and its patterns too.
  runBounces('bounces-sisimai', 'as they are');
  for (const set of bounceSets)
    add(
      set,
      floorsOf[set],
      lineEnds.map((ends) => runBounces(set, ends)),
    );
  add('feedback', feedbackFloors, lineEnds.map(runFeedback));
  add('ordinary mail', ordinaryFloors, lineEnds.map(runOrdinary));
  outcomes.push(...speed(runs));
  add('SMTP replies', replyFloors, [runReplies()]);
  return outcomes;
}

function speed(runs: readonly Run[]): readonly Outcome[] {
  const messages = runs.reduce((sum, run) => sum + run.messages, 0);
  const total = runs.reduce((sum, run) => sum + run.total, 0);
  return [
    figure('reports read', 'messages/s', [(1_000 * messages) / total]),
    figure('slowest message', 'ms', [Math.max(...runs.map(({ slowest }) => slowest))], { target: atMost(SLOWEST) }),
  ];
}
