// Finding and reading messages.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeId } from '#/domain/ids.ts';
import { type TestAccount, type World, world } from '../support/world.ts';

const SEND = 'mutation ($input: SendEmailInput!) { sendEmail(input: $input) { __typename ... on Message { id } } }';
const LIST = `query ($first: Int!, $after: String, $filter: MessageFilter) { server { messages(first: $first, after: $after, filter: $filter) {
  edges { cursor node { id subject } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }`;

let w: World;
let a: TestAccount;
const sent: string[] = [];
let lateStart: Date;

const emails: readonly Record<string, unknown>[] = [
  { subject: 'Order one shipped', tag: 'order', metadata: { customer: 'a', env: 'prod' } },
  {
    subject: 'Order two shipped',
    tag: 'order',
    metadata: { customer: 'b', env: 'prod' },
    to: ['bob@r.example', 'Ann@r.example'],
  },
  { subject: 'Welcome', stream: 'broadcast', from: 'news' },
  { subject: 'Prüfung: Ördér THREE', html: '<p>three</p>', text: 'three', cc: ['carl@r.example'] },
];

beforeAll(async () => {
  w = await world();
  a = await w.account();
  for (const [index, email] of emails.entries()) {
    if (index === 2) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      lateStart = new Date();
    }
    const from = `${typeof email['from'] === 'string' ? email['from'] : 'shop'}@${a.domain}`;
    const input = { to: ['ann@r.example'], text: 'Hi', ...email, from };
    const { data } = await w.execute(SEND, { input }, a.token());
    sent.push(data.sendEmail.id);
  }
});
afterAll(() => w[Symbol.asyncDispose]());

const list = (variables: Record<string, unknown>, actor = a.token()) =>
  w.execute(LIST, { first: 100, ...variables }, actor);
const found = async (filter: Record<string, unknown>, actor = a.token()): Promise<number[]> => {
  const { data, errors } = await list({ filter }, actor);
  expect(errors).toEqual([]);
  return data.server.messages.edges.map(({ node }: { node: { id: string } }) => sent.indexOf(node.id));
};

