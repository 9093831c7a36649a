// Members: who sees them, who changes them, who removes them, and how an account changes its owner.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { encodeId } from '#/domain/ids.ts';
import type { Person } from '#/domain/person.ts';
import { auditOf, mailsTo } from '../support/visitors.ts';
import { type TestAccount, type World, world } from '../support/world.ts';

const ERRORS = '__typename ... on Error { code message }';
const LIST = `query ($id: ID!, $first: Int!, $after: String, $twoFactor: Boolean) { account(id: $id) {
  members(first: $first, after: $after, twoFactor: $twoFactor) { edges { cursor node { role user { id email twoFactor { enabled } }
    servers { level server { id } } } } pageInfo { hasNextPage endCursor } } } }`;
const UPDATE = `mutation ($input: UpdateMembershipInput!) { updateMembership(input: $input) { ${ERRORS} ... on InvalidInput { issues { path } }
  ... on Membership { role user { id } servers { level server { id } } } } }`;
const REMOVE = `mutation ($input: RemoveMemberInput!) { removeMember(input: $input) { ${ERRORS} ... on Account { id } } }`;
const TRANSFER = `mutation ($input: TransferOwnershipInput!) { transferOwnership(input: $input) { ${ERRORS} ... on Account { id } } }`;

let w: World;
let a: TestAccount;
let second: string;
let owner: Person;
let admin: Person;
let member: Person;

beforeAll(async () => {
  w = await world();
});
beforeEach(async () => {
  a = await w.account();
  second = await a.server('Second');
  owner = await w.person({ account: a, role: 'OWNER' });
  admin = await w.person({ account: a, role: 'ADMIN' });
  member = await w.person({ account: a, grants: { [a.serverId]: 'ADMIN' } });
});
afterAll(() => w[Symbol.asyncDispose]());

const idOf = (person: Person) => encodeId('user', person.userId);
const server = (id: string) => encodeId('server', id);

async function run(document: string, field: string, input: object, person: Person) {
  const whole = { accountId: encodeId('account', a.accountId), ...input };
  const { data, errors } = await w.execute(document, { input: whole }, person);
  return errors[0] ?? data[field];
}
const update = (input: object, person = owner) => run(UPDATE, 'updateMembership', input, person);
const remove = (input: object, person = owner) => run(REMOVE, 'removeMember', input, person);
const transfer = (input: object, person = owner) => run(TRANSFER, 'transferOwnership', input, person);

async function list(person: Person, changes: object = {}) {
  const variables = { id: encodeId('account', a.accountId), first: 50, ...changes };
  const { data, errors } = await w.execute(LIST, variables, person);
  return errors[0] ?? data.account.members;
}
const emailsIn = ({ edges }: { edges: { node: { user: { email: string } } }[] }) =>
  edges.map(({ node }) => node.user.email);

async function roles() {
  const rows = await w.db
    .selectFrom('memberships')
    .select(['userId', 'role'])
    .where('accountId', '=', a.accountId)
    .execute();
  return new Map(rows.map(({ userId, role }) => [userId, role]));
}

describe('the list', () => {
  test('is refused to viewers, members without a server, and programs', async () => {
    const viewer = await w.person({ account: a, grants: { [a.serverId]: 'VIEWER' } });
    const guest = await w.person({ account: a });
    for (const person of [viewer, guest]) expect(await list(person)).toMatchObject({ code: 'FORBIDDEN' });
    const variables = { id: encodeId('account', a.accountId), first: 1 };
    expect((await w.execute(LIST, variables, a.manager)).errors).toMatchObject([{ code: 'FORBIDDEN' }]);
  });

  test('shows everybody to an admin, and who shares a server to an admin of one', async () => {
    const beside = await w.person({ account: a, grants: { [a.serverId]: 'VIEWER', [second]: 'ADMIN' } });
    const elsewhere = await w.person({ account: a, grants: { [second]: 'ADMIN' } });
    expect(emailsIn(await list(admin))).toEqual([owner, admin, member, beside, elsewhere].map(({ email }) => email));
    const seen = await list(member);
    expect(emailsIn(seen)).toEqual([owner, admin, member, beside].map(({ email }) => email));
    // Nor does it tell of servers that they do not see.
    expect(JSON.stringify(seen)).not.toContain(server(second));
  });

  test('comes page by page, and by who has a second factor', async () => {
    const careful = await w.person({ account: a, secondFactor: true });
    const first = await list(owner, { first: 3 });
    expect(first.pageInfo.hasNextPage).toBe(true);
    const rest = await list(owner, { first: 3, after: first.pageInfo.endCursor });
    expect([...emailsIn(first), ...emailsIn(rest)]).toEqual([owner, admin, member, careful].map(({ email }) => email));
    expect(emailsIn(await list(owner, { twoFactor: true }))).toEqual([careful.email]);
    expect(emailsIn(await list(owner, { twoFactor: false }))).not.toContain(careful.email);
    expect(await list(owner, { after: 'x' })).toMatchObject({ code: 'INVALID_CURSOR' });
  });

  test('asks as often for twenty as for one', async () => {
    for (let count = 0; count < 20; count++) await w.person({ account: a, grants: { [second]: 'VIEWER' } });
    const counting = async (first: number) => {
      const before = w.queries;
      await list(owner, { first });
      return w.queries - before;
    };
    expect(await counting(20)).toBe(await counting(4));
  });
});

