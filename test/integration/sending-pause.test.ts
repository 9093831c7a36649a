// Pausing a server by hand: who may, what is refused meanwhile and with which words, who may end it, and who is told.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { insertPause, type NewPause } from '#/db/sending-pauses.ts';
import { scopeOfAccount, writeInSystemScope } from '#/db/scope.ts';
import type { Actor } from '#/domain/actor.ts';
import { encodeId } from '#/domain/ids.ts';
import type { Person } from '#/domain/person.ts';
import { MAX_PAUSE_NOTE } from '#/domain/sending-pause.ts';
import { pauseSending } from '#/resolvers/sending/pause-sending.ts';
import { resumeSending } from '#/resolvers/sending/resume-sending.ts';
import { until } from '../support/webhook-world.ts';
import { callerOf, type Followed, type TestAccount, type World, world } from '../support/world.ts';

const SENDING = 'sending { paused pause { reason since evidence instructions } }';
const PAUSE = `mutation ($input: PauseSendingInput!) { pauseSending(input: $input) {
  __typename ... on Server { ${SENDING} } ... on Error { code } } }`;
const RESUME = `mutation ($input: ResumeSendingInput!) { resumeSending(input: $input) {
  __typename ... on Server { ${SENDING} } ... on Error { code message } } }`;
const SEND = `mutation ($input: SendEmailInput!) { sendEmail(input: $input) {
  __typename ... on Error { code message } ... on SendingPaused { pause { reason instructions } } } }`;
const FOLLOW =
  'subscription ($serverId: ID) { sendingState(serverId: $serverId) { paused pause { reason evidence } } }';

let w: World;
let a: TestAccount;
let owner: Person;
beforeEach(async () => {
  w = await world();
  a = await w.account();
  owner = await w.person({ account: a, role: 'OWNER' });
});
afterEach(() => w[Symbol.asyncDispose]());

const idOf = (account = a) => encodeId('server', account.serverId);
async function act(document: string, asker: Actor | Person | null = owner, more: object = {}) {
  const { data, errors } = await w.execute(document, { input: { serverId: idOf(), ...more } }, asker);
  return errors[0] ?? data.pauseSending ?? data.resumeSending;
}
const pause = (asker?: Actor | Person | null, more?: object) => act(PAUSE, asker, more);
const resume = (asker?: Actor | Person | null, more?: object) => act(RESUME, asker, more);
const send = async (more: object = {}) =>
  (await w.execute(SEND, { input: { from: `x@${a.domain}`, to: ['ann@r.example'], text: 'x', ...more } }, a.token()))
    .data.sendEmail;
const state = async () =>
  (await w.execute(`query ($id: ID!) { server(id: $id) { ${SENDING} } }`, { id: idOf() }, owner)).data.server.sending;

/** As the installation's operator does. */
const operator = () => callerOf({ kind: 'OPERATOR', accountId: a.accountId, label: 'operator' });
/** As what watches over rates will do. */
const pausedFor = (more: Partial<NewPause>) =>
  writeInSystemScope(w.system, w.deps.clock.now(), (scope) =>
    insertPause(scopeOfAccount(scope, a.accountId), {
      id: w.deps.ids.next(),
      serverId: a.serverId,
      streamId: null,
      reason: 'BOUNCE_RATE',
      evidence: { rate: 0.12, sample: 1_000 },
      note: null,
      ...more,
    }),
  ).then(() => w.deps.channel.nudge('config'));
const audited = () =>
  w.db
    .selectFrom('auditLog')
    .select(['action', 'changes'])
    .where('action', 'like', 'sending.%')
    .orderBy('id')
    .execute();

describe('refused', () => {
  test('to pause or resume: without rights on the server', async () => {
    const viewer = await w.person({ account: a, grants: { [a.serverId]: 'VIEWER' } });
    for (const asker of [viewer, a.token(), await w.staff({ account: a, complianceReview: true })]) {
      expect(await pause(asker)).toMatchObject({ code: 'FORBIDDEN' });
      expect(await resume(asker)).toMatchObject({ code: 'FORBIDDEN' });
    }
    expect(await pause(null)).toMatchObject({ code: 'UNAUTHENTICATED' });
    expect(await state()).toEqual({ paused: false, pause: null });
  });

  test('a server of somebody else, like none', async () => {
    const other = await w.account();
    for (const serverId of [idOf(other), encodeId('server', w.deps.ids.next()), 'srv_x']) {
      expect(await pause(owner, { serverId })).toMatchObject({ code: 'NOT_FOUND' });
      expect(await resume(owner, { serverId })).toMatchObject({ code: 'NOT_FOUND' });
    }
  });

  test('a note that is too long', async () => {
    expect(await pause(owner, { note: 'x'.repeat(MAX_PAUSE_NOTE + 1) })).toMatchObject({ code: 'BAD_USER_INPUT' });
    expect(await state()).toEqual({ paused: false, pause: null });
  });

  test('to resume what is not paused', async () => {
    expect(await resume()).toMatchObject({ code: 'CONFLICT', message: 'Sending of this server is not paused.' });
  });

  test('to resume what the operator or a limit has paused, with words that say what to do', async () => {
    await pauseSending(w.deps, operator(), { serverId: a.serverId, note: null });
    expect(await resume()).toMatchObject({ code: 'CONFLICT', message: expect.stringContaining('operator') });
    await resumeSending(w.deps, operator(), { serverId: a.serverId, note: null });
    await pausedFor({});
    expect(await resume()).toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining('addresses do not exist'),
    });
    expect(await state()).toMatchObject({
      paused: true,
      pause: { reason: 'BOUNCE_RATE', evidence: { rate: 0.12, sample: 1_000 } },
    });
  });
});

