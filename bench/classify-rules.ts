// What of the accuracy would be left for messages that nobody has seen: each message of the open corpora is read without the
// branches of rules that serve it alone, then without those that serve its family alone (lhost-postfix-04: lhost-postfix).
// Where a branch serves one message only, it is told in the results: its wording should be the world's and not the file's.
import { hasCorpora, NO_CORPORA, percent } from './corpora.ts';
import { ablate, type Ablation } from './rule-ablation.ts';
import { type Context, figure, type Outcome } from './scenario.ts';

const SHOWN = ['kind_accept', 'hard_or_not', 'kind_exact_high', 'temporary_not_hard'];

const itself = (message: string) => message;
const family = (message: string) => message.replace(/[-_.]?\d*\.(?:eml|msg|txt)$/, '').replace(/[-_/]\d+$/, '');

export async function classifyRules(context: Context): Promise<readonly Outcome[]> {
  if (!hasCorpora) return [{ name: 'rules', skipped: NO_CORPORA }];
  const alone = ablate(itself);
  context.note('branches that serve one message', alone.single);
  context.say(`${alone.single.length} branches serve one message, ${alone.shared} more than one,`);
  context.say(`${alone.unserved} none of the corpora: those are knowledge of other systems`);
  return [...figuresOf('message', alone), ...figuresOf('family', ablate(family))];
}

function figuresOf(what: string, { scores }: Ablation): readonly Outcome[] {
  return [...scores].flatMap(([set, run]) =>
    Object.entries(run.scores)
      .filter(([name]) => SHOWN.includes(name))
      .map(([name, score]) =>
        figure(`${set}: ${name} without the ${what}'s own`, '%', [percent(score)], {
          remark: `${score.right} of ${score.of}`,
        }),
      ),
  );
}
