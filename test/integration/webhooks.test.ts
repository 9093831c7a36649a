// Webhooks as their owners make and change them, and the calls that go out for what happens.
import { createPublicKey, verify } from 'node:crypto';
import { Webhook as StandardWebhook } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { decodeIdOf, encodeId } from '#/domain/ids.ts';
import { openEndpoint } from '#/domain/webhooks/endpoint.ts';
import { resealSecrets } from '#/maintenance/reseal-secrets.ts';
import type { Dns } from '#/runtime/ports.ts';
import { createSecretBox } from '#/runtime/secret-box.ts';
import type { WebhookWorker } from '#/webhooks/worker.ts';
import { testSecretKey } from '../support/secret-key.ts';
import { silentLog } from '../support/silent-log.ts';
import { startSink, type WebhookSink } from '../support/webhook-sink.ts';
import { until, type WebhookWorld, webhookWorld } from '../support/webhook-world.ts';

let world: WebhookWorld;
let sink: WebhookSink;
let worker: WebhookWorker;

beforeAll(async () => {
  world = await webhookWorld();
  worker = await world.start();
});
afterAll(() => world[Symbol.asyncDispose]());
beforeEach(async () => {
  sink = await startSink();
});
afterEach(() => sink[Symbol.asyncDispose]());

const input = (more: Record<string, unknown> = {}) => ({
  serverId: encodeId('server', world.a.serverId),
  url: sink.url,
  events: ['ACCEPTED'],
  ...more,
});
const create = (more: Record<string, unknown> = {}, asker = world.a.token()) =>
  world.mutate('createWebhook', input(more), asker);
const got = (count: number) => until(() => sink.received.length >= count, `${count} calls`);
/** Commands are obeyed a moment after they are answered: until the worker has let go of the only webhook there is. */
const letGo = () => until(() => worker.held === 0, 'the end of its calls');
/** The server may have 20. */
const remove = (id: string) => world.mutate('deleteWebhook', { id });

