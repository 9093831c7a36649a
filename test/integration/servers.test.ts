// Accounts, servers and who is calling, through the API.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeId } from '#/domain/ids.ts';
import { type TestAccount, type World, world } from '../support/world.ts';

const CREATE = `mutation ($input: CreateServerInput!) { createServer(input: $input) { __typename ... on Error { code }
  ... on InvalidInput { issues { path } }
  ... on Server { id name color deliveryType trackOpens trackLinks viewerLevel streams { slug kind } account { id } } } }`;
const UPDATE = `mutation ($input: UpdateServerInput!) { updateServer(input: $input) { __typename ... on Error { code }
  ... on InvalidInput { issues { path } } ... on Server { name color trackOpens trackLinks } } }`;
const DELETE =
  'mutation ($id: ID!) { deleteServer(input: { id: $id }) { __typename ... on Deleted { id } ... on Error { code } } }';

let w: World;
let a: TestAccount;

beforeAll(async () => {
  w = await world();
  a = await w.account();
});
afterAll(() => w[Symbol.asyncDispose]());

const create = (changes: Record<string, unknown> = {}, actor = a.manager) =>
  w.execute(CREATE, { input: { accountId: encodeId('account', a.accountId), name: 'Second', ...changes } }, actor);
const update = (changes: Record<string, unknown>, actor = a.manager) =>
  w.execute(UPDATE, { input: { id: encodeId('server', a.serverId), ...changes } }, actor);

describe('refused', () => {
  test('for a server token', async () => {
    const codes = await Promise.all([
      create({}, a.token()),
      update({}, a.token()),
      w.execute(DELETE, { id: encodeId('server', a.serverId) }, a.token()),
      w.execute('{ account { servers(first: 1) { edges { cursor } } } }', {}, a.token()),
    ]);
    expect(codes.map(({ errors }) => errors[0]?.code)).toEqual(['FORBIDDEN', 'FORBIDDEN', 'FORBIDDEN', 'FORBIDDEN']);
  });

  test('with a bad name', async () => {
    for (const name of ['', ' ', 'n'.repeat(101), 'a\nb']) {
      const expected = { __typename: 'InvalidInput', issues: [{ path: ['name'] }] };
      expect((await create({ name })).data.createServer).toMatchObject(expected);
      expect((await update({ name })).data.updateServer).toMatchObject(expected);
    }
  });

  test('with a name that is taken, in any case', async () => {
    expect((await create({ name: 'MAIN' })).data.createServer).toEqual({ __typename: 'Conflict', code: 'CONFLICT' });
    await a.server('Taken');
    expect((await update({ name: 'taken' })).data.updateServer).toEqual({ __typename: 'Conflict', code: 'CONFLICT' });
  });

  test('with null for what cannot be empty', async () => {
    const { data } = await update({ name: null, color: null });
    expect(data.updateServer).toMatchObject({ issues: [{ path: ['name'] }, { path: ['color'] }] });
  });

  test('for another account, like for none', async () => {
    const other = await w.account();
    const notFound = { __typename: 'NotFound', code: 'NOT_FOUND' };
    expect((await create({}, other.manager)).data.createServer).toEqual(notFound);
    expect((await update({ name: 'Mine' }, other.manager)).data.updateServer).toEqual(notFound);
    const id = encodeId('server', a.serverId);
    expect((await w.execute(DELETE, { id }, other.manager)).data.deleteServer).toEqual(notFound);
    const seen = await w.execute(
      'query ($id: ID!) { server(id: $id) { name } node(id: $id) { id } }',
      { id },
      other.manager,
    );
    expect(seen).toEqual({ data: { server: null, node: null }, errors: [] });
  });
});

