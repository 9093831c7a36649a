// A world with webhooks that are really called: a sandbox server whose events a test makes, and as many workers as it wants.
import { writeInSystemScope } from '#/db/scope.ts';
import type { Actor } from '#/domain/actor.ts';
import type { Person } from '#/domain/person.ts';
import { encodeId } from '#/domain/ids.ts';
import { append } from '#/events/append.ts';
import type { NewEvent } from '#/events/catalogue.ts';
import { createFeed } from '#/events/feed.ts';
import { systemClock } from '#/runtime/clock.ts';
import { createHttpClient } from '#/runtime/http-client.ts';
import type { Clock, Dns } from '#/runtime/ports.ts';
import { startWebhooks, type WebhookWorker } from '#/webhooks/worker.ts';
import { silentLog } from './silent-log.ts';
import { type TestAccount, type World, world } from './world.ts';

export interface WebhookWorld extends AsyncDisposable {
  readonly w: World;
  readonly a: TestAccount;
  start(options?: {
    readonly leaseMs?: number;
    readonly clock?: Clock;
    readonly timeoutMs?: number;
    readonly maxCalls?: number;
  }): Promise<WebhookWorker>;
  /** Calls of all workers that have no answer yet. */
  readonly calling: number;
  /** Answers the id of the webhook, and throws when there is none. */
  create(
    url: string,
    more?: Readonly<Record<string, unknown>>,
  ): Promise<{ readonly id: string; readonly secret: string }>;
  /** Public ids of events that happen now, in one transaction; ACCEPTED unless said. */
  happen(count: number, more?: Partial<NewEvent>): Promise<readonly string[]>;
  /** What the webhook's owner sees. */
  look(id: string): Promise<any>;
  /** By the id of their event, oldest first. */
  deliveries(id: string): Promise<readonly any[]>;
  mutate(name: string, input: object, asker?: Actor | Person): Promise<any>;
}

const SELECTIONS: Readonly<Record<string, string>> = {
  createWebhook: '... on IssuedWebhook { secret webhook { id url health publicKey } }',
  updateWebhook: '... on Webhook { id enabled health url headerNames hasBasicAuth }',
  rotateWebhookSecret: '... on IssuedWebhook { secret webhook { id previousSecretUntil } }',
  deleteWebhook: '... on Deleted { id }',
  replayWebhook: '... on WebhookReplay { deliveries }',
  testWebhook:
    '... on WebhookTest { passed webhook { health } calls { event passed status error latencyMs responseHead } }',
  retryWebhookDelivery: '... on WebhookDelivery { id state attempts }',
};
const ISSUES = '... on InvalidInput { issues { path message } }';
const STATUS = '... on WebhookUnreachable { status }';
/** Fields of errors that not all of them may fail with. */
const ERRORS: Readonly<Record<string, string>> = {
  createWebhook: `${ISSUES} ${STATUS}`,
  updateWebhook: `${ISSUES} ${STATUS}`,
  rotateWebhookSecret: ISSUES,
  replayWebhook: ISSUES,
  testWebhook: ISSUES,
};

const LOOK = `query ($id: ID!) { node(id: $id) { ... on Webhook {
  id url events streams enabled health headerNames hasBasicAuth publicKey previousSecretUntil verifiedAt lastSuccessAt
  failingSince pausedAt } } }`;
const DELIVERIES = `query ($id: ID!, $after: String) { node(id: $id) { ... on Webhook {
  deliveries(first: 100, after: $after) { pageInfo { hasNextPage endCursor } edges { node { id eventId eventType state replayed attempts
  lastAttemptAt nextAttemptAt lastStatus lastError lastLatencyMs responseHead } } } } } }`;

