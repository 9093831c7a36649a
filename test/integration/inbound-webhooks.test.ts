// Inbound messages on their way to the webhook of their server: real calls, real database, time moved by hand.
import { Webhook } from 'standardwebhooks';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { encodeId } from '#/domain/ids.ts';
import { INBOUND_PAUSES_MS, MAX_INLINE_ATTACHMENTS } from '#/domain/webhooks/inbound-call.ts';
import { inboundPayload } from '#/resolvers/incoming/inbound-payload.ts';
import { inboundAddress } from '#/resolvers/inbound/inbound-content.ts';
import { createHttpClient } from '#/runtime/http-client.ts';
import { systemClock } from '#/runtime/clock.ts';
import { startInboundWebhooks } from '#/webhooks/inbound-worker.ts';
import { FakeClock, turn } from '../support/fake-clock.ts';
import { postbox } from '../support/returned-mail.ts';
import { startSink, type WebhookSink } from '../support/webhook-sink.ts';
import { until } from '../support/webhook-world.ts';
import { type TestAccount, type World, world } from '../support/world.ts';
import { atMost } from '../support/time-taken.ts';

const MINUTE = 60_000;
const UPDATE = `mutation ($input: UpdateInboundInput!) { updateInbound(input: $input) { __typename
  ... on InvalidInput { issues { path message } } } }`;
const ROTATE = `mutation ($input: RotateInboundSecretInput!) { rotateInboundSecret(input: $input) { __typename
  ... on IssuedInboundSecret { secret } ... on InvalidInput { issues { path } } } }`;
const RETRY =
  'mutation ($id: ID!) { retryInboundMessage(input: { id: $id }) { ... on InboundMessage { status attempts } } }';
const LIST = `{ server { inboundMessages(first: 100) { edges { node {
  id status failure attempts nextAttemptAt lastStatus subject blockedBy } } } } }`;

let clock: FakeClock;
let w: World;
let a: TestAccount;
let sink: WebhookSink;
let box: ReturnType<typeof postbox>;
let stack: AsyncDisposableStack;

beforeEach(async () => {
  clock = new FakeClock();
  w = await world({ clock, allowPrivateNetworks: true });
  a = await w.account();
  box = postbox(w);
  sink = await startSink();
  stack = new AsyncDisposableStack();
});
afterEach(async () => {
  await stack.disposeAsync();
  await sink[Symbol.asyncDispose]();
  await w[Symbol.asyncDispose]();
});

interface StartOptions {
  readonly leaseMs?: number;
  readonly timeoutMs?: number;
}

function start({ leaseMs, timeoutMs = 1_000 }: StartOptions = {}) {
  const { deps } = w;
  const options = { dns: deps.dns, clock: systemClock, allowPrivateNetworks: true, timeoutMs };
  const http = stack.use(createHttpClient(options));
  const bodyOf = (message: Parameters<typeof inboundPayload>[1]) => inboundPayload(deps, message);
  return stack.use(startInboundWebhooks({ ...deps, http, bodyOf, ...(leaseMs === undefined ? {} : { leaseMs }) }));
}

const input = (account: TestAccount, more: object) => ({
  input: { serverId: encodeId('server', account.serverId), ...more },
});
const setUrl = async (url: string | null, account = a) => {
  const { data } = await w.execute(UPDATE, input(account, { url }), account.manager);
  return data.updateInbound;
};
const mail = (subject: string, more: readonly string[] = [], body = 'Hello.') =>
  [`From: Ann <ann@sender.example>`, 'To: x@y.example', `Subject: ${subject}`, ...more, '', body, ''].join('\r\n');
const post = (subject: string, account = a, source = mail(subject)) =>
  box.post(inboundAddress(w.deps, account.serverId).replace('@', '+tag@'), source, 'ann@sender.example');
const list = async (account = a): Promise<any[]> => {
  const { data } = await w.execute(LIST, {}, account.token());
  return data.server.inboundMessages.edges.map(({ node }: any) => node);
};
const only = async (account = a) => (await list(account))[0];
const got = (count: number, from = sink) => until(() => from.received.length >= count, `${count} calls`);
const reached = (status: string, account = a) =>
  until(async () => (await list(account)).every((one) => one.status === status), status);