describe('a server', () => {
  test('is made with three streams', async () => {
    const { data, errors } = await create({ color: 'RED', deliveryType: 'SANDBOX', trackLinks: 'HTML_ONLY' });
    expect(errors).toEqual([]);
    expect(data.createServer).toEqual({
      __typename: 'Server',
      id: expect.stringMatching(/^srv_/),
      name: 'Second',
      color: 'RED',
      deliveryType: 'SANDBOX',
      trackOpens: false,
      trackLinks: 'HTML_ONLY',
      viewerLevel: 'ADMIN',
      account: { id: encodeId('account', a.accountId) },
      streams: [
        { slug: 'outbound', kind: 'TRANSACTIONAL' },
        { slug: 'inbound', kind: 'INBOUND' },
        { slug: 'broadcast', kind: 'BROADCAST' },
      ],
    });
  });

  test('keeps what an update leaves out', async () => {
    const { data } = await update({ trackOpens: true, color: 'BLUE' });
    expect(data.updateServer).toEqual({
      __typename: 'Server',
      name: 'Main',
      color: 'BLUE',
      trackOpens: true,
      trackLinks: 'NONE',
    });
    expect((await update({})).data.updateServer).toMatchObject({ name: 'Main', color: 'BLUE' });
  });

  test('has on record what was before and after, and nothing of what stayed', async () => {
    await update({ color: 'RED', trackOpens: false });
    await update({ color: 'GREEN', trackOpens: false });
    const record = await w.db
      .selectFrom('auditLog')
      .select('changes')
      .where('accountId', '=', a.accountId)
      .where('action', '=', 'server.update')
      .orderBy('id', 'desc')
      .executeTakeFirstOrThrow();
    expect(record.changes).toEqual({ color: { before: 'RED', after: 'GREEN' } });
  });

  test('is listed page by page, oldest first', async () => {
    const b = await w.account();
    await b.server('Two');
    await b.server('Three');
    const LIST = `query ($after: String) { account { servers(first: 2, after: $after) {
      edges { node { name } } pageInfo { hasNextPage endCursor } } } }`;
    const first = (await w.execute(LIST, {}, b.manager)).data.account.servers;
    const second = (await w.execute(LIST, { after: first.pageInfo.endCursor }, b.manager)).data.account.servers;
    expect(first.edges.map(({ node }: { node: { name: string } }) => node.name)).toEqual(['Main', 'Two']);
    expect(second).toMatchObject({ edges: [{ node: { name: 'Three' } }], pageInfo: { hasNextPage: false } });
    expect((await w.execute(LIST, { after: 'x' }, b.manager)).errors[0]).toMatchObject({ code: 'INVALID_CURSOR' });
  });

  test('is gone once deleted, with its streams and tokens, and its name is free', async () => {
    const serverId = await a.server('Doomed');
    const id = encodeId('server', serverId);
    const STREAM = 'query ($id: ID!) { server(id: $id) { stream(slug: "outbound") { id } } }';
    const stream = (await w.execute(STREAM, { id }, a.manager)).data.server.stream.id;
    expect((await w.execute(DELETE, { id }, a.manager)).data.deleteServer).toEqual({ __typename: 'Deleted', id });
    const { data } = await w.execute(
      'query ($id: ID!, $stream: ID!) { server(id: $id) { name } node(id: $stream) { id } }',
      { id, stream },
      a.manager,
    );
    expect(data).toEqual({ server: null, node: null });
    expect((await w.execute(DELETE, { id }, a.manager)).data.deleteServer.__typename).toBe('NotFound');
    expect((await create({ name: 'Doomed' })).data.createServer.__typename).toBe('Server');
  });

  test('takes its tokens with it', async () => {
    const b = await w.account();
    await w.execute(DELETE, { id: encodeId('server', b.serverId) }, b.manager);
    const rows = await w.db
      .selectFrom('apiTokens')
      .select(['kind', 'revokedAt'])
      .where('accountId', '=', b.accountId)
      .execute();
    expect(rows.find(({ kind }) => kind === 'SERVER')?.revokedAt).not.toBeNull();
    expect(rows.find(({ kind }) => kind === 'ACCOUNT')?.revokedAt).toBeNull();
  });
});

describe('the viewer', () => {
  const VIEWER = '{ viewer { kind token { __typename id state hint ... on ServerToken { scopes stream { slug } } } } }';

  test('is nobody without a token', async () => {
    expect(await w.execute(VIEWER)).toEqual({ data: { viewer: null }, errors: [] });
  });

  test('is a token, which can be found by its id by itself and by who sees it in its list', async () => {
    const { data, errors } = await w.execute(VIEWER, {}, a.token());
    expect(errors).toEqual([]);
    expect(data.viewer).toMatchObject({
      kind: 'SERVER_TOKEN',
      token: { __typename: 'ServerToken', state: 'ACTIVE', stream: null },
    });
    const { id } = data.viewer.token;
    const NODE = 'query ($id: ID!) { node(id: $id) { id __typename } }';
    expect((await w.execute(NODE, { id }, a.token())).data.node).toEqual({ id, __typename: 'ServerToken' });
    // A token of the account sees those of its servers, as it does in their list; those see nothing of it.
    expect((await w.execute(NODE, { id }, a.manager)).data.node).toEqual({ id, __typename: 'ServerToken' });
    const manager = (await w.execute(VIEWER, {}, a.manager)).data.viewer.token;
    expect((await w.execute(NODE, { id: manager.id }, a.manager)).data.node.__typename).toBe('AccountToken');
    expect((await w.execute(NODE, { id: manager.id }, a.token())).data.node).toBeNull();
  });

  test('has its account and, for a server token, its server without naming them', async () => {
    const { data } = await w.execute(
      '{ account { id name retentionDays twoFactorPolicy } server { viewerLevel } }',
      {},
      a.token(),
    );
    expect(data).toEqual({
      account: {
        id: encodeId('account', a.accountId),
        name: 'Account 1',
        retentionDays: 45,
        twoFactorPolicy: 'OPTIONAL',
      },
      server: { viewerLevel: 'VIEWER' },
    });
    expect((await w.execute('{ server { id } }', {}, a.manager)).data.server).toBeNull();
  });
});
