// The fences of the house: which room may know which, which package and which word of the language belongs where.
// A new room or package is entered in a table here, and so is decided on and not drifted into. CONTRIBUTING.md tells why.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readSources, root, type Source } from './sources.ts';

const sources = readSources('src/**/*.ts');

/** What a room may import besides itself: rooms (`db`), or single files (`runtime/ports.ts`). `*`: everything. */
const rooms: Readonly<Record<string, readonly string[]>> = {
  domain: [],
  mail: ['domain'],
  runtime: ['domain'],
  db: ['domain'],
  events: ['domain', 'db', 'runtime/ports.ts'],
  resolvers: ['domain', 'mail', 'db', 'events', 'runtime/ports.ts'],
  // Reads of db need a ReadScope, and only an authenticated context carries one.
  schema: ['domain', 'resolvers', 'db'],
  http: ['domain', 'schema', 'resolvers', 'events', 'runtime/ports.ts', 'runtime/config.ts'],
  smtp: ['domain', 'mail', 'resolvers', 'runtime/ports.ts'],
  delivery: ['domain', 'mail', 'db', 'events', 'runtime/ports.ts'],
  webhooks: ['domain', 'db', 'events', 'runtime/ports.ts'],
  // Checks of domains are the use-case's, and warn by the installation's mail.
  // events: counters are made of the log, and proved by it.
  maintenance: ['domain', 'db', 'events', 'resolvers', 'runtime/ports.ts'],
  'app.ts': ['*'],
  'base.ts': ['db', 'events', 'runtime'],
  'app-metrics.ts': ['*'],
  'app-outbound-tls.ts': ['*'],
  // mail: inspect shows what is read out of a message, without a database.
  cli: ['app.ts', 'base.ts', 'domain', 'db', 'http', 'mail', 'maintenance', 'resolvers', 'runtime'],
  'main.ts': ['cli', 'domain/errors.ts', 'runtime/config.ts'],
};

/** Where a package may be imported: rooms, files or beginnings of their paths. */
const packages: Readonly<Record<string, readonly string[]>> = {
  kysely: ['db/', 'events/'],
  // The embedded server is ready when a client gets an answer.
  pg: ['db/', 'events/', 'runtime/embedded-postgres'],
  graphql: ['schema/', 'http/'],
  '@pothos/': ['schema/', 'http/'],
  dataloader: ['schema/'],
  'graphql-yoga': ['http/'],
  '@graphql-yoga/': ['http/'],
  'graphql-ws': ['http/'],
  ws: ['http/'],
  nodemailer: ['mail/'],
  'smtp-server': ['smtp/protocol/', 'smtp/submission/', 'smtp/inbound/'],
  mailauth: ['smtp/authentication/'],
  yauzl: ['mail/reports/'],
  zod: ['domain/', 'resolvers/', 'runtime/config.ts', 'runtime/setting-kinds.ts'],
  argon2: ['runtime/password-hash'],
  '@zxcvbn-ts/': ['domain/password/'],
  pino: ['runtime/log.ts'],
  // Metrics of all processes are gathered by the one that started them.
  'prom-client': ['http/', 'cli/', 'app.ts', 'app-metrics.ts'],
  tldts: ['domain/sender-identity/'],
  otpauth: ['resolvers/second-factor/'],
  uqr: ['resolvers/second-factor/'],
  '@simplewebauthn/server': ['resolvers/second-factor/'],
  'ipaddr.js': [
    'runtime/reverse-names.ts',
    'http/',
    'domain/public-address.ts',
    'domain/webhooks/',
    'resolvers/tokens/',
    'runtime/setting-values.ts',
  ],
  // DANE needs to see whether an answer is secure, which node's resolver does not tell.
  'dns-packet': ['runtime/dns-query.ts', 'runtime/mx-lookup.ts', 'runtime/secure-dns.ts'],
  undici: ['runtime/http-client.ts', 'runtime/policy-fetcher.ts'],
};