/** Small steps, each with a moment in which what has become due is found, until there are so many calls. */
const passUntil = (count: number) =>
  until(async () => {
    if (sink.received.length < count) await turn(clock, 3_000);
    return sink.received.length >= count;
  }, `${count} calls`);

describe('an address', () => {
  test.each([
    'http://hook.example/',
    'https://127.0.0.1/',
    'https://[::ffff:10.0.0.1]/',
    'https://2130706433/',
    'https://localhost/',
    'https://hook.internal/',
    'https://hook.example:22/',
  ])('%s is refused', async (url) => {
    await using strict = await world();
    const account = await strict.account();
    const { data } = await strict.execute(UPDATE, input(account, { url }), account.manager);
    expect(data.updateInbound).toMatchObject({ __typename: 'InvalidInput', issues: [{ path: ['url'] }] });
  });

  test('that leads elsewhere by the time of the call is not called', async () => {
    await setUrl(sink.url);
    await post('Hi');
    const { deps } = w;
    const http = stack.use(createHttpClient({ dns: deps.dns, clock: systemClock, allowPrivateNetworks: false }));
    stack.use(startInboundWebhooks({ ...deps, http, bodyOf: (message) => inboundPayload(deps, message) }));
    await until(async () => (await only()).attempts === 1, 'a try');
    expect(await only()).toMatchObject({
      status: 'QUEUED',
      lastStatus: null,
      failure: expect.stringContaining('https'),
    });
    expect(sink.received).toHaveLength(0);
  });
});

