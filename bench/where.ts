// `node bench/where.ts DIR`: sums up the CPU profiles that `npm run bench -- … --profile DIR` leaves, by what the time was
// spent for. A sample counts for the innermost of these functions in its stack. Loading of modules is left out.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

interface Node {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string };
  readonly children?: readonly number[];
}

interface Profile {
  readonly nodes: readonly Node[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** In the order in which they are asked of each frame. */
const purposes: readonly (readonly [string, RegExp])[] = [
  ['(not counted)', /^\((?:idle|program)\)| node:internal\/(?:modules|main|bootstrap)|amaro|wasm:/],
  ['garbage collection', /^\(garbage collector\)/],
  ['composing', / .*\/src\/mail\/(?:compose|quoted|base64|header-field|feedback|message-identity)| .*nodemailer/],
  ['signing', / .*\/src\/mail\/dkim\//],
  ['content: JSON and zstd', / .*\/src\/mail\/content/],
  ['SMTP client', / .*\/src\/runtime\/smtp-client\//],
  [
    'database: statements and answers',
    / .*(?:\/node_modules\/(?:kysely|pg|pg-pool|pg-protocol|pg-types)\/|\/src\/db\/)/,
  ],
  ['HTTP and GraphQL', / .*(?:\/src\/(?:http|schema)\/|\/node_modules\/(?:graphql|@pothos|@graphql))/],
  ['use-cases of acceptance', / .*\/src\/(?:resolvers|domain)\//],
  ['delivery: claims, pools, outcomes', / .*\/src\/(?:delivery|events)\//],
];

/** Milliseconds. */
export function whereTimeGoes(profile: Profile): Map<string, number> {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const parents = new Map(profile.nodes.flatMap(({ id, children }) => (children ?? []).map((child) => [child, id])));
  const purposeOf = (id: number): string => {
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
      const frame = nodes.get(at)?.callFrame;
      const name = `${frame?.functionName ?? ''} ${frame?.url ?? ''}`;
      const purpose = purposes.find(([, pattern]) => pattern.test(name))?.[0];
      if (purpose !== undefined) return purpose;
    }
    return 'event loop, sockets and the rest';
  };
  const known = new Map<number, string>();
  const sums = new Map<string, number>();
  profile.samples.forEach((id, index) => {
    let purpose = known.get(id);
    if (purpose === undefined) known.set(id, (purpose = purposeOf(id)));
    sums.set(purpose, (sums.get(purpose) ?? 0) + (profile.timeDeltas[index] ?? 0) / 1_000);
  });
  sums.delete('(not counted)');
  return sums;
}

const [folder] = process.argv.slice(2);
if (folder !== undefined) {
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.cpuprofile'))) {
    const sums = whereTimeGoes(JSON.parse(readFileSync(join(folder, file), 'utf8')) as Profile);
    const all = [...sums.values()].reduce((sum, ms) => sum + ms, 0);
    console.log(`\n${file}: ${Math.round(all)} ms`);
    for (const [purpose, ms] of [...sums].toSorted(([, a], [, b]) => b - a)) {
      console.log(`${((ms * 100) / all).toFixed(1).padStart(6)} %  ${purpose}`);
    }
  }
}
