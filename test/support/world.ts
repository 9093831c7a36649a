// A whole Veredus but for HTTP and delivery: a database of its own, the real channel and feed, accounts made through
// use-cases, and GraphQL executed in the process. Disposing it checks that nothing was left open.
import { execute as run, type ExecutionResult, GraphQLError, parse, subscribe as follow, validate } from 'graphql';
import { connectDatabase, type Database } from '#/db/client.ts';
import { ensurePartitions } from '#/db/partitions.ts';
import { type SystemScope, systemScope } from '#/db/scope.ts';
import type { Actor } from '#/domain/actor.ts';
import type { Person } from '#/domain/person.ts';
import { type AccountRole, type ServerLevel, type ServerTokenScope, serverTokenScopes } from '#/domain/permissions.ts';
import { createChannel } from '#/events/channel.ts';
import { createFeed, type RunningFeed } from '#/events/feed.ts';
import { readHorizon } from '#/events/log.ts';
import type { Caller } from '#/resolvers/define.ts';
import type { Deps } from '#/resolvers/deps.ts';
import { createSendingProfiles } from '#/resolvers/emails/sending-profiles.ts';
import { bootstrap } from '#/resolvers/installation/bootstrap.ts';
import { createServer } from '#/resolvers/servers/create-server.ts';
import type { SystemMail, SystemMailText } from '#/resolvers/system-mail/system-mail.ts';
import { systemClock } from '#/runtime/clock.ts';
import { createBackground } from '#/runtime/background.ts';
import { createDns } from '#/runtime/dns.ts';
import { createHttpClient } from '#/runtime/http-client.ts';
import { createIds } from '#/runtime/ids.ts';
import type { Clock, Dns, Log } from '#/runtime/ports.ts';
import { systemRandom } from '#/runtime/random.ts';
import { createSecretBox } from '#/runtime/secret-box.ts';
import { createContext, schema } from '#/schema/index.ts';
import { createDatabase } from './postgres.ts';
import { findPerson, makePerson, makeStaff } from './people.ts';
import { silentLog } from './silent-log.ts';
import { cheapPasswords } from './passwords.ts';
import { verifyDomain } from './verified-domain.ts';
import { testSecretKey } from './secret-key.ts';

export interface TestAccount {
  readonly accountId: string;
  /** In sandbox mode; with the default streams. */
  readonly serverId: string;
  /** On which this account may send. */
  readonly domain: string;
  /** A token of the account. */
  readonly manager: Actor;
  /** A token of `serverId` with all scopes unless some are named. */
  token(scopes?: readonly ServerTokenScope[], bound?: { serverId?: string; streamId?: string }): Actor;
  /** One more server of the account. */
  server(name: string): Promise<string>;
}

export interface Answer {
  /** What was asked for is known where it is asked. */
  readonly data: any;
  readonly errors: readonly { readonly code: string; readonly message: string; readonly path: string }[];
}

export interface World extends AsyncDisposable {
  readonly deps: Deps;
  readonly db: Database;
  readonly feed: RunningFeed;
  readonly system: SystemScope;
  /** What the installation itself has sent. */
  readonly mails: readonly SystemMailText[];
  /** Statements that were sent so far, by whomever. */
  readonly queries: number;
  /** Its domain is verified unless said. */
  account(options?: { readonly verifiedDomain?: boolean }): Promise<TestAccount>;
  execute(
    document: string,
    variables?: Readonly<Record<string, unknown>>,
    asker?: Actor | Person | null,
  ): Promise<Answer>;
  /** Throws what the subscription was refused with. */
  subscribe(
    document: string,
    variables: Readonly<Record<string, unknown>>,
    asker: Actor | Person | null,
  ): Promise<Followed>;
  /** Somebody who is signed in, and a member of an account where one is named. */
  person(options?: PersonOptions): Promise<Person>;
  /** One of the installation's staff, whom the account lets look. */
  staff(options: { readonly account: TestAccount; readonly complianceReview?: boolean }): Promise<Person>;
  /** The same person as they would be found to be by their next request. */
  again(person: Person): Promise<Person>;
  /** Resolves when the log shows all that was committed so far: also to those who begin to follow it now. */
  logIsComplete(): Promise<void>;
  /** Rows of a table. */
  count(
    table: 'messages' | 'recipients' | 'events' | 'deliveryQueue' | 'idempotencyKeys' | 'auditLog',
  ): Promise<number>;
}

