// What members see and may do: of their accounts, of the servers that they were granted, from one request to the next.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeId } from '#/domain/ids.ts';
import type { Person } from '#/domain/person.ts';
import { type TestAccount, type World, world } from '../support/world.ts';

let w: World;
let acme: TestAccount;
let other: TestAccount;
let second: string;
let owner: Person;
let admin: Person;
let member: Person;
let stranger: Person;

const server = (id: string) => encodeId('server', id);

beforeAll(async () => {
  w = await world();
  acme = await w.account();
  other = await w.account();
  second = await acme.server('Second');
  owner = await w.person({ account: acme, role: 'OWNER' });
  admin = await w.person({ account: acme, role: 'ADMIN' });
  member = await w.person({ account: acme, grants: { [acme.serverId]: 'ADMIN', [second]: 'VIEWER' } });
  stranger = await w.person({ account: other, role: 'OWNER' });
});
afterAll(() => w[Symbol.asyncDispose]());

const SERVER = 'query ($id: ID!) { server(id: $id) { id viewerLevel } }';
const RENAME =
  'mutation ($id: ID!, $name: String!) { updateServer(input: { id: $id, name: $name }) { __typename ... on Error { code } } }';

describe('nobody sees what is not theirs', () => {
  test('a server of another account is null, by every way', async () => {
    const id = server(acme.serverId);
    for (const document of [
      SERVER,
      'query ($id: ID!) { node(id: $id) { id } }',
      'query ($id: ID!) { nodes(ids: [$id]) { id } }',
    ]) {
      const { data, errors } = await w.execute(document, { id }, stranger);
      expect(errors).toEqual([]);
      expect(JSON.stringify(data)).not.toContain(id);
    }
    const { data } = await w.execute(RENAME, { id, name: 'Mine' }, stranger);
    expect(data.updateServer).toEqual({ __typename: 'NotFound', code: 'NOT_FOUND' });
  });

  test('a member without grants sees the account and no server', async () => {
    const guest = await w.person({ account: acme });
    const { data, errors } = await w.execute(
      'query ($id: ID!) { account { name servers(first: 9) { edges { node { id } } } } server(id: $id) { id } }',
      { id: server(acme.serverId) },
      guest,
    );
    expect(errors).toEqual([]);
    expect(data.account.servers.edges).toEqual([]);
    expect(data.server).toBeNull();
  });

  test('a stream of a server without grant is not found', async () => {
    const third = await acme.server('Third');
    const streams = await w.execute(
      'query ($id: ID!) { server(id: $id) { streams { id } } }',
      { id: server(third) },
      owner,
    );
    const [{ id }] = streams.data.server.streams;
    expect((await w.execute('query ($id: ID!) { node(id: $id) { id } }', { id }, member)).data.node).toBeNull();
    const archive = 'mutation ($id: ID!) { archiveStream(input: { id: $id }) { ... on Error { code } } }';
    expect((await w.execute(archive, { id }, member)).data.archiveStream.code).toBe('NOT_FOUND');
  });
});

describe('members', () => {
  test('see the servers granted to them and their level on each', async () => {
    const { data } = await w.execute(
      '{ account { servers(first: 9) { edges { node { name viewerLevel } } } } }',
      {},
      member,
    );
    const seen = data.account.servers.edges.map(({ node }: { node: unknown }) => node);
    expect(seen).toEqual([
      { name: 'Main', viewerLevel: 'ADMIN' },
      { name: 'Second', viewerLevel: 'VIEWER' },
    ]);
  });

  test('change what they are ADMIN of; what they only view is FORBIDDEN, not hidden', async () => {
    const renamed = await w.execute(RENAME, { id: server(acme.serverId), name: 'Main' }, member);
    expect(renamed.data.updateServer.__typename).toBe('Server');
    const refused = await w.execute(RENAME, { id: server(second), name: 'Mine' }, member);
    expect(refused.errors).toMatchObject([{ code: 'FORBIDDEN', path: 'updateServer' }]);
  });

  test('may not do what needs a role in the account', async () => {
    const create =
      'mutation ($accountId: ID!) { createServer(input: { accountId: $accountId, name: "X" }) { __typename } }';
    const variables = { accountId: encodeId('account', acme.accountId) };
    expect((await w.execute(create, variables, member)).errors).toMatchObject([{ code: 'FORBIDDEN' }]);
    expect((await w.execute(create, variables, admin)).data.createServer.__typename).toBe('Server');
  });

  test('send on the servers that they are ADMIN of, and name them', async () => {
    const send =
      'mutation ($input: SendEmailInput!) { sendEmail(input: $input) { __typename ... on Error { code message } } }';
    const input = { from: `x@${acme.domain}`, to: ['ann@r.example'], text: 'x' };
    const on = (serverId: string | undefined, person: Person) =>
      w.execute(send, { input: { ...input, serverId } }, person);
    expect((await on(server(acme.serverId), member)).data.sendEmail.__typename).toBe('Message');
    expect((await on(server(second), member)).errors).toMatchObject([{ code: 'FORBIDDEN' }]);
    expect((await on(undefined, owner)).data.sendEmail.code).toBe('INVALID_INPUT');
  });

  test('a changed grant holds from the next request on, and shows in what a kept connection compares', async () => {
    const person = await w.person({ account: acme, grants: { [second]: 'VIEWER' } });
    await w.db.deleteFrom('serverGrants').where('userId', '=', person.userId).execute();
    const now = await w.again(person);
    expect(now.rights).not.toBe(person.rights);
    expect((await w.execute(SERVER, { id: server(second) }, now)).data.server).toBeNull();
  });
});

