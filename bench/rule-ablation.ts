// How much of the accuracy is owed to words that one message alone taught: each message of the open corpora is read again
// without the branches of the rules that serve it, or its family, alone. What is left is what unseen messages may get.
import { classifyEvidence, ruleBase } from '#/mail/bounce/classify-evidence.ts';
import { evidenceOf } from '#/mail/bounce/evidence.ts';
import { readReturned } from '#/mail/bounce/read-report.ts';
import type { Rule } from '#/mail/bounce/rules/rule.ts';
import { bounceSets, filesOf, type Run, runBounces, runReplies, repliesOf } from '../test/corpora/bounce-scores.ts';
import { corpusFile } from './corpora.ts';
import { PatternBranches } from './pattern-branches.ts';

const PLACES = ['text', 'raw', 'unless'] as const;
type Place = (typeof PLACES)[number];

interface Use {
  readonly rule: number;
  readonly place: Place;
  readonly branch: number;
  readonly text: string;
  /** The messages whose reading changes somewhere without it. */
  readonly messages: ReadonlySet<string>;
}

export interface Ablation {
  /** Branches that serve one message only. */
  readonly single: readonly { readonly text: string; readonly message: string }[];
  /** Branches that serve more than one; those that serve none are knowledge of the world. */
  readonly shared: number;
  readonly unserved: number;
  readonly scores: ReadonlyMap<string, Run>;
}

/** Reads a message without what serves its group alone. */
export function leavingOut(group: (message: string) => string): {
  readonly uses: readonly Use[];
  readonly without: <T>(message: string, read: () => T) => T;
} {
  const uses = usesOf();
  const groups = uses.map(({ messages }) => new Set([...messages].map(group)));
  const without = <T>(message: string, read: () => T): T => {
    const own = group(message);
    const removed = uses.filter((_, index) => groups[index]?.size === 1 && groups[index].has(own));
    return withoutBranches(removed, read);
  };
  return { uses, without };
}

export function ablate(group: (message: string) => string): Ablation {
  const { uses, without } = leavingOut(group);
  const scores = new Map<string, Run>();
  for (const set of bounceSets)
    scores.set(
      set,
      runBounces(set, 'as they are', (file, read) => without(`${set}/${file}`, read)),
    );
  scores.set(
    'smtp-replies',
    runReplies((id, read) => without(id, read)),
  );
  const single = uses.filter(({ messages }) => messages.size === 1);
  return {
    single: single.map(({ text, messages }) => ({ text, message: [...messages][0] ?? '' })),
    shared: uses.filter(({ messages }) => messages.size > 1).length,
    unserved: uses.filter(({ messages }) => messages.size === 0).length,
    scores,
  };
}

function usesOf(): readonly Use[] {
  const matched = matchesOf();
  return ruleBase.flatMap((rule, index) =>
    PLACES.flatMap((place) => {
      const pattern = rule[place];
      if (pattern === undefined) return [];
      const parts = new PatternBranches(pattern);
      const texts = matched.get(`${index} ${place}`) ?? new Map<string, Set<string>>();
      return Array.from({ length: parts.count }, (_, branch): Use => {
        const less = parts.without(new Set([branch]));
        const messages = new Set([...texts].filter(([text]) => !less.test(text)).flatMap(([, of]) => [...of]));
        return { rule: index, place, branch, text: parts.textOf(branch), messages };
      });
    }),
  );
}

/** By pattern, the texts that it matches, and in which messages. */
function matchesOf(): ReadonlyMap<string, Map<string, Set<string>>> {
  const found = new Map<string, Map<string, Set<string>>>();
  let message = '';
  const restore = replacePatterns((index, place, pattern) => {
    const key = `${index} ${place}`;
    return tracing(pattern, (text) => {
      const texts = found.get(key) ?? new Map<string, Set<string>>();
      found.set(key, texts.set(text, (texts.get(text) ?? new Set()).add(message)));
    });
  });
  for (const set of bounceSets) {
    for (const file of filesOf(set)) {
      message = `${set}/${file}`;
      readReturned(corpusFile(set, file, 'as they are'));
    }
  }
  for (const { id, reply } of repliesOf()) {
    message = id;
    classifyEvidence(evidenceOf(reply));
  }
  restore();
  return found;
}

function tracing(pattern: RegExp, matched: (text: string) => void): RegExp {
  const traced = new RegExp(pattern);
  traced.test = (text) => {
    const matches = pattern.test(text);
    if (matches) matched(text);
    return matches;
  };
  return traced;
}

function withoutBranches<T>(removed: readonly Use[], read: () => T): T {
  const restore = replacePatterns((index, place, pattern) => {
    const own = removed.filter((use) => use.rule === index && use.place === place);
    return own.length === 0 ? pattern : new PatternBranches(pattern).without(new Set(own.map(({ branch }) => branch)));
  });
  try {
    return read();
  } finally {
    restore();
  }
}

/** The rules are read by everything, so they are changed where they are, and back. */
function replacePatterns(by: (index: number, place: Place, pattern: RegExp) => RegExp): () => void {
  const kept = ruleBase.map((rule) => ({ ...rule }));
  for (const [index, rule] of ruleBase.entries()) {
    for (const place of PLACES) {
      const pattern = rule[place];
      if (pattern !== undefined)
        (rule as { -readonly [Key in keyof Rule]: Rule[Key] })[place] = by(index, place, pattern);
    }
  }
  return () => {
    for (const [index, rule] of ruleBase.entries()) Object.assign(rule, kept[index]);
  };
}
