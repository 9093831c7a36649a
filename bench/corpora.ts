// The shared corpora beside the repository: real cases with expected results, and the program that scores predictions.
// They are no part of the product; where they are absent, what needs them is skipped.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Inspected, inspectMessage } from '#/cli/inspect-message.ts';

export const CORPORA = join(import.meta.dirname, '../../shared/corpora');
export const hasCorpora = existsSync(join(CORPORA, 'score.mjs'));
export const NO_CORPORA = 'the shared corpora are not beside the repository';

/** Messages are read with each of these line ends, and the results must be the same. */
export const lineEnds = ['as they are', 'CRLF', 'bare CR'] as const;
export type LineEnds = (typeof lineEnds)[number];

export interface CorpusFile {
  readonly name: string;
  readonly bytes: Buffer;
}

export interface Score {
  readonly right: number;
  readonly of: number;
}

export type Scores = Readonly<Record<string, Score>>;

export function corpusFiles(set: string, ends: LineEnds = 'as they are'): readonly CorpusFile[] {
  const folder = join(CORPORA, set, 'files');
  return readdirSync(folder)
    .toSorted()
    .map((name) => ({ name, bytes: corpusFile(set, name, ends) }));
}

export function corpusFile(set: string, name: string, ends: LineEnds): Buffer {
  return withEnds(name, readFileSync(join(CORPORA, set, 'files', name)), ends);
}

/** Packed files have no lines. */
function withEnds(name: string, bytes: Buffer, ends: LineEnds): Buffer {
  if (ends === 'as they are' || /\.(?:gz|zip)$/.test(name)) return bytes;
  return Buffer.from(bytes.toString('latin1').replace(/\r\n|\r|\n/g, ends === 'CRLF' ? '\r\n' : '\r'), 'latin1');
}

export async function inspectCorpus(set: string, ends: LineEnds): Promise<readonly Inspected[]> {
  const inspected: Inspected[] = [];
  for (const { name, bytes } of corpusFiles(set, ends)) inspected.push(await inspectMessage(name, bytes));
  return inspected;
}

/** `kind`: what score.mjs calls it. */
export function score(kind: string, set: string, predictions: readonly object[]): Scores {
  const folder = mkdtempSync(join(tmpdir(), 'veredus-score-'));
  try {
    const file = join(folder, 'predictions.jsonl');
    writeFileSync(file, predictions.map((one) => `${JSON.stringify(one)}\n`).join(''));
    const program = [join(CORPORA, 'score.mjs'), kind, join(CORPORA, set, 'labels.jsonl'), file];
    const figures = JSON.parse(execFileSync(process.execPath, program, { encoding: 'utf8' })) as Record<string, string>;
    return Object.fromEntries(Object.entries(figures).map(([name, text]) => [name, scoreOf(text)]));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** `61/64 95.3%` */
function scoreOf(text: string): Score {
  const [right, of] = text.split(' ', 1)[0]?.split('/').map(Number) ?? [];
  return { right: right ?? 0, of: of ?? 0 };
}

export function percent({ right, of }: Score): number {
  return of === 0 ? 100 : (100 * right) / of;
}

export function sum(scores: readonly Score[]): Score {
  return scores.reduce((all, { right, of }) => ({ right: all.right + right, of: all.of + of }), { right: 0, of: 0 });
}
