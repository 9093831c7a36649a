// Following events live.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { encodeId } from '#/domain/ids.ts';
import type { Actor } from '#/domain/actor.ts';
import { type TestAccount, type World, world } from '../support/world.ts';

const SEND = 'mutation ($input: SendEmailInput!) { sendEmail(input: $input) { ... on Message { id } } }';
const FOLLOW = `subscription ($serverId: ID, $filter: MessageEventFilter, $after: String) {
  messageEvents(serverId: $serverId, filter: $filter, after: $after) { __typename cursor tag stream message { id subject } } }`;

let w: World;
let a: TestAccount;
beforeEach(async () => {
  w = await world();
  a = await w.account();
});
afterEach(() => w[Symbol.asyncDispose]());

const send = async (tag: string, more: Record<string, unknown> = {}): Promise<string> => {
  const input = { from: `x@${a.domain}`, to: ['ann@r.example'], text: 'x', subject: `About ${tag}`, tag, ...more };
  return (await w.execute(SEND, { input }, a.token())).data.sendEmail.id;
};
const follow = (variables: Record<string, unknown> = {}, actor: Actor | null = a.token()) =>
  w.subscribe(FOLLOW, variables, actor);

describe('refused', () => {
  test('without a token', async () => {
    await expect(follow({}, null)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  test('without EVENTS_READ, and nothing is opened', async () => {
    await expect(follow({}, a.token(['MESSAGES_READ']))).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(w.feed.size).toBe(0);
  });

  test('for the server of another account, like for none', async () => {
    const other = await w.account();
    for (const id of [other.serverId, w.deps.ids.next()])
      await expect(follow({ serverId: encodeId('server', id) })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(follow({ serverId: 'nonsense' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('with a cursor of another server', async () => {
    await expect(follow({ after: 'x' })).rejects.toMatchObject({ code: 'INVALID_CURSOR' });
  });

  test('with a cursor from before what is kept, and the oldest that will do comes with it', async () => {
    await send('one');
    const { logXact } = await w.db.selectFrom('events').select('logXact').executeTakeFirstOrThrow();
    const { data } = await w.execute('{ server { events(first: 1) { pageInfo { endCursor } } } }', {}, a.token());
    const floor = { accountId: a.accountId, serverId: a.serverId, droppedThrough: logXact + 5 };
    await w.db.insertInto('eventLogFloors').values(floor).execute();
    const refusal: unknown = await follow({ after: data.server.events.pageInfo.endCursor }).catch(
      (error: unknown) => error,
    );
    expect(refusal).toMatchObject({ code: 'CURSOR_EXPIRED', oldestCursor: expect.any(String) });
    const oldest = refusal instanceof Error && 'oldestCursor' in refusal ? refusal.oldestCursor : null;
    const events = await follow({ after: oldest });
    await events.end();
  });
});

/** From which on nothing is missed, however long it takes to follow. */
async function endOfLog(): Promise<string> {
  return (await w.execute('{ server { eventCursor } }', {}, a.token())).data.server.eventCursor;
}

describe('followed', () => {
  test('from now on, each event with the rows it is about', async () => {
    await send('before');
    // Committed is not yet in the log: older transactions of the whole cluster may hold it up.
    await expect
      .poll(
        async () =>
          (await w.execute('{ server { events(first: 1) { nodes: edges { cursor } } } }', {}, a.token())).data.server
            .events.nodes,
      )
      .not.toEqual([]);
    const events = await follow();
    const first = events.next();
    // Nobody says when "now" was.
    let has = false;
    void first.then(() => (has = true));
    const sent: string[] = [];
    while (!has) {
      sent.push(await send('one'));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const id = (await first).data.messageEvents.message.id;
    expect(sent).toContain(id);
    expect(await first).toEqual({
      errors: [],
      data: {
        messageEvents: {
          __typename: 'AcceptedEvent',
          cursor: expect.any(String),
          tag: 'one',
          stream: 'outbound',
          message: { id, subject: 'About one' },
        },
      },
    });
    for (const next of sent.slice(sent.indexOf(id) + 1))
      expect((await events.next()).data.messageEvents.message.id).toBe(next);
    await send('two');
    expect((await events.next()).data.messageEvents.message.subject).toBe('About two');
    await events.end();
    expect(w.feed.size).toBe(0);
  });

  test('from a cursor on, without a gap', async () => {
    await send('one');
    const { data } = await w.execute('{ server { events(first: 1) { pageInfo { endCursor } } } }', {}, a.token());
    await send('two');
    await send('three');
    const events = await follow({ after: data.server.events.pageInfo.endCursor });
    expect((await events.next()).data.messageEvents.tag).toBe('two');
    expect((await events.next()).data.messageEvents.tag).toBe('three');
    const live = events.next();
    await send('four');
    expect((await live).data.messageEvents.tag).toBe('four');
    await events.end();
  });

  test('by filter', async () => {
    const events = await follow({ filter: { streams: ['broadcast'] }, after: await endOfLog() });
    const next = events.next();
    await send('no');
    await send('yes', { stream: 'broadcast' });
    expect((await next).data.messageEvents.tag).toBe('yes');
    await events.end();
  });

  test('not any more once the right is lost: it is asked for each event', async () => {
    const scopes = new Set(['EVENTS_READ', 'MESSAGES_READ']);
    const token = a.token();
    if (token.kind !== 'SERVER_TOKEN') throw new Error('not a server token');
    const events = await follow({ after: await endOfLog() }, { ...token, scopes });
    const first = events.next();
    await send('one');
    expect((await first).errors).toEqual([]);
    scopes.delete('EVENTS_READ');
    await send('two');
    expect((await events.next()).errors[0]).toMatchObject({ code: 'FORBIDDEN' });
    await events.end();
  });

  test('until the server is deleted, also by somebody who has all servers', async () => {
    const owner = await w.person({ account: a, role: 'OWNER' });
    const serverId = await a.server('Doomed');
    const [gone, kept] = await Promise.all([
      w.subscribe(FOLLOW, { serverId: encodeId('server', serverId) }, owner),
      w.subscribe(FOLLOW, { serverId: encodeId('server', a.serverId) }, owner),
    ]);
    const next = gone.next().catch((error: unknown) => error);
    const remove = 'mutation ($id: ID!) { deleteServer(input: { id: $id }) { __typename } }';
    await w.execute(remove, { id: encodeId('server', serverId) }, owner);
    expect(await next).toBeInstanceOf(Error);
    expect(w.feed.size).toBe(1);
    await kept.end();
  });

  test('and ended while it waits, it lets go at once', async () => {
    const events = await follow();
    const waiting = events.next().catch((error: unknown) => error);
    await new Promise((resolve) => setTimeout(resolve, 150));
    await events.end();
    expect(await waiting).toBeInstanceOf(Error);
    expect(w.feed.size).toBe(0);
  });
});