describe('a paused server', () => {
  test('takes no mail, and says why and what to do; resumed it does', async () => {
    expect(await send()).toEqual({ __typename: 'Message' });
    const answer = await pause(owner, { note: 'A template is wrong' });
    expect(answer).toEqual({
      __typename: 'Server',
      sending: {
        paused: true,
        pause: {
          reason: 'MANUAL',
          since: expect.any(String),
          evidence: { note: 'A template is wrong' },
          instructions: expect.stringContaining('resumeSending'),
        },
      },
    });
    const { instructions } = answer.sending.pause;
    expect(await send()).toEqual({
      __typename: 'SendingPaused',
      code: 'SENDING_PAUSED',
      message: `Sending of this server is paused (MANUAL). ${instructions}`,
      pause: { reason: 'MANUAL', instructions },
    });
    const messages = [1, 2].map((number) => ({ from: `x@${a.domain}`, to: [`r${number}@r.example`], text: 'x' }));
    const batch = 'mutation ($input: SendEmailsInput!) { sendEmails(input: $input) { __typename } }';
    const { data } = await w.execute(batch, { input: { messages } }, a.token());
    expect(data.sendEmails).toEqual([{ __typename: 'SendingPaused' }, { __typename: 'SendingPaused' }]);
    expect(await w.count('messages')).toBe(1);
    expect(await resume()).toEqual({ __typename: 'Server', sending: { paused: false, pause: null } });
    expect(await send()).toEqual({ __typename: 'Message' });
  });

  test('says first what will never be accepted', async () => {
    await pause();
    expect(await send({ to: ['nonsense'] })).toMatchObject({ code: 'INVALID_INPUT' });
    expect(await send({ from: 'x@elsewhere.example' })).toMatchObject({ code: 'SENDER_NOT_VERIFIED' });
  });

  test('is why mail to an address does not arrive', async () => {
    await send();
    await pause();
    const ask = '{ server { explainRecipient(address: "ann@r.example") { deliverable summary } } }';
    const { data } = await w.execute(ask, {}, a.token());
    expect(data.server.explainRecipient).toEqual({
      deliverable: true,
      summary:
        'Sending of the server is paused (MANUAL): nothing leaves until it is resumed. The last message to it waits for its turn.',
    });
  });

  test('answers again what it accepted before, by the same key, and nothing else', async () => {
    const once = { idempotencyKey: 'one' };
    expect(await send(once)).toEqual({ __typename: 'Message' });
    await pause();
    expect(await send(once)).toEqual({ __typename: 'Message' });
    expect(await send({ ...once, text: 'Other' })).toMatchObject({ code: 'IDEMPOTENCY_CONFLICT' });
    expect(await send({ idempotencyKey: 'two' })).toMatchObject({ code: 'SENDING_PAUSED' });
    expect(await w.count('messages')).toBe(1);
    await resume();
    expect(await send({ idempotencyKey: 'two' })).toEqual({ __typename: 'Message' });
  });

  test('leaves others alone', async () => {
    const other = await a.server('Other');
    await pause();
    const token = a.token(undefined, { serverId: other });
    const input = { from: `x@${a.domain}`, to: ['ann@r.example'], text: 'x' };
    expect((await w.execute(SEND, { input }, token)).data.sendEmail).toEqual({ __typename: 'Message' });
  });

  test('is paused once however often that is asked, and audited each time', async () => {
    await pause(owner, { note: 'One' });
    expect(await pause(owner, { note: 'Two' })).toMatchObject({ sending: { pause: { evidence: { note: 'One' } } } });
    await resume(owner, { note: 'Mended' });
    expect(await w.db.selectFrom('sendingPauses').select(['note', 'resumeNote']).execute()).toEqual([
      { note: 'One', resumeNote: 'Mended' },
    ]);
    expect(await audited()).toEqual([
      { action: 'sending.pause', changes: { reason: 'MANUAL', note: 'One' } },
      { action: 'sending.pause', changes: {} },
      {
        action: 'sending.resume',
        changes: { ended: [{ reason: 'MANUAL', since: expect.any(String) }], note: 'Mended' },
      },
    ]);
  });

  test('stays paused for what remains when a member resumes it; the operator ends all', async () => {
    await pause();
    await pausedFor({ reason: 'SUDDEN_VOLUME' });
    expect(await state()).toMatchObject({ pause: { reason: 'SUDDEN_VOLUME' } });
    expect(await resume()).toMatchObject({ sending: { paused: true, pause: { reason: 'SUDDEN_VOLUME' } } });
    expect(await send()).toMatchObject({ code: 'SENDING_PAUSED', pause: { reason: 'SUDDEN_VOLUME' } });
    await resumeSending(w.deps, operator(), { serverId: a.serverId, note: null });
    expect(await send()).toEqual({ __typename: 'Message' });
  });

  test('of which one stream is paused sends on the others', async () => {
    const [stream] = await w.db
      .selectFrom('messageStreams')
      .select('id')
      .where('serverId', '=', a.serverId)
      .where('slug', '=', 'broadcast')
      .execute();
    await pausedFor({ streamId: stream?.id ?? '' });
    expect(await send()).toEqual({ __typename: 'Message' });
    expect(await send({ stream: 'broadcast' })).toMatchObject({
      code: 'SENDING_PAUSED',
      message: expect.stringContaining('this stream'),
    });
  });

  test('is mailed to the owner and the emergency contacts', async () => {
    await w.db
      .insertInto('emergencyContacts')
      .values({
        accountId: a.accountId,
        id: w.deps.ids.next(),
        email: 'duty@acme.example',
        emailKey: 'duty@acme.example',
        createdAt: new Date(),
        confirmedAt: new Date(),
      })
      .execute();
    await pause(owner, { note: 'A template is wrong' });
    expect(w.mails.map(({ to }) => to).toSorted()).toEqual(['duty@acme.example', owner.email].toSorted());
    expect(w.mails[0]?.subject).toMatch(/^Sending of .* is paused$/);
    for (const words of ['A template is wrong', owner.email, 'resumeSending', '451'])
      expect(w.mails[0]?.text).toContain(words);
    await pause();
    await resume();
    expect(w.mails.length).toBe(2);
  });
});