describe('a message', () => {
  test('is posted with what it says, signed, and is PROCESSED', async () => {
    await setUrl(sink.url.replace('//', '//user:p%40ss@'));
    const { data } = await w.execute(ROTATE, input(a, { overlapSeconds: 0 }), a.manager);
    start();
    const source = mail(
      'Re: Ticket',
      ['In-Reply-To: <m0@shop.example>', 'MIME-Version: 1.0', 'Content-Type: multipart/mixed; boundary=b'],
      [
        ...['--b', 'Content-Type: text/plain', '', 'Yes.', '', 'On Mon, 2 Mar 2026, Shop wrote:', '> Shall we?'],
        ...['--b', 'Content-Type: application/pdf; name="a.pdf"', 'Content-Disposition: attachment; filename="a.pdf"'],
        ...['Content-Transfer-Encoding: base64', '', 'AAAA', '--b--'],
      ].join('\r\n'),
    );
    await post('Re: Ticket', a, source);
    await got(1);
    await reached('PROCESSED');
    const [call] = sink.received;
    const [message] = await list();
    expect(call?.id).toBe(message.id);
    expect(call?.headers['authorization']).toBe(`Basic ${Buffer.from('user:p@ss').toString('base64')}`);
    const headers = call?.headers ?? {};
    // The signature is of the clock that was turned.
    const at = Number(headers['webhook-timestamp']) * 1_000;
    expect(at).toBe(Math.floor(clock.now().getTime() / 1_000) * 1_000);
    const verified = new Webhook(data.rotateInboundSecret.secret).sign(message.id, new Date(at), call?.body ?? '');
    expect(headers['webhook-signature']).toBe(verified);
    expect(JSON.parse(call?.body ?? '')).toMatchObject({
      id: message.id,
      type: 'INBOUND',
      stream: 'inbound',
      from: 'ann@sender.example',
      fromName: 'Ann',
      to: ['x@y.example'],
      mailboxHash: 'tag',
      bcc: [inboundAddress(w.deps, a.serverId).replace('@', '+tag@')],
      subject: 'Re: Ticket',
      textBody: expect.stringContaining('Yes.'),
      htmlBody: null,
      strippedReply: 'Yes.',
      headers: expect.arrayContaining([{ name: 'Subject', value: 'Re: Ticket' }]),
      attachments: [{ name: 'a.pdf', contentType: 'application/pdf', size: 3, contentId: null, content: 'AAAA' }],
    });
    expect(message).toMatchObject({ status: 'PROCESSED', attempts: 1, lastStatus: 204, failure: null });
    expect(message.nextAttemptAt).toBeNull();
  });

  test('that is not taken is tried ten times more, on its own schedule, and has then FAILED until it is taken up again', async () => {
    await setUrl(sink.url);
    start();
    sink.answer(404);
    await post('Hi');
    await got(1);
    for (const [index, ms] of INBOUND_PAUSES_MS.entries()) {
      await until(async () => (await only()).attempts === index + 1, `the outcome of call ${index + 1}`);
      const { nextAttemptAt, status } = await only();
      expect(status).toBe('QUEUED');
      const wait = Date.parse(nextAttemptAt) - clock.now().getTime();
      // It was called up to a look after its time.
      expect(wait).toBeGreaterThan(ms - 10_000);
      expect(wait).toBeLessThanOrEqual(ms * 1.1);
      if (wait > 5_000) await clock.advance(wait - 5_000);
      await systemClock.sleep(20);
      expect(sink.received).toHaveLength(index + 1);
      await passUntil(index + 2);
    }
    await reached('FAILED');
    expect(await only()).toMatchObject({ attempts: 11, failure: 'answered 404', lastStatus: 404, nextAttemptAt: null });
    await clock.advance(24 * 60 * MINUTE);
    expect(sink.received).toHaveLength(11);
    expect(new Set(sink.received.map(({ id }) => id)).size).toBe(1);
    sink.answer(200);
    const retried = await w.execute(RETRY, { id: (await only()).id }, a.token());
    expect(retried.data.retryInboundMessage).toEqual({ status: 'QUEUED', attempts: 0 });
    await reached('PROCESSED');
    expect(sink.received).toHaveLength(12);
  });

  test.each([403, 410])('that is answered with %i has failed at once; the next ones are posted', async (status) => {
    await setUrl(sink.url);
    start();
    sink.answer(status);
    await post('Bad');
    await reached('FAILED');
    sink.answer(200);
    await post('Good');
    await until(async () => (await list()).some((one) => one.status === 'PROCESSED'), 'the next one');
    expect(sink.received).toHaveLength(2);
  });

  test('that was blocked is posted when it is let through', async () => {
    await setUrl(sink.url);
    start();
    const rule = 'mutation ($input: AddInboundRuleInput!) { addInboundRule(input: $input) { __typename } }';
    await w.execute(rule, input(a, { pattern: 'sender.example' }), a.manager);
    await post('Blocked');
    const message = await only();
    expect(message).toMatchObject({ status: 'BLOCKED', nextAttemptAt: null });
    await w.execute(RETRY, { id: message.id }, a.token());
    await reached('PROCESSED');
    expect(sink.received).toHaveLength(1);
  });

  test('that came before there was a webhook stays; those that wait for one that is taken away are there to be read', async () => {
    await post('Before');
    await setUrl(sink.url);
    sink.answer(500);
    start();
    await post('Waits');
    await until(async () => (await list()).some(({ attempts }) => attempts === 1), 'a try');
    await setUrl(null);
    await clock.advance(2 * MINUTE);
    await systemClock.sleep(20);
    await clock.advance(3_000);
    await reached('PROCESSED');
    expect(sink.received).toHaveLength(1);
  });

  test('whose content is removed while it waits has failed; one that cannot be read is posted with its row', async () => {
    await setUrl(sink.url);
    await post('Gone');
    await w.db.deleteFrom('messageContents').where('accountId', '=', a.accountId).execute();
    start();
    await reached('FAILED');
    expect(await only()).toMatchObject({ failure: 'the message is no longer kept' });
    expect(sink.received).toHaveLength(0);
  });

  test('brings its files, 35 MB of them; where there are more they are listed without their content', async () => {
    await setUrl(sink.url);
    start({ timeoutMs: 20_000 });
    for (const size of [MAX_INLINE_ATTACHMENTS, MAX_INLINE_ATTACHMENTS + 1]) {
      const file = Buffer.alloc(size, 7);
      const lines = file.toString('base64').replaceAll(/.{76}/g, '$&\r\n');
      const head = ['--b', 'Content-Type: application/zip; name=a.zip', 'Content-Transfer-Encoding: base64'];
      const source = mail(
        'Big',
        ['MIME-Version: 1.0', 'In-Reply-To: <x@y.example>', 'Content-Type: multipart/mixed; boundary=b'],
        ['--b', '', 'Yes.', ...head, '', lines].join('\r\n'),
      );
      const before = sink.received.length;
      await post('Big', a, `${source}--b--\r\n`);
      await got(before + 1);
      const { body = '', headers = {} } = sink.received[before] ?? {};
      const { attachments, textBody, strippedReply } = JSON.parse(body);
      expect({ textBody, strippedReply }).toEqual({ textBody: 'Yes.', strippedReply: 'Yes.' });
      expect(headers['content-length']).toBe(String(Buffer.byteLength(body)));
      const content = size > MAX_INLINE_ATTACHMENTS ? null : file.toString('base64');
      expect(attachments[0]).toMatchObject({ name: 'a.zip', size });
      expect(attachments[0].content === content).toBe(true);
      await reached('PROCESSED');
    }
  });
});