describe('one person in two accounts', () => {
  let both: Person;
  beforeAll(async () => {
    both = await w.person({ account: acme, role: 'ADMIN' });
    await w.db
      .insertInto('memberships')
      .values({ accountId: other.accountId, userId: both.userId, role: 'MEMBER', createdAt: new Date(0) })
      .execute();
    await w.db
      .insertInto('serverGrants')
      .values({ accountId: other.accountId, userId: both.userId, serverId: other.serverId, level: 'VIEWER' })
      .execute();
    both = await w.again(both);
  });

  test('finds things of both by id, with the rights of each', async () => {
    const { data } = await w.execute(
      'query ($a: ID!, $b: ID!) { a: server(id: $a) { viewerLevel } b: server(id: $b) { viewerLevel streams { id } } account { id } }',
      { a: server(acme.serverId), b: server(other.serverId) },
      both,
    );
    expect(data.a.viewerLevel).toBe('ADMIN');
    expect(data.b.viewerLevel).toBe('VIEWER');
    expect(data.b.streams).toHaveLength(3);
    // Which of the two is not for us to say.
    expect(data.account).toBeNull();
  });

  test('reads both in one document through its memberships', async () => {
    const { data, errors } = await w.execute(
      '{ viewer { kind user { email } memberships { role account { name servers(first: 9) { edges { node { name } } } } servers { level } } } }',
      {},
      both,
    );
    expect(errors).toEqual([]);
    expect(data.viewer.kind).toBe('USER');
    expect(data.viewer.memberships.map(({ role }: { role: string }) => role).sort()).toEqual(['ADMIN', 'MEMBER']);
    const names = JSON.stringify(data.viewer.memberships);
    expect(names).toContain('Account 1');
    expect(names).toContain('Account 2');
  });

  test('does in each only what its role there allows', async () => {
    const refused = await w.execute(RENAME, { id: server(other.serverId), name: 'X' }, both);
    expect(refused.errors).toMatchObject([{ code: 'FORBIDDEN' }]);
    const create =
      'mutation ($accountId: ID!) { createServer(input: { accountId: $accountId, name: "Y" }) { __typename } }';
    const there = await w.execute(create, { accountId: encodeId('account', other.accountId) }, both);
    expect(there.errors).toMatchObject([{ code: 'FORBIDDEN' }]);
  });
});

describe('staff of the installation', () => {
  test('see nothing of an account that has not let them in', async () => {
    const staff = await w.person({ staff: true });
    const { data } = await w.execute(SERVER, { id: server(acme.serverId) }, staff);
    expect(data?.server ?? null).toBeNull();
  });

  test('look while they are let in, change nothing, and every look is on record before it', async () => {
    const staff = await w.person({ staff: true });
    const at = w.deps.clock.now();
    await w.db
      .insertInto('staffAccessGrants')
      .values({
        accountId: acme.accountId,
        id: w.deps.ids.next(),
        userId: staff.userId,
        reason: 'Ticket 7',
        complianceReview: false,
        hours: 1,
        requestedAt: at,
        answeredAt: at,
        granted: true,
        expiresAt: new Date(at.getTime() + 3_600_000),
        revokedAt: null,
      })
      .execute();
    const inside = await w.again(staff);
    const { data, errors } = await w.execute(SERVER, { id: server(acme.serverId) }, inside);
    expect(errors).toEqual([]);
    expect(data.server.viewerLevel).toBe('VIEWER');
    const rename = await w.execute(RENAME, { id: server(acme.serverId), name: 'X' }, inside);
    expect(rename.errors).toMatchObject([{ code: 'FORBIDDEN' }]);
    const looks = await w.db
      .selectFrom('auditLog')
      .select(['actorKind', 'actorId', 'subjectIds'])
      .where('accountId', '=', acme.accountId)
      .where('action', '=', 'staffAccess.look')
      .execute();
    expect(looks).toContainEqual({ actorKind: 'STAFF', actorId: staff.userId, subjectIds: [server(acme.serverId)] });
  });
});

test('the audit log refuses to be rewritten, also by the one who owns the table', async () => {
  await w.execute(RENAME, { id: server(acme.serverId), name: 'Main' }, owner);
  await expect(w.db.updateTable('auditLog').set({ action: 'x' }).execute()).rejects.toThrow('append-only');
  await expect(w.db.deleteFrom('auditLog').execute()).rejects.toThrow('append-only');
});
