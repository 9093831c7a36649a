// Message streams through the API.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeId } from '#/domain/ids.ts';
import { type TestAccount, type World, world } from '../support/world.ts';

const CREATE = `mutation ($input: CreateStreamInput!) { createStream(input: $input) { __typename ... on Error { code message }
  ... on InvalidInput { issues { path } } ... on LimitReached { limit }
  ... on MessageStream { id slug name kind archivedAt purgeAt } } }`;
const change = (
  field: string,
) => `mutation ($id: ID!) { ${field}(input: { id: $id }) { __typename ... on Error { code message }
  ... on MessageStream { slug archivedAt purgeAt } } }`;

let w: World;
let a: TestAccount;

beforeAll(async () => {
  w = await world();
  a = await w.account();
});
afterAll(() => w[Symbol.asyncDispose]());

const create = (changes: Record<string, unknown> = {}, actor = a.token()) =>
  w.execute(
    CREATE,
    { input: { serverId: encodeId('server', a.serverId), slug: 'news', name: 'News', kind: 'BROADCAST', ...changes } },
    actor,
  );
const idOf = async (slug: string, actor = a.token()): Promise<string> => {
  const { data } = await w.execute('query ($slug: String!) { server { stream(slug: $slug) { id } } }', { slug }, actor);
  return data.server.stream.id;
};

const UPDATE = `mutation ($input: UpdateStreamInput!) { updateStream(input: $input) { __typename ... on Error { code }
  ... on InvalidInput { issues { path } } ... on MessageStream { slug name description inDoubt lifetimeMinutes tlsPolicy } } }`;

describe('updateStream', () => {
  const update = async (slug: string, changes: Record<string, unknown>, actor = a.token()) =>
    w.execute(UPDATE, { input: { id: await idOf(slug), ...changes } }, actor);

  test('is refused without STREAMS_WRITE', async () => {
    expect((await update('outbound', { name: 'X' }, a.token(['MESSAGES_SEND']))).errors[0]).toMatchObject({
      code: 'FORBIDDEN',
    });
  });

  test.each<[string, Record<string, unknown>, string]>([
    ['outbound', { name: null }, 'name'],
    ['outbound', { name: ' ' }, 'name'],
    ['outbound', { inDoubt: null }, 'inDoubt'],
    ['outbound', { tlsPolicy: null }, 'tlsPolicy'],
    ['outbound', { description: '<b>' }, 'description'],
    ['outbound', { lifetimeMinutes: 4 }, 'lifetimeMinutes'],
    ['outbound', { lifetimeMinutes: 7_201 }, 'lifetimeMinutes'],
    ['inbound', { lifetimeMinutes: 60 }, 'lifetimeMinutes'],
  ])('of %s is refused with %j', async (slug, changes, field) => {
    const { data } = await update(slug, changes);
    expect(data.updateStream).toMatchObject({ __typename: 'InvalidInput', issues: [{ path: [field] }] });
  });

  test('changes what is given and nothing else; null gives the usual back', async () => {
    expect((await update('broadcast', {})).data.updateStream).toMatchObject({
      inDoubt: 'RETRY',
      lifetimeMinutes: 7_200,
      description: null,
      tlsPolicy: 'OPPORTUNISTIC',
    });
    const own = { name: 'Codes', description: 'One-time codes', inDoubt: 'NEVER_TWICE', lifetimeMinutes: 15 };
    const changes = { ...own, tlsPolicy: 'REQUIRE_TLS' };
    expect((await update('broadcast', changes)).data.updateStream).toMatchObject(changes);
    expect((await update('broadcast', { name: 'More' })).data.updateStream).toMatchObject({ ...changes, name: 'More' });
    const usual = { description: null, lifetimeMinutes: null, inDoubt: 'RETRY', name: 'Broadcasts' };
    const back = { ...usual, tlsPolicy: 'OPPORTUNISTIC' };
    expect((await update('broadcast', back)).data.updateStream).toMatchObject({ ...back, lifetimeMinutes: 7_200 });
  });
});