/** Doors to the machine. Those that are not named are open to all: they compute. */
const builtins: Readonly<Record<string, readonly string[]>> = {
  // isIP, which only reads text, is all that these take.
  'node:net': ['runtime/', 'http/', 'delivery/route.ts', 'delivery/families.ts', 'domain/delivery/transport-input.ts'],
  'node:tls': ['runtime/', 'http/'],
  'node:http': ['runtime/', 'http/'],
  'node:https': ['runtime/', 'http/'],
  'node:dns': ['runtime/'],
  'node:fs': ['runtime/', 'http/server.ts', 'cli/'],
  'node:child_process': ['runtime/'],
  'node:cluster': ['cli/'],
  'node:timers': ['runtime/'],
  'node:os': ['runtime/'],
};

/** Words that are bound to a place: time, chance and environment come in through src/runtime/ports.ts. */
const words: readonly { readonly what: string; readonly word: RegExp; readonly allowed: readonly string[] }[] = [
  { what: 'the environment', word: /\bprocess\.env\b/, allowed: ['runtime/environment.ts'] },
  { what: 'the time', word: /\bDate\.now\b|\bnew Date\(\)|\bperformance\.now\b/, allowed: ['runtime/'] },
  {
    what: 'a timer',
    word: /\bset(?:Timeout|Interval)\(|\bAbortSignal\.timeout\b/,
    allowed: ['runtime/'],
  },
  {
    what: 'chance',
    word: /\bMath\.random\b|\b(?:randomBytes|randomInt|randomUUID|randomFill(?:Sync)?|getRandomValues)\b/,
    allowed: ['runtime/'],
  },
  {
    what: 'a cast to a scope',
    word: /\bas\s+(?:unknown\s+as\s+)?(?:Read|Write|System|SystemWrite)Scope\b/,
    allowed: ['db/scope.ts'],
  },
  // `command` opens the transaction of a use-case; nobody else may.
  {
    what: 'a write scope',
    word: /\bwriteInScope\(/,
    allowed: ['db/scope.ts', 'resolvers/define.ts', 'resolvers/staff-access/record-look.ts'],
  },
  { what: 'the scope of the installation', word: /\bsystemScope\(/, allowed: ['db/scope.ts', 'base.ts'] },
  {
    what: 'a write scope of the installation',
    word: /\b(?:writeInSystemScope|writeStatement)\(/,
    allowed: [
      'db/scope.ts',
      'delivery/',
      'webhooks/',
      'maintenance/',
      'resolvers/installation/',
      'resolvers/define-personal.ts',
      // Mail has no caller: what an address names decides whose it is.
      'resolvers/incoming/',
      // Nor has a file: its link proves what it is for.
      'resolvers/suppressions/receive-suppression-file.ts',
      'cli/',
    ],
  },
  {
    what: 'a read scope',
    word: /\breadScope\(/,
    allowed: ['db/scope.ts', 'resolvers/define.ts', 'resolvers/emails/sending-profiles.ts', 'schema/context.ts'],
  },
  { what: 'the terminal', word: /\bconsole\./, allowed: ['cli/', 'main.ts'] },
  { what: 'the end of the process', word: /\bprocess\.exit(?:Code)?\b/, allowed: ['cli/', 'main.ts'] },
  { what: 'a default export', word: /^export default\b/m, allowed: [] },
];

const MAX_LINES = 400;
const MAX_TEST_LINES = 700;
const FORBIDDEN_NAME = /(?:^|[/-])(?:utils?|helpers?|services?|managers?|misc|common)(?=[.-])/;
const KEBAB = /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.(?:test|gen|d|graphql))?\.ts$/;

const roomOf = (target: string) => target.split('/')[0] ?? target;
const within = (target: string, places: readonly string[]) =>
  places.some((place) => (place.endsWith('.ts') ? target === place : target.startsWith(place)));
const inSrc = ({ path }: Source) => path.slice('src/'.length);

function longestMatch(table: Readonly<Record<string, readonly string[]>>, specifier: string) {
  return Object.keys(table).find((name) =>
    name.endsWith('/') ? specifier.startsWith(name) : specifier === name || specifier.startsWith(`${name}/`),
  );
}

describe('rooms', () => {
  test('each is in the table', () => {
    const unknown = new Set(sources.map((source) => roomOf(inSrc(source))).filter((room) => !(room in rooms)));
    expect([...unknown]).toEqual([]);
  });

  test('import only what they may know', () => {
    const breaks = sources.flatMap((source) => {
      const from = roomOf(inSrc(source));
      const may = rooms[from] ?? [];
      return source.imports.flatMap(({ target }) => {
        if (target === null || may.includes('*') || roomOf(target) === from) return [];
        return may.includes(roomOf(target)) || may.includes(target) ? [] : [`${source.path} imports ${target}`];
      });
    });
    expect(breaks).toEqual([]);
  });

  test('imports stay inside src', () => {
    const outside = sources.flatMap(({ path, imports }) =>
      imports
        .filter(({ target }) => target?.startsWith('..') === true || target?.includes('/../') === true)
        .map(({ specifier }) => `${path}: ${specifier}`),
    );
    expect(outside).toEqual([]);
  });

  test('all but schema, http, cli and the composition compile without those', { timeout: 60_000 }, () => {
    const tsc = join(root, 'node_modules/.bin/tsc');
    const listed = execFileSync(process.execPath, [tsc, '-p', join(root, 'tsconfig.core.json'), '--listFilesOnly'], {
      encoding: 'utf8',
    });
    const ours = listed
      .split('\n')
      .flatMap((line) => (line.startsWith(join(root, 'src/')) ? [line.slice(root.length + 5)] : []));
    expect(ours.length).toBeGreaterThan(50);
    expect(ours.filter((path) => ['schema', 'http', 'cli', 'app.ts', 'main.ts'].includes(roomOf(path)))).toEqual([]);
  });
});

describe('packages', () => {
  test('stay where they belong', () => {
    const breaks = sources.flatMap((source) =>
      source.imports.flatMap(({ specifier, target }) => {
        if (target !== null || specifier.startsWith('node:')) return [];
        const name = longestMatch(packages, specifier);
        if (name === undefined) return [`${source.path} imports ${specifier}, which is not in the table`];
        return within(inSrc(source), packages[name] ?? []) ? [] : [`${source.path} imports ${specifier}`];
      }),
    );
    expect(breaks).toEqual([]);
  });

  test('doors to the machine are opened in few places', () => {
    const breaks = sources.flatMap((source) =>
      source.imports.flatMap(({ specifier }) => {
        const name = specifier.startsWith('node:') ? longestMatch(builtins, specifier) : undefined;
        return name === undefined || within(inSrc(source), builtins[name] ?? [])
          ? []
          : [`${source.path} imports ${specifier}`];
      }),
    );
    expect(breaks).toEqual([]);
  });
});

test.each(words)('$what has its place', ({ word, allowed }) => {
  const breaks = sources.filter((source) => word.test(source.code) && !within(inSrc(source), allowed));
  expect(breaks.map(({ path }) => path)).toEqual([]);
});

describe('files', () => {
  const all = [...sources, ...readSources('{test,tools,bench}/**/*.ts')].filter(
    ({ path }) => !path.startsWith('test/gql/'),
  );

  test('say in their first line what they are for', () => {
    expect(sources.filter(({ text }) => !/^\/\/ \S/.test(text)).map(({ path }) => path)).toEqual([]);
  });

  test('stay small', () => {
    const long = all.filter(({ path, text }) => {
      if (path.startsWith('src/db/migrations/') || path.endsWith('.gen.ts')) return false;
      return text.trimEnd().split('\n').length > (path.startsWith('test/') ? MAX_TEST_LINES : MAX_LINES);
    });
    expect(long.map(({ path }) => path)).toEqual([]);
  });

  test('are named for what they hold', () => {
    const wrong = all.filter(({ path }) => FORBIDDEN_NAME.test(path) || !KEBAB.test(path.split('/').at(-1) ?? ''));
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });
});
