// Reading the event log of a server.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeInSystemScope, systemScope } from '#/db/scope.ts';
import { encodeId } from '#/domain/ids.ts';
import { bucketAt } from '#/domain/retention.ts';
import { insertBounces } from '#/db/bounces.ts';
import { append } from '#/events/append.ts';
import type { NewEvent } from '#/events/catalogue.ts';
import { type TestAccount, type World, world } from '../support/world.ts';

const SEND = 'mutation ($input: SendEmailInput!) { sendEmail(input: $input) { ... on Message { id } } }';
const EVENTS = `query ($first: Int!, $after: String, $filter: MessageEventFilter) { server {
  events(first: $first, after: $after, filter: $filter) { edges { cursor node { __typename id type recipient stream tag cursor messageId } }
  pageInfo { hasNextPage endCursor } } } }`;

let w: World;
let a: TestAccount;
let messageIds: string[];

beforeAll(async () => {
  w = await world();
  a = await w.account();
  messageIds = [];
  for (const [tag, stream] of [
    ['one', 'outbound'],
    ['two', 'broadcast'],
    ['three', 'outbound'],
  ] as const) {
    const input = { from: `x@${a.domain}`, to: [`${tag}@R.example`], text: 'x', tag, stream, metadata: { tag } };
    messageIds.push((await w.execute(SEND, { input }, a.token())).data.sendEmail.id);
  }
});
afterAll(() => w[Symbol.asyncDispose]());

const events = (variables: Record<string, unknown> = {}, actor = a.token()) =>
  w.execute(EVENTS, { first: 500, ...variables }, actor);
const tags = async (filter: Record<string, unknown>): Promise<string[]> => {
  const { data, errors } = await events({ filter });
  expect(errors).toEqual([]);
  return data.server.events.edges.map(({ node }: { node: { tag: string } }) => node.tag);
};

describe('refused', () => {
  test('without EVENTS_READ', async () => {
    expect((await events({}, a.token(['MESSAGES_READ']))).errors[0]).toMatchObject({ code: 'FORBIDDEN' });
  });

  test('with more than 500 at once', async () => {
    expect((await events({ first: 501 })).errors[0]).toMatchObject({ code: 'BAD_USER_INPUT' });
  });

  test('with a cursor of something else, or of another server', async () => {
    const other = await w.account();
    await w.execute(SEND, { input: { from: `x@${other.domain}`, to: ['y@r.example'], text: 'x' } }, other.token());
    const theirs = (await events({}, other.token())).data.server.events.pageInfo.endCursor;
    for (const after of ['x', messageIds[0], theirs])
      expect((await events({ after })).errors[0]).toMatchObject({ code: 'INVALID_CURSOR' });
  });

  test('from before what retention has kept', async () => {
    const b = await w.account();
    await w.execute(SEND, { input: { from: `x@${b.domain}`, to: ['y@r.example'], text: 'x' } }, b.token());
    const after = (await events({}, b.token())).data.server.events.pageInfo.endCursor;
    const { logXact } = await w.db
      .selectFrom('events')
      .select('logXact')
      .where('serverId', '=', b.serverId)
      .executeTakeFirstOrThrow();
    const floor = { accountId: b.accountId, serverId: b.serverId, droppedThrough: logXact + 5 };
    await w.db.insertInto('eventLogFloors').values(floor).execute();
    expect((await events({ after }, b.token())).errors[0]).toMatchObject({ code: 'CURSOR_EXPIRED' });
  });

  test('with filters that mean nothing here', async () => {
    expect((await events({ filter: { streams: ['nowhere'] } })).errors[0]).toMatchObject({ code: 'BAD_USER_INPUT' });
    expect((await events({ filter: { recipient: 'bad' } })).errors[0]).toMatchObject({ code: 'BAD_USER_INPUT' });
    expect((await events({ filter: { tag: 'a\0' } })).errors[0]).toMatchObject({ code: 'BAD_USER_INPUT' });
  });
});

describe('read', () => {
  test.each<[Record<string, unknown>, string[]]>([
    [{}, ['one', 'two', 'three']],
    [{ streams: ['broadcast'] }, ['two']],
    [{ streams: [] }, []],
    [{ tag: 'three' }, ['three']],
    [{ recipient: 'ONE@r.example' }, ['one']],
    [{ types: ['DELIVERED'] }, []],
    [{ types: ['ACCEPTED', 'BOUNCED'], tag: 'one' }, ['one']],
    [{ messageId: 'nonsense' }, []],
  ])('oldest first, by %j', async (filter, expected) => {
    expect(await tags(filter)).toEqual(expected);
  });

  test('of one message, in the list and beside it alike', async () => {
    expect(await tags({ messageId: messageIds[1] })).toEqual(['two']);
    const { data } = await w.execute(
      'query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Message { events(first: 1) { edges { node { tag } } pageInfo { hasNextPage } } } } }',
      { ids: messageIds },
      a.token(),
    );
    expect(
      data.nodes.map((node: { events: { edges: { node: { tag: string } }[] } }) => node.events.edges[0]?.node.tag),
    ).toEqual(['one', 'two', 'three']);
  });

  test('page by page', async () => {
    const first = (await events({ first: 2 })).data.server.events;
    expect(first.pageInfo.hasNextPage).toBe(true);
    expect(first.edges[1].cursor).toBe(first.edges[1].node.cursor);
    const rest = (await events({ after: first.pageInfo.endCursor })).data.server.events;
    expect(rest.edges.map(({ node }: { node: { tag: string } }) => node.tag)).toEqual(['three']);
    expect(rest.pageInfo.hasNextPage).toBe(false);
  });
});