export interface PersonOptions {
  readonly account?: TestAccount;
  /** MEMBER unless said; the owner that the account has makes room for another. */
  readonly role?: AccountRole;
  readonly grants?: Readonly<Record<string, ServerLevel>>;
  /** The second factor is still to be shown. */
  readonly halfSignedIn?: boolean;
  readonly secondFactor?: boolean;
  /** Who they are was proved a moment ago; true unless said. */
  readonly proved?: boolean;
  readonly staff?: boolean;
  readonly email?: string;
  readonly passwordHash?: string;
}

export interface Followed {
  next(): Promise<Answer>;
  end(): Promise<void>;
}

export function callerOf(actor: Actor): Caller {
  return { actor, requestId: 'test', ipAddress: '192.0.2.1' };
}

export interface WorldOptions {
  readonly clock?: Clock;
  readonly dns?: Dns;
  /** For calls to where customers say. */
  readonly allowPrivateNetworks?: boolean;
  /** Takes the place of the mails' list. */
  systemMail?(system: SystemScope): SystemMail;
  readonly log?: Log;
  /** Strangers may make accounts. */
  readonly signUp?: boolean;
}

export async function world(options: WorldOptions = {}): Promise<World> {
  const stack = new AsyncDisposableStack();
  const database = stack.use(await createDatabase(options.clock?.now()));
  const { connectionString } = database;
  const connection = stack.use(connectDatabase({ connectionString, maxConnections: 6 }));
  let queries = 0;
  const db = connection.db.withPlugin({
    transformQuery({ node }) {
      queries++;
      return node;
    },
    transformResult: async ({ result }) => result,
  });
  const clock = options.clock ?? systemClock;
  if (options.clock !== undefined) await ensurePartitions(connection.db, clock.now(), [45]);
  // Its pauses are those of the network: a clock that stands still would hold notifications back.
  const channel = stack.use(createChannel({ connectionString, clock: systemClock, log: silentLog }));
  const feed = stack.use(createFeed({ db, channel, clock, log: silentLog }));
  stack.defer(() => {
    if (feed.size > 0) throw new Error(`${feed.size} subscriptions were left open`);
  });
  const ids = createIds(clock, systemRandom);
  const profiles = createSendingProfiles({ db, clock, channel });
  const mails: SystemMailText[] = [];
  const system = systemScope(db);
  // Nobody answers there: a test that needs DNS brings its own.
  const dns = options.dns ?? createDns({ servers: ['127.0.0.1:1'], timeoutMs: 50, clock });
  const http = stack.use(
    createHttpClient({
      dns,
      clock: systemClock,
      allowPrivateNetworks: options.allowPrivateNetworks ?? false,
      timeoutMs: 1_000,
    }),
  );
  const deps: Deps = {
    db,
    system,
    passwords: cheapPasswords,
    clock,
    ids,
    random: systemRandom,
    log: options.log ?? silentLog,
    channel,
    feed,
    profiles,
    dns,
    http,
    secrets: createSecretBox([testSecretKey], systemRandom),
    systemMail: options.systemMail?.(system) ?? { send: async (_deps, mail) => void mails.push(mail) },
    returnPathSecret: Buffer.alloc(32, 7),
    mailHost: 'mail.veredus.example',
    publicUrl: 'https://veredus.example',
    background: stack.use(createBackground(silentLog)),
    signUp: options.signUp ?? false,
  };
  let accounts = 0;

  /**
   * The log shows an event once all older transactions of the whole PostgreSQL server have ended, those of tests beside
   * this one included: some milliseconds after the commit that wrote it.
   */
  const logIsComplete = async (): Promise<void> => {
    for (;;) {
      const newest = await connection.db
        .selectFrom('events')
        .select(({ fn }) => fn.max('logXact').as('xact'))
        .executeTakeFirstOrThrow();
      if (newest.xact === null || (await readHorizon(connection.db)).xact > newest.xact) return;
      await systemClock.sleep(2);
    }
  };

  const contextOf = (asker: Actor | Person | null) =>
    createContext(deps, asker === null ? null : 'actors' in asker ? { person: asker } : { actor: asker }, {
      requestId: 'test',
      ipAddress: '192.0.2.1',
      userAgent: 'test',
      cookies: null,
      signal: new AbortController().signal,
    });

  return {
    deps,
    db,
    feed,
    mails,
    system,
    get queries() {
      return queries;
    },
    async account({ verifiedDomain = true } = {}) {
      const name = `Account ${++accounts}`;
      const domain = `a${accounts}.example`;
      const { accountId, serverId } = await bootstrap(
        { ...deps, system },
        {
          account: name,
          ownerEmail: `owner@${domain}`,
          ownerPasswordHash: null,
          server: 'Main',
          delivery: 'SANDBOX',
          verifiedDomains: [],
        },
      );
      if (verifiedDomain) await verifyDomain(deps, accountId, domain);
      const rows = await db.selectFrom('apiTokens').select(['id', 'kind']).where('accountId', '=', accountId).execute();
      const tokenOf = (kind: 'SERVER' | 'ACCOUNT') => rows.find((row) => row.kind === kind)?.id ?? ids.next();
      const manager: Actor = { kind: 'ACCOUNT_TOKEN', accountId, tokenId: tokenOf('ACCOUNT'), label: 'vra_…test' };
      return {
        accountId,
        serverId,
        domain,
        manager,
        token: (scopes = serverTokenScopes, bound = {}) => ({
          kind: 'SERVER_TOKEN',
          accountId,
          serverId: bound.serverId ?? serverId,
          streamId: bound.streamId ?? null,
          tokenId: tokenOf('SERVER'),
          label: 'vrt_…test',
          scopes: new Set(scopes),
        }),
        async server(serverName) {
          const input = {
            accountId,
            name: serverName,
            color: null,
            deliveryType: null,
            trackOpens: null,
            trackLinks: null,
          };
          return (await createServer(deps, callerOf(manager), input)).id;
        },
      };
    },
    async execute(document, variables = {}, actor = null) {
      const parsed = parse(document);
      const faults = validate(schema, parsed);
      if (faults[0] !== undefined) throw faults[0];
      if (document.includes('events(')) await logIsComplete();
      return answerOf(
        await run({ schema, document: parsed, variableValues: variables, contextValue: contextOf(actor) }),
      );
    },
    async subscribe(document, variables, actor) {
      const source = await follow({
        schema,
        document: parse(document),
        variableValues: variables,
        contextValue: contextOf(actor),
      });
      if (!(Symbol.asyncIterator in source)) {
        const cause = source.errors?.[0]?.cause;
        throw cause instanceof Error ? cause : new Error('no stream');
      }
      const results = source[Symbol.asyncIterator]();
      return {
        async next() {
          const { done, value } = await results.next();
          if (done === true) throw new Error('the stream has ended');
          return answerOf(value);
        },
        async end() {
          await results.return?.();
        },
      };
    },
    logIsComplete,
    person: (personOptions = {}) => makePerson(deps, personOptions),
    staff: (staffOptions) => makeStaff(deps, staffOptions),
    async again(person) {
      const found = await findPerson(deps, person.session.id);
      if (found === null) throw new Error('the session has ended');
      return found;
    },
    async count(table) {
      const { rows } = await db
        .selectFrom(table)
        .select(({ fn }) => fn.countAll<number>().as('rows'))
        .executeTakeFirstOrThrow();
      return rows;
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

function answerOf({ data, errors }: ExecutionResult): Answer {
  return {
    data,
    errors: (errors ?? []).map((error) => ({
      code: codeOf(error),
      message: error.message,
      path: error.path?.join('.') ?? '',
    })),
  };
}

/** As http gives it to clients; the text of a defect is of use to who reads a failed test. */
function codeOf(error: GraphQLError): string {
  let cause: Error = error;
  while (cause instanceof GraphQLError && cause.cause instanceof Error) cause = cause.cause;
  if ('code' in cause && typeof cause.code === 'string') return cause.code;
  return cause instanceof GraphQLError ? 'BAD_USER_INPUT' : `INTERNAL: ${cause.stack}`;
}