/** Nothing was asked of the database for a while. */
async function isQuiet(): Promise<boolean> {
  const before = w.queries;
  await w.deps.clock.sleep(100);
  return w.queries === before;
}

describe('followed', () => {
  const open: Followed[] = [];
  afterEach(async () => {
    for (const followed of open.splice(0)) await followed.end();
  });
  const follow = async (asker: Actor | Person | null = a.token(), variables: object = {}) => {
    const followed = await w.subscribe(FOLLOW, { ...variables }, asker);
    open.push(followed);
    return followed;
  };
  const reasons = async (followed: Followed, count: number) => {
    const seen: unknown[] = [];
    while (seen.length < count) {
      const { pause: found, paused } = (await followed.next()).data.sendingState;
      expect(paused).toBe(found !== null);
      seen.push(found?.reason ?? null);
    }
    return seen;
  };

  test('refused without rights, and for a server of somebody else like for none', async () => {
    const other = await w.account();
    await expect(follow(null)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    await expect(follow(a.manager)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    for (const id of [other.serverId, w.deps.ids.next()])
      await expect(follow(a.token(), { serverId: encodeId('server', id) })).rejects.toMatchObject({
        code: 'NOT_FOUND',
      });
  });

  test('each pause and resume comes once and in order, also when many come at once, and none from before', async () => {
    await pause();
    const followed = [await follow(), await follow(owner, { serverId: idOf() })];
    await pausedFor({ reason: 'SUDDEN_VOLUME' });
    await resume();
    await resumeSending(w.deps, operator(), { serverId: a.serverId, note: null });
    for (let round = 0; round < 5; round++) {
      await pause();
      await resume();
    }
    const expected = ['SUDDEN_VOLUME', 'SUDDEN_VOLUME', null, ...Array(5).fill(['MANUAL', null]).flat()];
    for (const one of followed) expect(await reasons(one, expected.length)).toEqual(expected);
  });

  test('many who follow one server ask the database together', async () => {
    const followed = await Promise.all(Array.from({ length: 40 }, () => follow(owner, { serverId: idOf() })));
    const next = followed.map((one) => one.next());
    await pausedFor({ reason: 'SUDDEN_VOLUME' });
    await Promise.all(next);
    const all = followed.map((one) => one.next());
    // All have looked once more, and wait.
    await until(() => isQuiet());
    const before = w.queries;
    w.deps.channel.nudge('config');
    await until(() => isQuiet());
    // Whether the server is there, and what has changed.
    expect(w.queries - before).toBe(2);
    await pausedFor({ reason: 'OPERATOR' });
    expect((await Promise.all(all)).every(({ data }) => data.sendingState.pause.reason === 'OPERATOR')).toBe(true);
  });

  test('those who are bound to a stream see what concerns it', async () => {
    const streams = await w.db
      .selectFrom('messageStreams')
      .select(['id', 'slug'])
      .where('serverId', '=', a.serverId)
      .execute();
    const [mine, other] = ['outbound', 'broadcast'].map(
      (slug) => streams.find((stream) => stream.slug === slug)?.id ?? '',
    );
    const followed = await follow(a.token(undefined, { streamId: mine ?? '' }));
    await pausedFor({ streamId: other ?? '', evidence: { secret: 'of the other' } });
    await pausedFor({ streamId: mine ?? '', reason: 'SUDDEN_VOLUME' });
    expect(JSON.stringify(await followed.next())).not.toContain('of the other');
  });
});