test('both secrets sign while one is replaced', async () => {
  await setUrl(sink.url);
  const rotate = async (more: object) => (await w.execute(ROTATE, input(a, more), a.manager)).data.rotateInboundSecret;
  expect(await rotate({ overlapSeconds: -1 })).toMatchObject({ __typename: 'InvalidInput' });
  await rotate({ overlapSeconds: 0 });
  await rotate({ overlapSeconds: 3_600 });
  start();
  await post('Two');
  await got(1);
  await reached('PROCESSED');
  expect(sink.received[0]?.headers['webhook-signature']?.split(' ')).toHaveLength(2);
  await clock.advance(3_600_000);
  await post('One');
  await got(2);
  expect(sink.received[1]?.headers['webhook-signature']?.split(' ')).toHaveLength(1);
  await reached('PROCESSED');
});

describe('endpoints', () => {
  test('that hang delay nobody else', async () => {
    await using dead = await startSink();
    dead.answer('hang');
    const other = await w.account();
    await setUrl(dead.url);
    await setUrl(sink.url, other);
    start({ timeoutMs: 30_000 });
    for (let index = 0; index < 30; index++) await post(`Dead ${index}`);
    await got(1, dead);
    const begun = performance.now();
    for (let index = 0; index < 10; index++) await post(`Alive ${index}`, other);
    await got(10);
    expect(performance.now() - begun).toBeLessThan(atMost(2_000));
    expect(dead.mostOpen).toBe(1);
    await reached('PROCESSED', other);
  });

  test('are each called by one of several processes; whose lease runs out is taken over', async () => {
    await setUrl(sink.url);
    const workers = [start({ leaseMs: 30_000 }), start({ leaseMs: 30_000 }), start({ leaseMs: 30_000 })];
    for (let index = 0; index < 40; index++) await post(`Mail ${index}`);
    await got(40);
    await reached('PROCESSED');
    expect(new Set(sink.received.map(({ id }) => id)).size).toBe(40);
    expect(sink.received).toHaveLength(40);
    await until(() => workers.every(({ held }) => held === 0), 'all let go');
    // One that died while it held the endpoint.
    const until30 = new Date(clock.now().getTime() + 30_000);
    await w.db
      .updateTable('inboundSettings')
      .set({ leaseOwner: w.deps.ids.next(), leaseUntil: until30 })
      .where('serverId', '=', a.serverId)
      .execute();
    await post('Left');
    await clock.advance(20_000);
    await systemClock.sleep(50);
    expect(sink.received).toHaveLength(40);
    await passUntil(41);
    await reached('PROCESSED');
  });

  test('of a server that is deleted are not called any more', async () => {
    await setUrl(sink.url);
    await post('Late');
    const gone = 'mutation ($id: ID!) { deleteServer(input: { id: $id }) { __typename } }';
    await w.execute(gone, { id: encodeId('server', a.serverId) }, a.manager);
    const worker = start();
    const dueAt = async () =>
      (await w.db.selectFrom('inboundSettings').select('dueAt').executeTakeFirstOrThrow()).dueAt;
    await until(async () => (await dueAt()) === null, 'nothing due');
    expect(sink.received).toHaveLength(0);
    await until(() => worker.held === 0, 'let go');
  });
});