describe('a change is refused', () => {
  test('to who is no admin, and without a fresh proof', async () => {
    const late = await w.person({ account: a, role: 'ADMIN', proved: false });
    expect(await update({ userId: idOf(admin), role: 'MEMBER' }, member)).toMatchObject({ code: 'FORBIDDEN' });
    expect(await update({ userId: idOf(member), role: 'ADMIN' }, late)).toMatchObject({ code: 'STEP_UP_REQUIRED' });
    expect(await remove({ userId: idOf(member) }, late)).toMatchObject({ code: 'STEP_UP_REQUIRED' });
    expect(await remove({ userId: idOf(admin) }, member)).toMatchObject({ code: 'FORBIDDEN' });
    expect(await transfer({ userId: idOf(admin) }, admin)).toMatchObject({ code: 'FORBIDDEN' });
  });

  test('of people and servers of other accounts, like of nobody', async () => {
    const other = await w.account();
    const stranger = await w.person({ account: other });
    for (const act of [update, remove, transfer]) {
      expect(await act({ userId: idOf(stranger) })).toMatchObject({ code: 'NOT_FOUND' });
      const theirs = { accountId: encodeId('account', other.accountId), userId: idOf(stranger) };
      expect(await act(theirs)).toMatchObject({ code: 'NOT_FOUND' });
    }
    const servers = [{ serverId: server(other.serverId), level: 'VIEWER' }];
    expect(await update({ userId: idOf(member), servers })).toMatchObject({ code: 'NOT_FOUND' });
  });

  test('of the owner, by whomever, and to owner', async () => {
    for (const person of [owner, admin]) {
      expect(await update({ userId: idOf(owner), role: 'ADMIN' }, person)).toMatchObject({ code: 'CONFLICT' });
      expect(await remove({ userId: idOf(owner) }, person)).toMatchObject({ code: 'CONFLICT' });
    }
    expect(await update({ userId: idOf(admin), role: 'OWNER' }, admin)).toMatchObject({ code: 'CONFLICT' });
    expect(await update({ userId: idOf(member), role: 'OWNER' })).toMatchObject({ code: 'CONFLICT' });
    expect([...(await roles()).values()].filter((role) => role === 'OWNER')).toHaveLength(1);
  });

  test('for its grants', async () => {
    const twice = [
      { serverId: server(second), level: 'ADMIN' },
      { serverId: server(second), level: 'VIEWER' },
    ];
    expect(await update({ userId: idOf(member), servers: twice })).toMatchObject({ issues: [{ path: ['servers'] }] });
    const asAdmin = { userId: idOf(member), role: 'ADMIN', servers: twice.slice(1) };
    expect(await update(asAdmin)).toMatchObject({ issues: [{ path: ['servers'] }] });
  });

  test('to who has lost the role since the request began', async () => {
    await update({ userId: idOf(admin), role: 'MEMBER' });
    expect(await update({ userId: idOf(member), role: 'ADMIN' }, admin)).toMatchObject({ code: 'FORBIDDEN' });
    expect(await remove({ userId: idOf(member) }, admin)).toMatchObject({ code: 'FORBIDDEN' });
  });
});