describe('each kind of event', () => {
  const ALL = `query ($id: ID!) { message(id: $id) { events(first: 50) { edges { node { __typename type recipient metadata
    ... on SuppressedEvent { reason } ... on DelayedEvent { smtpCode delay: response nextAttemptAt }
    ... on DeliveredEvent { remoteHost response } ... on InDoubtEvent { remoteHost }
    ... on BouncedEvent { bounce { id type typeCode address details description inactive canReactivate source messageId smtpCode } }
    ... on OpenedEvent { first machine userAgent client } ... on ClickedEvent { url location first }
    ... on SubscriptionChangedEvent { suppressed why: reason origin } } } } } }`;

  test('has its own fields', async () => {
    const id = messageIds[0] ?? '';
    const message = await w.db
      .selectFrom('messages')
      .selectAll()
      .where('serverId', '=', a.serverId)
      .orderBy('id')
      .executeTakeFirstOrThrow();
    const { accountId, serverId, streamId } = message;
    const bounceId = w.deps.ids.nextInBucket(bucketAt(new Date(), 45));
    const about = {
      accountId,
      serverId,
      streamId,
      messageId: message.id,
      recipient: 'one@r.example',
      tag: 'one',
      metadata: { tag: 'one' },
    };
    const kinds = [
      { type: 'SUPPRESSED', data: { reason: 'MANUAL' } },
      { type: 'DELAYED', data: { smtpCode: 451, response: 'later', nextAttemptAt: '2026-01-01T00:00:00.000Z' } },
      { type: 'DELIVERED', data: { remoteHost: 'mx.r.example', response: 'ok' } },
      { type: 'IN_DOUBT', data: { remoteHost: 'mx.r.example' } },
      { type: 'BOUNCED', data: { bounceId, bounceType: 'HARD_BOUNCE', failed: true } },
      { type: 'OPENED', data: { first: true, machine: false, userAgent: 'Mail' } },
      {
        type: 'CLICKED',
        data: { first: true, machine: false, userAgent: null, url: 'https://x.example', location: 'HTML' },
      },
      { type: 'SUBSCRIPTION_CHANGED', data: { suppressed: true, reason: 'UNSUBSCRIBE', origin: 'RECIPIENT' } },
      { type: 'EXPIRED', data: null },
    ] as const;
    await writeInSystemScope(systemScope(w.db), new Date(), async (scope) => {
      const { bucket } = message;
      await insertBounces(scope, [
        {
          bucket,
          accountId,
          id: bounceId,
          serverId,
          streamId,
          messageId: message.id,
          ordinal: 0,
          type: 'HARD_BOUNCE',
          address: 'one@r.example',
          addressKey: 'one@r.example',
          tag: null,
          occurredAt: scope.now,
          smtpCode: 550,
          enhancedCode: '5.1.1',
          details: 'no such user',
          suppressionId: null,
        },
      ]);
      const rows: NewEvent[] = kinds.map((kind) => ({ ...about, ...kind, id: w.deps.ids.next() }));
      await append(scope, rows);
    });
    const { data, errors } = await w.execute(ALL, { id }, a.token());
    expect(errors).toEqual([]);
    const nodes: Record<string, unknown>[] = data.message.events.edges.map(({ node }: { node: object }) => node);
    expect(nodes.map(({ type }) => type)).toEqual(['ACCEPTED', ...kinds.map(({ type }) => type)]);
    const bounced = nodes.find(({ type }) => type === 'BOUNCED');
    expect(bounced?.['bounce']).toEqual({
      id: encodeId('bounce', bounceId),
      type: 'HARD_BOUNCE',
      typeCode: 1,
      address: 'one@r.example',
      details: 'no such user',
      description: expect.stringContaining('no such mailbox'),
      inactive: false,
      canReactivate: false,
      source: null,
      messageId: id,
      smtpCode: 550,
    });
    expect(nodes.find(({ type }) => type === 'DELAYED')).toMatchObject({
      smtpCode: 451,
      nextAttemptAt: '2026-01-01T00:00:00.000Z',
    });
    const node = await w.execute(
      'query ($id: ID!) { node(id: $id) { __typename id } }',
      { id: encodeId('bounce', bounceId) },
      a.token(),
    );
    expect(node.data.node).toEqual({ __typename: 'Bounce', id: encodeId('bounce', bounceId) });
  });

  test('shows its message only to who may read messages', async () => {
    const { data, errors } = await w.execute(
      '{ server { events(first: 1) { edges { node { messageId message { subject } } } } } }',
      {},
      a.token(['EVENTS_READ']),
    );
    expect(data.server.events.edges).toEqual([{ node: { messageId: messageIds[0], message: null } }]);
    expect(errors.map(({ code }) => code)).toEqual(['FORBIDDEN']);
  });
});
