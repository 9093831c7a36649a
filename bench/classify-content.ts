// How well contents are read: decoded MIME, stripped replies, DMARC reports, and no false alarm on ordinary mail; each with
// three kinds of line ends, of which the worst is told.
import { hasCorpora, inspectCorpus, lineEnds, NO_CORPORA, percent, score, type Score, sum } from './corpora.ts';
import { atLeast, atMost, type Figure, figure, type Outcome, type Target } from './scenario.ts';

/** A field on which three parsers agree; the others carry the word "two". */
const THREE_WAY = [
  'from',
  'to',
  'cc',
  'reply_to',
  'subject',
  'message_id',
  'date',
  'text',
  'html',
  'attachments_count',
];

interface Row {
  readonly name: string;
  readonly score: Score;
  readonly floor: number;
}

export async function classifyContent(): Promise<readonly Outcome[]> {
  if (!hasCorpora) return [{ name: 'contents', skipped: NO_CORPORA }];
  const variants: (readonly Row[])[] = [];
  const times: number[] = [];
  for (const ends of lineEnds) variants.push(await rowsOf(ends, times));
  const rows = (variants[0] ?? []).map((row, index) =>
    worst(
      row,
      variants.map((all) => all[index] ?? row),
    ),
  );
  const slowest = Math.max(...times);
  return [...rows, figure('stripped reply, the slowest mail', 'ms', [slowest], { target: atMost(200) })];
}

async function rowsOf(ends: (typeof lineEnds)[number], times: number[]): Promise<readonly Row[]> {
  const mime = await inspectCorpus('mime', ends);
  const read = score('mime', 'mime', mime);
  const part = (name: string): Score => read[name] ?? { right: 0, of: 0 };
  const reports = score('dmarc', 'dmarc-aggregate', await inspectCorpus('dmarc-aggregate', ends));
  const replies = await inspectCorpus('stripped-replies', ends);
  times.push(...replies.map(({ ms }) => ms));
  return [
    { name: 'MIME, fields three parsers agree on', score: sum(THREE_WAY.map(part)), floor: 99 },
    { name: 'MIME, octets of attachments', score: part('attachment_bytes'), floor: 95 },
    { name: 'MIME, no error', score: part('no_crash'), floor: 100 },
    { name: 'ordinary mail left alone', score: only(score('notbounce', 'mime', mime), 'left_alone'), floor: 100 },
    { name: 'DMARC, accepted or refused rightly', score: only(reports, 'accepts'), floor: 100 },
    { name: 'DMARC, values', score: only(reports, 'report'), floor: 95 },
    { name: 'DMARC, rows', score: only(reports, 'rows'), floor: 95 },
    ...Object.entries(score('reply', 'stripped-replies', replies))
      .filter(([name]) => name.startsWith('reply '))
      .map(([name, value]) => ({ name: `stripped ${name}`, score: value, floor: 85 })),
  ];
}

const only = (scores: Readonly<Record<string, Score>>, name: string): Score => scores[name] ?? { right: 0, of: 0 };

function worst(row: Row, all: readonly Row[]): Figure {
  const values = all.map(({ score: one }) => percent(one));
  const target: Target = atLeast(row.floor);
  const lowest = Math.min(...values);
  return { ...figure(row.name, '%', [lowest], { target, remark: `of ${row.score.of}` }), runs: values };
}