describe('refused', () => {
  test('without MESSAGES_READ', async () => {
    const { data, errors } = await list({}, a.token(['MESSAGES_SEND']));
    expect(data).toEqual({ server: null });
    expect(errors[0]).toMatchObject({ code: 'FORBIDDEN', path: 'server.messages' });
  });

  test('for one message, without MESSAGES_READ, whether it is there or not', async () => {
    const query = 'query ($id: ID!) { message(id: $id) { id } node(id: $id) { id } }';
    const there = await w.execute(query, { id: sent[0] }, a.token(['MESSAGES_SEND']));
    const not = await w.execute(query, { id: encodeId('message', w.deps.ids.next()) }, a.token(['MESSAGES_SEND']));
    expect(there.errors.map(({ code }) => code)).toEqual(['FORBIDDEN', 'FORBIDDEN']);
    expect(there).toEqual(not);
  });

  test.each([0, 101, -1])('with first: %i', async (first) => {
    expect((await list({ first })).errors[0]).toMatchObject({ code: 'BAD_USER_INPUT' });
  });

  test('with a cursor that is none', async () => {
    expect((await list({ after: 'x' })).errors[0]).toMatchObject({ code: 'INVALID_CURSOR' });
    expect((await list({ after: encodeId('server', a.serverId) })).errors[0]).toMatchObject({ code: 'INVALID_CURSOR' });
  });

  test.each([
    { stream: 'nowhere' },
    { recipient: 'bad' },
    { from: 'bad' },
    { subject: '?!' },
    { tag: 'a\0' },
    { metadata: [1] },
    { metadata: { a: { b: 1 } } },
  ])('with the filter %j', async (filter) => {
    expect((await list({ filter })).errors[0]).toMatchObject({ code: 'BAD_USER_INPUT' });
  });

  test('bodies, without CONTENT_READ, and the rest is there', async () => {
    const { data, errors } = await w.execute(
      'query ($id: ID!) { message(id: $id) { id textBody htmlBody source } }',
      { id: sent[3] },
      a.token(['MESSAGES_READ']),
    );
    expect(data.message).toEqual({ id: sent[3], textBody: null, htmlBody: null, source: null });
    expect(errors.map(({ code }) => code)).toEqual(['FORBIDDEN', 'FORBIDDEN', 'FORBIDDEN']);
  });

  test('for the messages of another account', async () => {
    const other = await w.account();
    const { data } = await w.execute('query ($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids: sent }, other.token());
    expect(data.nodes).toEqual([null, null, null, null]);
    expect((await list({}, other.token())).data.server.messages.edges).toEqual([]);
  });
});

describe('found', () => {
  test('newest first, without a filter', async () => {
    expect(await found({})).toEqual([3, 2, 1, 0]);
  });

  test.each<[Record<string, unknown>, number[]]>([
    [{ stream: 'broadcast' }, [2]],
    [{ tag: 'order' }, [1, 0]],
    [{ tag: 'nothing' }, []],
    [{ recipient: 'ANN@r.example' }, [3, 2, 1, 0]],
    [{ recipient: 'bob@r.example' }, [1]],
    [{ recipient: 'carl@r.example', status: 'QUEUED' }, [3]],
    [{ recipient: 'carl@r.example', status: 'DELIVERED' }, []],
    [{ status: 'QUEUED' }, [3, 2, 1, 0]],
    [{ subject: 'SHIPPED order' }, [1, 0]],
    [{ subject: 'ördér prüfung' }, [3]],
    [{ subject: 'order welcome' }, []],
    [{ metadata: { env: 'prod' } }, [1, 0]],
    [{ metadata: { env: 'prod', customer: 'b' } }, [1]],
    [{ metadata: { customer: 'prod' } }, []],
    [{ metadata: {} }, [3, 2, 1, 0]],
    [{ tag: 'order', subject: 'two', recipient: 'ann@r.example', status: 'QUEUED', metadata: { env: 'prod' } }, [1]],
    [{ tag: 'order', stream: 'broadcast' }, []],
  ])('by %j', async (filter, expected) => {
    expect(await found(filter)).toEqual(expected);
  });

  test('by sender', async () => {
    expect(await found({ from: `NEWS@${a.domain}` })).toEqual([2]);
  });

  test('by time: from `since` on, before `until`', async () => {
    expect(await found({ since: lateStart.toISOString() })).toEqual([3, 2]);
    expect(await found({ until: lateStart.toISOString() })).toEqual([1, 0]);
  });

  test('of its own stream only, by a token that is bound to one', async () => {
    const { data } = await w.execute('{ server { stream(slug: "broadcast") { id } } }', {}, a.token());
    const streamId = await w.db
      .selectFrom('messageStreams')
      .select('id')
      .where('slug', '=', 'broadcast')
      .where('serverId', '=', a.serverId)
      .executeTakeFirstOrThrow();
    expect(data.server.stream.id).toBe(encodeId('stream', streamId.id));
    const bound = a.token(undefined, { streamId: streamId.id });
    expect(await found({}, bound)).toEqual([2]);
    expect(await found({ tag: 'order' }, bound)).toEqual([]);
    const nodes = await w.execute('query ($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids: sent }, bound);
    expect(nodes.data.nodes).toEqual([null, null, { id: sent[2] }, null]);
  });

  test('page by page, without a gap and without one twice', async () => {
    const pages: number[] = [];
    let after: string | null = null;
    for (let more = true; more; ) {
      const { data } = await list({ first: 3, after });
      const { edges, pageInfo } = data.server.messages;
      pages.push(...edges.map(({ node }: { node: { id: string } }) => sent.indexOf(node.id)));
      expect(pageInfo.hasPreviousPage).toBe(after !== null);
      after = pageInfo.endCursor;
      more = pageInfo.hasNextPage;
    }
    expect(pages).toEqual([3, 2, 1, 0]);
  });
});

describe('read', () => {
  test('with content, source and attempts', async () => {
    const { data, errors } = await w.execute(
      `query ($id: ID!) { message(id: $id) { htmlBody textBody source attachments { name }
        recipients { address kind nextAttemptAt attempts { startedAt } } } }`,
      { id: sent[3] },
      a.token(),
    );
    expect(errors).toEqual([]);
    expect(data.message).toMatchObject({
      htmlBody: '<p>three</p>',
      textBody: 'three',
      attachments: [],
      recipients: [
        { address: 'ann@r.example', kind: 'TO', attempts: [] },
        { address: 'carl@r.example', kind: 'CC', attempts: [] },
      ],
    });
    expect(data.message.source).toContain(`From: shop@${a.domain}\r\n`);
    expect(data.message.recipients[0].nextAttemptAt).toMatch(/Z$/);
  });

  test('in the order of the ids, with null for what is nothing', async () => {
    const ids = [sent[1], 'nonsense', encodeId('message', w.deps.ids.next()), sent[0]];
    const { data, errors } = await w.execute(
      'query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }',
      { ids },
      a.token(),
    );
    expect(errors).toEqual([]);
    expect(data.nodes).toEqual([
      { __typename: 'Message', id: sent[1] },
      null,
      null,
      { __typename: 'Message', id: sent[0] },
    ]);
  });

  test('not more than 100 at once', async () => {
    const ids = Array.from({ length: 101 }, () => sent[0]);
    const { errors } = await w.execute('query ($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids }, a.token());
    expect(errors[0]).toMatchObject({ code: 'BAD_USER_INPUT' });
  });
});

describe('cancelled', () => {
  const CANCEL = `mutation ($id: ID!) { cancelEmail(input: { id: $id }) { __typename ... on Error { code }
    ... on Message { recipients { status } } } }`;
  const cancel = (id: string | undefined, actor = a.token()) => w.execute(CANCEL, { id }, actor);

  test('not by a token that may not send', async () => {
    expect((await cancel(sent[0], a.token(['MESSAGES_READ']))).errors[0]).toMatchObject({ code: 'FORBIDDEN' });
  });

  test('not by another account, which hears what it would of an id that never was', async () => {
    const other = await w.account();
    const theirs = await cancel(sent[0], other.token());
    expect(theirs.data.cancelEmail).toEqual({ __typename: 'NotFound', code: 'NOT_FOUND' });
    expect(await cancel(encodeId('message', w.deps.ids.next()), other.token())).toEqual(theirs);
  });

  test('once, with an event for each recipient', async () => {
    expect((await cancel(sent[1])).data.cancelEmail).toEqual({
      __typename: 'Message',
      recipients: [{ status: 'CANCELLED' }, { status: 'CANCELLED' }],
    });
    expect(await found({ status: 'CANCELLED' })).toEqual([1]);
    const { data } = await w.execute(
      'query ($id: ID!) { message(id: $id) { events(first: 10) { edges { node { type recipient } } } } }',
      { id: sent[1] },
      a.token(),
    );
    const types = data.message.events.edges.map(({ node }: { node: { type: string } }) => node.type);
    expect(types).toEqual(['ACCEPTED', 'ACCEPTED', 'CANCELLED', 'CANCELLED']);
    expect((await cancel(sent[1])).data.cancelEmail).toEqual({ __typename: 'Conflict', code: 'CONFLICT' });
    expect(await w.count('deliveryQueue')).toBe(4);
  });
});