describe('making one', () => {
  test('is refused to tokens without the scope, to viewers, to a token of one stream, and to strangers', async () => {
    const { a, w } = world;
    const viewer = await w.person({ account: a, grants: { [a.serverId]: 'VIEWER' } });
    const other = await w.account();
    expect(await create({}, a.token(['EVENTS_READ']))).toMatchObject({ code: 'FORBIDDEN' });
    expect(await world.mutate('createWebhook', input(), viewer)).toMatchObject({ code: 'FORBIDDEN' });
    const streams = await w.db.selectFrom('messageStreams').selectAll().where('serverId', '=', a.serverId).execute();
    const bound = a.token(['WEBHOOKS_WRITE'], { streamId: streams[0]?.id ?? '' });
    expect(await create({}, bound)).toMatchObject({ code: 'FORBIDDEN' });
    expect(await create({}, other.token())).toMatchObject({ code: 'NOT_FOUND' });
    expect(sink.connections).toBe(0);
  });

  test('tells everything that is wrong at once, and calls nobody', async () => {
    const answer = await create({
      url: 'https://u:p@hooks.example/',
      events: [],
      streams: ['nowhere', 'inbound'],
      headers: [
        { name: 'Host', value: 'x' },
        { name: 'Content-Type', value: 'x' },
        { name: 'webhook-id', value: 'x' },
        { name: 'Transfer-Encoding', value: 'x' },
        { name: 'Authorization', value: 'Bearer x' },
        { name: 'X-A', value: 'a\r\nb' },
        { name: 'bad name', value: 'x' },
      ],
      basicAuth: { username: 'a:b', password: 'c' },
    });
    expect(answer.issues.map(({ path }: { path: string[] }) => path.join('.'))).toEqual([
      'events',
      'streams.0',
      'streams.1',
      'headers.0.name',
      'headers.1.name',
      'headers.2.name',
      'headers.3.name',
      'headers.4.name',
      'headers.5.value',
      'headers.6.name',
      'basicAuth.username',
      'url',
    ]);
  });

  test('needs an answer of 2xx to a sample of each event', async () => {
    sink.answer(({ event }) => (event['type'] === 'BOUNCED' ? 404 : 200));
    const refused = await create({ events: ['ACCEPTED', 'BOUNCED', 'CLICKED'] });
    expect(refused).toMatchObject({ code: 'WEBHOOK_UNREACHABLE', status: 404 });
    expect(refused.message).toContain('BOUNCED');
    expect(sink.trials.map(({ event }) => event['type'] as string).toSorted((a, b) => (a < b ? -1 : 1))).toEqual([
      'ACCEPTED',
      'BOUNCED',
      'CLICKED',
    ]);
    sink.answer('reset');
    expect(await create()).toMatchObject({ code: 'WEBHOOK_UNREACHABLE', status: null });
    sink.answer({ status: 302, headers: { location: sink.url } });
    expect(await create()).toMatchObject({ code: 'WEBHOOK_UNREACHABLE', status: 302 });
    sink.answer(204);
    const made = await create({ events: ['ACCEPTED', 'BOUNCED'] });
    expect(made).toMatchObject({ __typename: 'IssuedWebhook', webhook: { health: 'HEALTHY', url: sink.url } });
    expect(made.secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    await remove(made.webhook.id);
  });

  test('a server has at most 20', async () => {
    const { a, w } = world;
    const serverId = encodeId('server', await a.server('Full'));
    const make = () => world.mutate('createWebhook', input({ serverId, skipVerification: true }), a.manager);
    for (let index = 0; index < 20; index++) expect((await make()).__typename).toBe('IssuedWebhook');
    expect(await make()).toMatchObject({ code: 'LIMIT_REACHED' });
    const { data } = await w.execute(
      'query ($id: ID!) { server(id: $id) { webhooks { id } } }',
      { id: serverId },
      a.manager,
    );
    expect(data.server.webhooks).toHaveLength(20);
  });

  test('secrets are not shown again, nor stored in the clear, nor put on record', async () => {
    const { w } = world;
    const made = await create({
      url: `${sink.url}?key=hidden-in-query&b=2`,
      headers: [{ name: 'X-Api-Key', value: 'hidden-in-header' }],
      basicAuth: { username: 'hidden-user', password: 'hidden-password' },
    });
    const seen = await world.look(made.webhook.id);
    expect(seen).toMatchObject({ headerNames: ['X-Api-Key'], hasBasicAuth: true, url: `${sink.url}?key=…&b=…` });
    const rows = await w.db.selectFrom('webhooks').selectAll().execute();
    const audit = await w.db.selectFrom('auditLog').selectAll().execute();
    const text = JSON.stringify([seen, rows, audit], (_key, value) =>
      value?.type === 'Buffer' ? Buffer.from(value.data).toString('latin1') : value,
    );
    for (const secret of ['hidden-in', 'hidden-user', 'hidden-password', made.secret.slice(6)])
      expect(text).not.toContain(secret);
    const [trial] = sink.trials;
    expect(trial?.headers).toMatchObject({
      'x-api-key': 'hidden-in-header',
      authorization: `Basic ${Buffer.from('hidden-user:hidden-password').toString('base64')}`,
    });
    await remove(made.webhook.id);
  });
});

describe('calls', () => {
  test('carry the event as the API shows it, signed so that the library of Standard Webhooks verifies it', async () => {
    const { id, secret } = await world.create(sink.url, { events: ['ACCEPTED', 'BOUNCED'] });
    await world.w.execute(
      'mutation ($input: SendEmailInput!) { sendEmail(input: $input) { __typename } }',
      {
        input: {
          from: `x@${world.a.domain}`,
          to: ['ann@r.example'],
          text: 'x',
          tag: 'welcome',
          metadata: { order: '7' },
        },
      },
      world.a.token(),
    );
    await got(1);
    const [call] = sink.received;
    const event = new StandardWebhook(secret).verify(call?.body ?? '', { ...call?.headers });
    expect(() => new StandardWebhook(secret).verify(`${call?.body} `, { ...call?.headers })).toThrow();
    const { data } = await world.w.execute(
      `{ server { events(first: 1, filter: { tag: "welcome" }) { edges { node { id cursor type occurredAt messageId recipient stream tag metadata } } } } }`,
      {},
      world.a.token(),
    );
    expect(event).toEqual({ ...data.server.events.edges[0].node, serverId: encodeId('server', world.a.serverId) });
    expect(call?.id).toBe(data.server.events.edges[0].node.id);
    await until(async () => (await world.deliveries(id))[0]?.state === 'SUCCEEDED', 'success');
    expect((await world.deliveries(id))[0]).toMatchObject({
      attempts: 1,
      lastStatus: 204,
      lastError: null,
      nextAttemptAt: null,
    });
    await remove(id);
  });

  test('only for the chosen events and streams', async () => {
    const { id } = await world.create(sink.url, { events: ['OPENED'], streams: ['outbound'] });
    const other = await startSink();
    const { id: elsewhere } = await world.create(other.url, { events: ['OPENED'], streams: ['broadcast'] });
    await world.happen(1);
    const [opened] = await world.happen(1, { type: 'OPENED', data: { first: true, machine: false, userAgent: 'X/1' } });
    await got(1);
    expect(sink.received.map((call) => call.id)).toEqual([opened]);
    expect(sink.received[0]?.event).toMatchObject({ first: true, machine: false, userAgent: 'X/1', client: null });
    expect(other.received).toEqual([]);
    await remove(id);
    await remove(elsewhere);
    await other[Symbol.asyncDispose]();
  });

  test('two secrets sign while one is replaced, and then only the new one', async () => {
    const { a, w } = world;
    const { id, secret } = await world.create(sink.url);
    const admin = await w.person({ account: a, role: 'ADMIN', proved: false });
    expect(await world.mutate('rotateWebhookSecret', { id }, admin)).toMatchObject({ code: 'STEP_UP_REQUIRED' });
    expect(await world.mutate('rotateWebhookSecret', { id, overlapSeconds: -1 })).toMatchObject({
      code: 'INVALID_INPUT',
    });
    const rotated = await world.mutate('rotateWebhookSecret', { id, overlapSeconds: 3_600 });
    expect(rotated.webhook.previousSecretUntil).not.toBeNull();
    const verifies = (call: (typeof sink.received)[number] | undefined, key: string) => {
      try {
        return new StandardWebhook(key).verify(call?.body ?? '', { ...call?.headers }) !== null;
      } catch {
        return false;
      }
    };
    await until(async () => {
      await world.happen(1);
      return (sink.received.at(-1)?.headers['webhook-signature'] ?? '').split(' ').length === 2;
    }, 'two signatures');
    expect(verifies(sink.received.at(-1), secret)).toBe(true);
    expect(verifies(sink.received.at(-1), rotated.secret)).toBe(true);

    const again = await world.mutate('rotateWebhookSecret', { id, overlapSeconds: 0 });
    await until(async () => {
      await world.happen(1);
      return verifies(sink.received.at(-1), again.secret);
    }, 'the newest secret');
    expect(verifies(sink.received.at(-1), rotated.secret)).toBe(false);
    expect(verifies(sink.received.at(-1), secret)).toBe(false);
    await remove(id);
  });

  test('Ed25519 signs beside, for whoever has the public key', async () => {
    const made = await create({ ed25519: true });
    await world.happen(1);
    await got(1);
    const [call] = sink.received;
    const signatures = (call?.headers['webhook-signature'] ?? '').split(' ');
    expect(signatures.map((text) => text.split(',')[0])).toEqual(['v1', 'v1a']);
    const raw = Buffer.from(made.webhook.publicKey.slice('whpk_'.length), 'base64');
    const key = createPublicKey({
      key: { kty: 'OKP', crv: 'Ed25519', x: raw.toString('base64url') },
      format: 'jwk',
    });
    const signed = Buffer.from(`${call?.id}.${call?.headers['webhook-timestamp']}.${call?.body}`);
    expect(verify(null, signed, key, Buffer.from(signatures[1]?.slice(4) ?? '', 'base64'))).toBe(true);
    expect(() => new StandardWebhook(made.secret).verify(call?.body ?? '', { ...call?.headers })).not.toThrow();
    await remove(made.webhook.id);
  });

  test('bounces come with what the API shows of them', async () => {
    const { id } = await world.create(sink.url, { events: ['BOUNCED'] });
    const bucket = Math.floor((world.w.deps.clock.now().getTime() + 45 * 86_400_000) / (7 * 86_400_000));
    const bounceId = world.w.deps.ids.nextInBucket(bucket);
    const streams = await world.w.db.selectFrom('messageStreams').selectAll().where('slug', '=', 'outbound').execute();
    await world.w.db
      .insertInto('bounces')
      .values({
        bucket,
        accountId: world.a.accountId,
        id: bounceId,
        serverId: world.a.serverId,
        streamId: streams[0]?.id ?? '',
        type: 'HARD_BOUNCE',
        address: 'ann@r.example',
        addressKey: 'ann@r.example',
        occurredAt: world.w.deps.clock.now(),
        smtpCode: 550,
        enhancedCode: '5.1.1',
        details: 'No such mailbox',
      })
      .execute();
    await world.happen(1, { type: 'BOUNCED', data: { bounceId, bounceType: 'HARD_BOUNCE', failed: true } });
    await got(1);
    const fields =
      'id type typeCode address occurredAt smtpCode enhancedCode details description inactive canReactivate messageId';
    const { data } = await world.w.execute(
      `query ($id: ID!) { node(id: $id) { ... on Bounce { ${fields} } } }`,
      { id: encodeId('bounce', bounceId) },
      world.a.token(),
    );
    expect(sink.received[0]?.event['bounce']).toEqual(data.node);
    await remove(id);
  });
});

test('an endpoint that fails every now and then gets everything', async () => {
  const { id } = await world.create(sink.url);
  const failed = new Set<string>();
  sink.answer((call) => {
    if (sink.received.length % 2 === 0 || failed.has(call.id)) return 200;
    failed.add(call.id);
    return 500;
  });
  const events = (await Promise.all(Array.from({ length: 10 }, () => world.happen(30)))).flat();
  await until(
    async () => {
      const all = await world.deliveries(id);
      return all.length === events.length && all.every(({ state }) => state === 'SUCCEEDED');
    },
    'all successes',
    20_000,
  );
  expect(failed.size).toBeGreaterThan(100);
  expect(new Set(sink.received.map((call) => call.id))).toEqual(new Set(events));
  await remove(id);
});

describe('an unverified one', () => {
  test('gets nothing until a test of all its events passes, and then what has happened since', async () => {
    const { webhook } = await create({ events: ['ACCEPTED', 'OPENED'], skipVerification: true });
    expect(webhook.health).toBe('UNVERIFIED');
    expect(sink.connections).toBe(0);
    const [before] = await world.happen(1);
    const partly = await world.mutate('testWebhook', { id: webhook.id, events: ['ACCEPTED'] });
    expect(partly).toMatchObject({ passed: true, webhook: { health: 'UNVERIFIED' } });
    sink.answer({ status: 500, body: 'not yet' });
    const failed = await world.mutate('testWebhook', { id: webhook.id });
    expect(failed).toMatchObject({ passed: false, webhook: { health: 'UNVERIFIED' } });
    expect(failed.calls[0]).toMatchObject({ status: 500, responseHead: 'not yet', error: 'it answered 500' });
    expect(sink.received).toEqual([]);
    sink.answer(200);
    expect(await world.mutate('testWebhook', { id: webhook.id })).toMatchObject({
      passed: true,
      webhook: { health: 'HEALTHY' },
    });
    await got(1);
    expect(sink.received[0]?.id).toBe(before);
    await remove(webhook.id);
  });
});

describe('changes', () => {
  test('what is not tried with success leaves all as it was', async () => {
    const { id } = await world.create(sink.url);
    sink.answer(500);
    expect(await world.mutate('updateWebhook', { id, events: ['OPENED'] })).toMatchObject({
      code: 'WEBHOOK_UNREACHABLE',
      status: 500,
    });
    expect(await world.mutate('updateWebhook', { id, url: 'ftp://x.example' })).toMatchObject({
      code: 'INVALID_INPUT',
    });
    expect(await world.mutate('updateWebhook', { id, url: null })).toMatchObject({ code: 'INVALID_INPUT' });
    expect(await world.look(id)).toMatchObject({ events: ['ACCEPTED'], url: sink.url, health: 'HEALTHY' });
    await remove(id);
  });

  test('another address gets what happens from then on, and what waits', async () => {
    const { id } = await world.create(sink.url, { headers: [{ name: 'X-A', value: '1' }] });
    const other = await startSink();
    expect(await world.mutate('updateWebhook', { id, url: other.url, headers: null })).toMatchObject({
      url: other.url,
      headerNames: [],
    });
    await until(async () => {
      await world.happen(1);
      return other.received.length > 0;
    }, 'a call');
    expect(other.received[0]?.headers['x-a']).toBeUndefined();
    await remove(id);
    await other[Symbol.asyncDispose]();
  });

  test('turned off it gets nothing; turned on, what it missed, in order, or not if so wished', async () => {
    const { id } = await world.create(sink.url);
    await world.happen(1);
    await got(1);
    await world.mutate('updateWebhook', { id, enabled: false });
    await letGo();
    const missed = [...(await world.happen(15)), ...(await world.happen(15))];
    expect(sink.received).toHaveLength(1);
    // The log shows what is in it once older transactions have ended; what comes later is not what was missed.
    await world.w.logIsComplete();
    expect(await world.mutate('updateWebhook', { id, enabled: true })).toMatchObject({
      enabled: true,
      health: 'HEALTHY',
    });
    await got(31);
    expect(sink.received.slice(1).map((call) => call.id)).toEqual(missed);

    await world.mutate('updateWebhook', { id, enabled: false });
    await letGo();
    await world.happen(5);
    await world.w.logIsComplete();
    await world.mutate('updateWebhook', { id, enabled: true, skipMissed: true });
    const [next] = await world.happen(1);
    await got(32);
    expect(sink.received.slice(31).map((call) => call.id)).toEqual([next]);
    await remove(id);
  });

  test('a deleted one is called no more', async () => {
    const { id } = await world.create(sink.url);
    await world.happen(1);
    await got(1);
    expect(await remove(id)).toEqual({ __typename: 'Deleted', id });
    expect(await world.look(id)).toBeNull();
    await letGo();
    const witness = await startSink();
    const { id: other } = await world.create(witness.url);
    await world.happen(1);
    await until(() => witness.received.length > 0, 'the other call');
    expect(sink.received).toHaveLength(1);
    await remove(other);
    await witness[Symbol.asyncDispose]();
  });
});

describe('a replay', () => {
  test('sends a range again with the ids it had, and says how many', async () => {
    const { id } = await world.create(sink.url);
    const since = world.w.deps.clock.now().toISOString();
    const ids = await world.happen(30);
    await got(30);
    const until_ = new Date(Date.now() + 1_000).toISOString();
    expect(await world.mutate('replayWebhook', { id, since: until_, until: since })).toMatchObject({
      code: 'INVALID_INPUT',
    });
    expect(
      await world.mutate('replayWebhook', { id, since: '2020-01-01T00:00:00Z', until: '2020-01-02T00:00:00Z' }),
    ).toMatchObject({
      deliveries: 0,
    });
    await until(async () => (await world.deliveries(id)).every(({ state }) => state === 'SUCCEEDED'), 'success');
    await world.w.logIsComplete();
    expect(await world.mutate('replayWebhook', { id, since, until: until_ })).toMatchObject({ deliveries: 30 });
    await got(60);
    expect(
      sink.received
        .slice(30)
        .map((call) => call.id)
        .sort(),
    ).toEqual([...ids].sort());
    await until(
      async () => (await world.deliveries(id)).filter(({ replayed }) => replayed).length === 30,
      'their rows',
    );
    await until(
      async () => (await world.w.db.selectFrom('webhookReplays').selectAll().execute()).length === 0,
      'the end',
    );
    await remove(id);
  });

  test('begins at once, also after a pause that is caught up with, though nothing new happens', async () => {
    const { id } = await world.create(sink.url);
    const since = world.w.deps.clock.now().toISOString();
    await world.happen(2);
    await got(2);
    await world.mutate('updateWebhook', { id, enabled: false });
    await world.happen(2);
    await world.w.execute('{ server { events(first: 1) { edges { cursor } } } }', {}, world.a.token());
    await world.mutate('updateWebhook', { id, enabled: true });
    await got(4);
    const until_ = new Date(Date.now() + 1_000).toISOString();
    await world.w.execute('{ server { events(first: 1) { edges { cursor } } } }', {}, world.a.token());
    expect(await world.mutate('replayWebhook', { id, since, until: until_ })).toMatchObject({ deliveries: 4 });
    await got(8);
    await remove(id);
  });
});

test('their secrets are sealed anew with a new key, and then the old key is not needed', async () => {
  const { w } = world;
  const { id } = await world.create(sink.url, { ed25519: true });
  await world.mutate('rotateWebhookSecret', { id });
  const read = () =>
    w.db
      .selectFrom('webhooks')
      .selectAll()
      .where('id', '=', decodeIdOf('webhook', id) ?? '')
      .executeTakeFirstOrThrow();
  const before = openEndpoint(await read(), w.deps.secrets, w.deps.clock.now());
  const next = 'another key of at least thirty-two characters';
  const both = createSecretBox([next, testSecretKey], w.deps.random);
  expect(await resealSecrets({ system: w.system, secrets: both, log: silentLog })).toBeGreaterThanOrEqual(4);
  const after = openEndpoint(await read(), createSecretBox([next], w.deps.random), w.deps.clock.now());
  expect(after).toEqual(before);
  expect(after.secrets).toHaveLength(2);
  const back = createSecretBox([testSecretKey, next], w.deps.random);
  await resealSecrets({ system: w.system, secrets: back, log: silentLog });
  await remove(id);
});

test('private networks are refused when a webhook is made, and when it is called', async () => {
  let address = '93.184.216.34';
  const dns: Dns = {
    ...world.w.deps.dns,
    addresses: async () => ({ kind: 'addresses', addresses: [address] }),
  };
  await using guarded = await webhookWorld({ dns, allowPrivateNetworks: false });
  const make = (url: string) =>
    guarded.mutate('createWebhook', {
      serverId: encodeId('server', guarded.a.serverId),
      url,
      events: ['ACCEPTED'],
      skipVerification: true,
    });
  for (const url of [
    'https://127.0.0.1/',
    'https://[::ffff:10.0.0.1]/',
    'https://x.internal/',
    'https://hooks.example:25/',
    sink.url,
  ])
    expect(await make(url)).toMatchObject({ code: 'INVALID_INPUT', issues: [{ path: ['url'] }] });
  address = '10.0.0.7';
  expect(await make('https://hooks.example/')).toMatchObject({
    code: 'INVALID_INPUT',
    issues: [{ path: ['url'], message: 'leads into a private network' }],
  });
  address = '93.184.216.34';
  const { webhook } = await make('https://hooks.example/');
  // DNS says something else from now on.
  address = '127.0.0.1';
  const tested = await guarded.mutate('testWebhook', { id: webhook.id });
  expect(tested.calls[0]).toMatchObject({ status: null, error: 'the host leads into a private network' });
  await guarded.w.db.updateTable('webhooks').set({ verifiedAt: guarded.w.deps.clock.now() }).execute();
  await guarded.start();
  await guarded.happen(1);
  await until(async () => (await guarded.deliveries(webhook.id))[0]?.attempts === 1, 'the call');
  expect((await guarded.deliveries(webhook.id))[0]).toMatchObject({
    state: 'PENDING',
    lastStatus: null,
    lastError: 'the host leads into a private network',
  });
});