describe('refused', () => {
  test('without STREAMS_WRITE', async () => {
    expect((await create({}, a.token(['MESSAGES_SEND']))).errors[0]).toMatchObject({ code: 'FORBIDDEN' });
  });

  test('for a token that is bound to one stream', async () => {
    const { data } = await w.execute('{ server { stream(slug: "outbound") { id } } }', {}, a.token());
    expect(data.server.stream.id).toMatch(/^str_/);
    const row = await w.db
      .selectFrom('messageStreams')
      .select('id')
      .where('serverId', '=', a.serverId)
      .executeTakeFirstOrThrow();
    expect((await create({}, a.token(undefined, { streamId: row.id }))).errors[0]).toMatchObject({ code: 'FORBIDDEN' });
  });

  test.each<[Record<string, unknown>, string]>([
    [{ slug: '' }, 'slug'],
    [{ slug: '1news' }, 'slug'],
    [{ slug: 'News' }, 'slug'],
    [{ slug: 'pm-news' }, 'slug'],
    [{ slug: 'all' }, 'slug'],
    [{ slug: 'n'.repeat(31) }, 'slug'],
    [{ name: ' ' }, 'name'],
    [{ name: 'n'.repeat(101) }, 'name'],
    [{ description: 'd'.repeat(1001) }, 'description'],
    [{ description: 'a <b>bold</b> word' }, 'description'],
  ])('with %j', async (changes, field) => {
    const { data } = await create(changes);
    expect(data.createStream).toMatchObject({ __typename: 'InvalidInput', issues: [{ path: [field] }] });
  });

  test('with a slug that the server has, or a second inbound stream', async () => {
    expect((await create({ slug: 'outbound' })).data.createStream.__typename).toBe('Conflict');
    expect((await create({ kind: 'INBOUND' })).data.createStream.__typename).toBe('Conflict');
  });

  test('on the server of another account, like on none', async () => {
    const other = await w.account();
    const theirs = await create({}, other.token());
    expect(theirs.data.createStream).toMatchObject({ __typename: 'NotFound' });
    expect(await create({ serverId: encodeId('server', w.deps.ids.next()) }, other.token())).toEqual(theirs);
  });

  test('to archive what sends and inbound mail need', async () => {
    for (const slug of ['outbound', 'inbound']) {
      const { data } = await w.execute(change('archiveStream'), { id: await idOf(slug) }, a.token());
      expect(data.archiveStream).toMatchObject({ __typename: 'Conflict' });
    }
  });

  test('to bring back what is not archived', async () => {
    const { data } = await w.execute(change('unarchiveStream'), { id: await idOf('broadcast') }, a.token());
    expect(data.unarchiveStream).toMatchObject({ __typename: 'Conflict' });
  });
});

describe('a stream', () => {
  test('is created, archived for 45 days, and brought back', async () => {
    const { data } = await create({ description: 'Once a month; 1 < 2.' });
    expect(data.createStream).toEqual({
      __typename: 'MessageStream',
      id: expect.stringMatching(/^str_/),
      slug: 'news',
      name: 'News',
      kind: 'BROADCAST',
      archivedAt: null,
      purgeAt: null,
    });
    const { id } = data.createStream;
    const archived = (await w.execute(change('archiveStream'), { id }, a.token())).data.archiveStream;
    expect(Date.parse(archived.purgeAt) - Date.parse(archived.archivedAt)).toBe(45 * 86_400_000);
    expect((await w.execute(change('archiveStream'), { id }, a.token())).data.archiveStream.__typename).toBe(
      'Conflict',
    );
    const listed = await w.execute(
      '{ server { streams { slug } all: streams(includeArchived: true) { slug } } }',
      {},
      a.token(),
    );
    expect(listed.data.server.streams.map(({ slug }: { slug: string }) => slug)).not.toContain('news');
    expect(listed.data.server.all.map(({ slug }: { slug: string }) => slug)).toContain('news');
    const back = await w.execute(change('unarchiveStream'), { id }, a.token());
    expect(back.data.unarchiveStream).toEqual({
      __typename: 'MessageStream',
      slug: 'news',
      archivedAt: null,
      purgeAt: null,
    });
  });

  test('takes no mail while it is archived', async () => {
    const other = await w.account();
    const send = () =>
      w.execute(
        'mutation ($input: SendEmailInput!) { sendEmail(input: $input) { __typename ... on InvalidInput { issues { path } } } }',
        { input: { from: `x@${other.domain}`, to: ['ann@r.example'], text: 'x', stream: 'broadcast' } },
        other.token(),
      );
    expect((await send()).data.sendEmail.__typename).toBe('Message');
    await w.execute(change('archiveStream'), { id: await idOf('broadcast', other.token()) }, other.manager);
    expect((await send()).data.sendEmail).toEqual({ __typename: 'InvalidInput', issues: [{ path: ['stream'] }] });
  });

  test('is one of ten of its server at most, also when many are made at once', async () => {
    const other = await w.account();
    const answers = await Promise.all(
      Array.from({ length: 9 }, (_, index) =>
        create({ serverId: encodeId('server', other.serverId), slug: `s${index}` }, other.token()),
      ),
    );
    const names = answers.map(({ data }) => data.createStream.__typename);
    expect(names.filter((name) => name === 'MessageStream')).toHaveLength(7);
    expect(answers.find(({ data }) => data.createStream.__typename === 'LimitReached')?.data.createStream.limit).toBe(
      10,
    );
  });

  test('leaves its traces in the audit log', async () => {
    const rows = await w.db.selectFrom('auditLog').select('action').where('accountId', '=', a.accountId).execute();
    const actions = rows.map(({ action }) => action);
    expect(actions).toEqual(expect.arrayContaining(['stream.create', 'stream.archive', 'stream.unarchive']));
  });
});
