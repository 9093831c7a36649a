// `npm run fuzz -- [--seconds N] [--seed N] [--folder DIR]`: feeds broken mail to all parsers (fuzzer.ts). What one of them
// fails on is written to the folder, and the exit code is 1.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { corpusFiles, hasCorpora } from '../bench/corpora.ts';
import { fuzz, samples } from './fuzzer.ts';

const SETS = [
  'mime',
  'bounces-sisimai',
  'bounces-flufl',
  'bounces-bounceparser',
  'bounces-misc',
  'feedback',
  'dmarc-aggregate',
  'stripped-replies',
];

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    folder: { type: 'string', default: join(import.meta.dirname, '../data/fuzz') },
  },
});

const corpus = hasCorpora ? SETS.flatMap((set) => corpusFiles(set).map(({ bytes }) => bytes)) : [];
const seed = Number(values.seed);
console.log(`seed ${seed}, ${samples.length + corpus.length} samples, ${values.seconds} s`);
const { inputs, slowest, peakMemory, failure } = await fuzz({
  seconds: Number(values.seconds),
  seed,
  samples: [...samples, ...corpus],
});
console.log(
  `${inputs} inputs; slowest: ${slowest.parser}, ${slowest.ms.toFixed(1)} ms for ${slowest.size} octets; memory ${Math.round(peakMemory / 1e6)} MB`,
);
if (failure !== null) {
  mkdirSync(values.folder, { recursive: true });
  const file = join(values.folder, `${seed}-${inputs}-${failure.parser}.bin`);
  writeFileSync(file, failure.input);
  console.error(`${failure.parser}: ${failure.problem}\nThe input is in ${file}`);
  process.exitCode = 1;
}