describe('a change', () => {
  test('of grants takes the place of what there was, for the next request on', async () => {
    const servers = [{ serverId: server(second), level: 'VIEWER' }];
    expect(await update({ userId: idOf(member), servers }, admin)).toMatchObject({
      role: 'MEMBER',
      servers: [{ level: 'VIEWER', server: { id: server(second) } }],
    });
    const now = await w.again(member);
    expect(now.rights).not.toBe(member.rights);
    const seen = await w.execute('query ($id: ID!) { server(id: $id) { id } }', { id: server(a.serverId) }, now);
    expect(seen.data.server).toBeNull();
    expect(await update({ userId: idOf(member), servers: null })).toMatchObject({ servers: [] });
  });

  test('to ADMIN and back leaves no grant', async () => {
    expect(await update({ userId: idOf(member), role: 'ADMIN' }, admin)).toMatchObject({ role: 'ADMIN', servers: [] });
    expect(await update({ userId: idOf(member), role: 'MEMBER' })).toMatchObject({ role: 'MEMBER', servers: [] });
  });

  test('down of oneself is allowed', async () => {
    expect(await update({ userId: idOf(admin), role: 'MEMBER' }, admin)).toMatchObject({ role: 'MEMBER' });
  });

  test('takes back the invitations that they have sent', async () => {
    const invite =
      'mutation ($input: InviteMembersInput!) { inviteMembers(input: $input) { __typename ... on Error { message } } }';
    const input = { accountId: encodeId('account', a.accountId), emails: ['friend@x.example'], role: 'ADMIN' };
    expect((await w.execute(invite, { input }, admin)).data.inviteMembers.__typename).toBe('InvitedMembers');
    await update({ userId: idOf(admin), role: 'MEMBER' });
    const left = await w.db.selectFrom('invitations').select('id').where('accountId', '=', a.accountId).execute();
    expect(left).toEqual([]);
  });

  test('stands in the audit log with what was before', async () => {
    await update({ userId: idOf(member), servers: [{ serverId: server(second), level: 'ADMIN' }] });
    const entry = (await auditOf(w, a.accountId)).find(({ action }) => action === 'member.update');
    expect(entry).toMatchObject({
      subjectIds: [idOf(member)],
      changes: {
        email: member.email,
        servers: { before: { [server(a.serverId)]: 'ADMIN' }, after: { [server(second)]: 'ADMIN' } },
      },
    });
  });

  test('of a deleted server is none: the grant vanishes with it', async () => {
    const drop = 'mutation ($id: ID!) { deleteServer(input: { id: $id }) { __typename } }';
    await w.execute(drop, { id: server(a.serverId) }, a.manager);
    const { edges } = await list(owner);
    expect(edges.find(({ node }: any) => node.user.email === member.email).node.servers).toEqual([]);
    expect((await w.again(member)).memberships[0]?.grants.size).toBe(0);
  });
});

describe('removal', () => {
  test('takes all rights at once, and leaves the identity', async () => {
    expect(await remove({ userId: idOf(member) }, admin)).toMatchObject({ id: encodeId('account', a.accountId) });
    const now = await w.again(member);
    expect(now.memberships).toEqual([]);
    expect(now.rights).not.toBe(member.rights);
    expect((await w.execute(LIST, { id: encodeId('account', a.accountId), first: 1 }, now)).data.account).toBeNull();
  });

  test('of oneself is for everybody but the owner', async () => {
    const guest = await w.person({ account: a });
    for (const person of [guest, admin])
      expect(await remove({ userId: idOf(person) }, person)).toMatchObject({ __typename: 'Account' });
    expect(await remove({ userId: idOf(owner) })).toMatchObject({ code: 'CONFLICT' });
    const actions = (await auditOf(w, a.accountId)).map(({ action }) => action);
    expect(actions.filter((action) => action === 'member.leave')).toHaveLength(2);
  });
});

describe('the ownership', () => {
  test('is not handed to who has no second factor where the account demands one', async () => {
    await w.db.updateTable('accounts').set({ twoFactorPolicy: 'REQUIRED' }).where('id', '=', a.accountId).execute();
    owner = await w.person({ account: a, role: 'OWNER', secondFactor: true });
    expect(await transfer({ userId: idOf(admin) })).toMatchObject({ code: 'CONFLICT' });
    const careful = await w.person({ account: a, secondFactor: true });
    expect(await transfer({ userId: idOf(careful) })).toMatchObject({ __typename: 'Account' });
  });

  test('is not handed over without a fresh proof, nor to oneself', async () => {
    const late = await w.person({ account: a, role: 'OWNER', proved: false });
    expect(await transfer({ userId: idOf(admin) }, late)).toMatchObject({ code: 'STEP_UP_REQUIRED' });
    const now = await w.person({ account: a, role: 'OWNER' });
    expect(await transfer({ userId: idOf(now) }, now)).toMatchObject({ code: 'CONFLICT' });
  });

  test('goes to the other, who is told like the one before, who stays as ADMIN', async () => {
    expect(await transfer({ userId: idOf(member) })).toMatchObject({ __typename: 'Account' });
    expect((await roles()).get(member.userId)).toBe('OWNER');
    expect((await roles()).get(owner.userId)).toBe('ADMIN');
    for (const { email } of [owner, member]) expect((await mailsTo(w, email)).at(-1)?.subject).toContain('new owner');
    expect((await auditOf(w, a.accountId)).at(-1)).toMatchObject({
      action: 'account.transfer',
      changes: { owner: { before: owner.email, after: member.email } },
    });
  });

  test('goes to one of many at once', async () => {
    const heirs = [admin, member, ...(await Promise.all([0, 1, 2].map(() => w.person({ account: a }))))];
    const answers = await Promise.all(heirs.map((heir) => transfer({ userId: idOf(heir) })));
    expect(answers.filter(({ __typename }) => __typename === 'Account')).toHaveLength(1);
    expect(answers.filter(({ code }) => code === 'FORBIDDEN')).toHaveLength(heirs.length - 1);
    expect([...(await roles()).values()].filter((role) => role === 'OWNER')).toHaveLength(1);
  });
});