export async function webhookWorld(
  options: { readonly clock?: Clock; readonly dns?: Dns; readonly allowPrivateNetworks?: boolean } = {},
): Promise<WebhookWorld> {
  await using stack = new AsyncDisposableStack();
  const { allowPrivateNetworks = true } = options;
  const w = stack.use(await world({ ...options, allowPrivateNetworks }));
  const a = await w.account();
  const { deps, db } = w;
  const clock = options.clock ?? systemClock;
  const stream = await db
    .selectFrom('messageStreams')
    .selectAll()
    .where('slug', '=', 'outbound')
    .executeTakeFirstOrThrow();
  const caller = { current: a.token() as Actor | Person };
  const workers: WebhookWorker[] = [];
  const everything = stack.move();

  const mutate: WebhookWorld['mutate'] = async (name, input, asker = caller.current) => {
    const type = `${name.charAt(0).toUpperCase()}${name.slice(1)}Input`;
    const inputType =
      {
        DeleteWebhookInput: 'IdInput',
        RetryWebhookDeliveryInput: 'IdInput',
        RotateWebhookSecretInput: 'RotateTokenInput',
      }[type] ?? type;
    const document = `mutation ($input: ${inputType}!) { ${name}(input: $input) { __typename ... on Error { code message } ${SELECTIONS[name]} ${ERRORS[name] ?? ''} } }`;
    const { data, errors } = await w.execute(document, { input }, asker);
    return errors[0] ?? data[name];
  };

  return {
    w,
    a,
    mutate,
    get calling() {
      return workers.reduce((sum, { calling }) => sum + calling, 0);
    },
    async start({ leaseMs, clock: own = clock, timeoutMs = 1_000, maxCalls } = {}) {
      // Its pauses are real: it waits for transactions of other tests on the same server, which no hand moves.
      const feedClock: Clock = { ...systemClock, now: () => own.now() };
      const feed = everything.use(createFeed({ db, channel: deps.channel, clock: feedClock, log: silentLog }));
      const dns = options.dns ?? deps.dns;
      const http = everything.use(createHttpClient({ dns, clock: systemClock, allowPrivateNetworks, timeoutMs }));
      const worker = startWebhooks({
        ...deps,
        clock: own,
        feed,
        http,
        ...(leaseMs === undefined ? {} : { leaseMs }),
        ...(maxCalls === undefined ? {} : { maxCalls }),
      });
      workers.push(worker);
      return everything.use(worker);
    },
    async create(url, more = {}) {
      // What happened before is not for it, and would be if the log showed it only afterwards.
      await w.logIsComplete();
      const input = { serverId: encodeId('server', a.serverId), url, events: ['ACCEPTED'], ...more };
      const made = await mutate('createWebhook', input);
      if (made.__typename !== 'IssuedWebhook') throw new Error(`no webhook: ${JSON.stringify(made)}`);
      return { id: made.webhook.id, secret: made.secret };
    },
    async happen(count, more = {}) {
      const { accountId, serverId } = a;
      // A message's bucket is what its events go by; the partitions are those of the default retention.
      const bucket = Math.floor((clock.now().getTime() + 45 * 86_400_000) / (7 * 86_400_000));
      const about = { accountId, serverId, streamId: stream.id, recipient: 'ann@r.example', tag: null, metadata: null };
      const events = Array.from({ length: count }, () => ({
        ...about,
        id: deps.ids.next(),
        messageId: deps.ids.nextInBucket(bucket),
        type: 'ACCEPTED',
        data: null,
        ...more,
      }));
      await writeInSystemScope(w.system, clock.now(), (scope) => append(scope, events as NewEvent[]));
      deps.channel.nudge('events');
      return events.map(({ id }) => encodeId('event', id));
    },
    look: async (id) => (await w.execute(LOOK, { id }, caller.current)).data.node,
    async deliveries(id) {
      const all: any[] = [];
      for (let after: string | null = null; ; ) {
        const { data }: { data: any } = await w.execute(DELIVERIES, { id, after }, caller.current);
        const page = data.node.deliveries;
        all.push(...page.edges.map((edge: any) => edge.node));
        if (!page.pageInfo.hasNextPage) return all.toReversed();
        after = page.pageInfo.endCursor;
      }
    },
    [Symbol.asyncDispose]: () => everything.disposeAsync(),
  };
}

/** Looks every few milliseconds: what it waits for goes over sockets and through PostgreSQL. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what = 'it',
  timeoutMs = 20_000,
): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`${what} did not come to be in ${timeoutMs} ms`);
    await systemClock.sleep(5);
  }
}
