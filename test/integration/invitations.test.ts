// Invitations: who may send them, to whom, and what becomes of their links.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { encodeId } from '#/domain/ids.ts';
import type { Person } from '#/domain/person.ts';
import { acceptInvitation } from '#/resolvers/invitations/accept-invitation.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { auditOf, mailsTo, secretFor, visitor } from '../support/visitors.ts';
import { type TestAccount, type World, world } from '../support/world.ts';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const PASSWORD = 'seven unlikely walnut bridges';
const INVITATION = 'id email role expiresAt servers { level server { id } } invitedBy { email }';
const INVITE = `mutation ($input: InviteMembersInput!) { inviteMembers(input: $input) { __typename ... on Error { code message }
  ... on InvalidInput { issues { path message } } ... on InvitedMembers { invitations { ${INVITATION} } } } }`;
const RESEND = `mutation ($id: ID!) { resendInvitation(input: { id: $id }) { __typename ... on Error { code }
  ... on Invitation { expiresAt } } }`;
const REVOKE = `mutation ($id: ID!) { revokeInvitation(input: { id: $id }) { __typename ... on Error { code }
  ... on Deleted { id } } }`;
const ACCEPT = `mutation ($input: AcceptInvitationInput!) { acceptInvitation(input: $input) { __typename
  ... on Error { code message } ... on InvalidInput { issues { path message } }
  ... on SignedIn { token requirement session { id current } user { id name email } } } }`;
const LIST = `query ($id: ID!) { account(id: $id) { invitations { ${INVITATION} } } }`;

let w: World;
let clock: FakeClock;
let a: TestAccount;
let owner: Person;
let serial = 0;
let address: string;

beforeAll(async () => {
  clock = new FakeClock();
  w = await world({ clock });
});
beforeEach(async () => {
  a = await w.account();
  owner = await w.person({ account: a, role: 'OWNER' });
  address = `guest${++serial}@guests.example`;
});
afterAll(() => w[Symbol.asyncDispose]());

async function invite(changes: object = {}, person: Person = owner) {
  const input = { accountId: encodeId('account', a.accountId), emails: [address], role: 'MEMBER', ...changes };
  const { data, errors } = await w.execute(INVITE, { input }, person);
  return errors[0] ?? data.inviteMembers;
}
async function one(changes: object = {}): Promise<string> {
  const answer = await invite(changes);
  if (answer.__typename !== 'InvitedMembers') throw new Error(JSON.stringify(answer));
  return answer.invitations[0].id;
}
async function onId(document: string, field: string, id: string, person: Person = owner) {
  const { data, errors } = await w.execute(document, { id }, person);
  return errors[0] ?? data[field];
}
async function elsewhere(): Promise<[TestAccount, Person]> {
  const account = await w.account();
  return [account, await w.person({ account, role: 'OWNER' })];
}
const resend = (id: string, person?: Person) => onId(RESEND, 'resendInvitation', id, person);
const revoke = (id: string, person?: Person) => onId(REVOKE, 'revokeInvitation', id, person);
const token = () => secretFor(w, address, 'invitation');
async function accept(input: object, person: Person | null = null) {
  const { data, errors } = await w.execute(ACCEPT, { input }, person);
  return errors[0] ?? data.acceptInvitation;
}
const newcomer = { name: 'Ann', password: PASSWORD };
const list = async (person = owner) =>
  (await w.execute(LIST, { id: encodeId('account', a.accountId) }, person)).data?.account.invitations;
const membershipsOf = (userId: string) =>
  w.db.selectFrom('memberships').select(['accountId', 'role']).where('userId', '=', userId).execute();

describe('inviting is refused', () => {
  test('to members, programs and strangers', async () => {
    const member = await w.person({ account: a, grants: { [a.serverId]: 'ADMIN' } });
    const stranger = await w.person({ account: await w.account(), role: 'OWNER' });
    expect(await invite({}, member)).toMatchObject({ code: 'FORBIDDEN' });
    expect(await invite({}, stranger)).toMatchObject({ code: 'NOT_FOUND' });
    const id = await one();
    for (const act of [resend, revoke]) {
      expect(await act(id, member)).toMatchObject({ code: 'FORBIDDEN' });
      expect(await act(id, stranger)).toMatchObject({ code: 'NOT_FOUND' });
    }
    const seen = await w.execute(LIST, { id: encodeId('account', a.accountId) }, member);
    expect(seen.errors).toMatchObject([{ code: 'FORBIDDEN' }]);
  });

  test('without a fresh proof where it makes an ADMIN, of the account or of a server', async () => {
    const late = await w.person({ account: a, role: 'ADMIN', proved: false });
    const servers = [{ serverId: encodeId('server', a.serverId), level: 'ADMIN' }];
    expect(await invite({ role: 'ADMIN' }, late)).toMatchObject({ code: 'STEP_UP_REQUIRED' });
    expect(await invite({ servers }, late)).toMatchObject({ code: 'STEP_UP_REQUIRED' });
    expect(await invite({ servers: [{ ...servers[0], level: 'VIEWER' }] }, late)).toMatchObject({
      __typename: 'InvitedMembers',
    });
  });

  test.each([
    [['role'], { role: 'OWNER' }],
    [['emails'], { emails: [] }],
    [['emails'], { emails: Array.from({ length: 51 }, (_, index) => `p${index}@x.example`) }],
    [['emails', '1'], { emails: ['a@x.example', 'nowhere'] }],
    [['emails', '0'], { emails: ['Ann <a@x.example>'] }],
  ])('for its %j', async (path, changes) => {
    expect(await invite(changes)).toMatchObject({ __typename: 'InvalidInput', issues: [{ path }] });
    expect(await list()).toEqual([]);
  });

  test('of who is a member or invited already: nobody of the request is invited then', async () => {
    await one();
    const member = await w.person({ account: a });
    const answer = await invite({ emails: ['new@x.example', member.email.toUpperCase(), address.toUpperCase()] });
    expect(answer.issues).toEqual([
      { path: ['emails', '1'], message: 'is a member already' },
      { path: ['emails', '2'], message: expect.stringContaining('is invited already') },
    ]);
    expect(await list()).toHaveLength(1);
  });

  test('to a server of another account, like to none, and to servers as ADMIN', async () => {
    const other = await w.account();
    const grant = (serverId: string) => [{ serverId: encodeId('server', serverId), level: 'VIEWER' }];
    expect(await invite({ servers: grant(other.serverId) })).toMatchObject({ code: 'NOT_FOUND' });
    expect(await invite({ role: 'ADMIN', servers: grant(a.serverId) })).toMatchObject({
      issues: [{ path: ['servers'] }],
    });
  });

  test('again and again to one address, by revoking and inviting anew; other accounts do not wait', async () => {
    for (let mails = 0; mails < 4; mails++) await revoke(await one());
    expect(await invite()).toMatchObject({ code: 'RATE_LIMITED' });
    expect(await invite({ emails: ['other@guests.example', address.toUpperCase()] })).toMatchObject({
      code: 'RATE_LIMITED',
    });
    expect(await invite({ emails: ['other@guests.example'] })).toMatchObject({ __typename: 'InvitedMembers' });
    [a, owner] = await elsewhere();
    expect(await invite()).toMatchObject({ __typename: 'InvitedMembers' });
  });

  test('beyond 200 that are open', async () => {
    const some = (from: number) => ({ emails: Array.from({ length: 50 }, (_, index) => `p${from + index}@x.example`) });
    for (const from of [0, 50, 100, 150]) expect((await invite(some(from))).invitations).toHaveLength(50);
    expect(await invite()).toMatchObject({ __typename: 'LimitReached' });
  });
});

describe('an invitation', () => {
  test('goes to each address once, and tells nobody whether it has an identity', async () => {
    const known = await w.person({});
    const servers = [{ serverId: encodeId('server', a.serverId), level: 'VIEWER' }];
    const { invitations } = await invite({ emails: [address, known.email, address.toUpperCase()], servers });
    expect(invitations.map(({ email }: { email: string }) => email)).toEqual([address, known.email]);
    expect(invitations[0]).toMatchObject({
      role: 'MEMBER',
      invitedBy: { email: owner.email },
      servers: [{ level: 'VIEWER', server: servers[0] && { id: servers[0].serverId } }],
      expiresAt: new Date(clock.now().getTime() + 7 * DAY).toISOString(),
    });
    const [toNew] = await mailsTo(w, address);
    const [toKnown] = await mailsTo(w, known.email);
    const anonymous = (mail: typeof toNew) => mail?.text.replace(/invitation\/\S+/, '').replaceAll(mail.to, '');
    expect(anonymous(toNew)).toBe(anonymous(toKnown));
    expect(toNew?.text).toContain(owner.email);
  });

  test('is found by its id, by who may see it', async () => {
    const id = await one();
    const node = 'query ($id: ID!) { node(id: $id) { __typename ... on Invitation { email } } }';
    expect((await w.execute(node, { id }, owner)).data.node).toEqual({ __typename: 'Invitation', email: address });
    const guest = await w.person({ account: a });
    expect((await w.execute(node, { id }, guest)).errors).toMatchObject([{ code: 'FORBIDDEN' }]);
  });

  test('leaves its secret in no row and no record', async () => {
    await one();
    const secret = await token();
    const rows = await w.db.selectFrom('invitations').selectAll().execute();
    expect(JSON.stringify([rows, await auditOf(w, a.accountId)])).not.toContain(secret);
  });

  test('is mailed again once a minute; the link before is dead', async () => {
    const id = await one();
    const before = await token();
    expect(await resend(id)).toMatchObject({ code: 'CONFLICT' });
    await clock.advance(MINUTE);
    expect(await resend(id)).toMatchObject({ expiresAt: new Date(clock.now().getTime() + 7 * DAY).toISOString() });
    expect(await accept({ token: before, ...newcomer })).toMatchObject({ code: 'INVALID_CODE' });
    expect(await accept({ token: await token(), ...newcomer })).toMatchObject({ __typename: 'SignedIn' });
  });

  test('is dead once revoked, and once its time is over; then the address can be invited anew', async () => {
    const id = await one();
    expect(await revoke(id)).toEqual({ __typename: 'Deleted', id });
    expect(await revoke(id)).toMatchObject({ code: 'NOT_FOUND' });
    expect(await accept({ token: await token(), ...newcomer })).toMatchObject({ code: 'INVALID_CODE' });
    await one();
    await clock.advance(7 * DAY);
    expect(await accept({ token: await token(), ...newcomer })).toMatchObject({ code: 'INVALID_CODE' });
    owner = await w.person({ account: a, role: 'OWNER' });
    expect(await list()).toEqual([]);
    await one();
  });
});

describe('accepting is refused', () => {
  test('with what is no link, the same as with an old one', async () => {
    for (const wrong of ['', 'x', 'A'.repeat(43)]) {
      expect(await accept({ token: wrong, ...newcomer })).toMatchObject({ code: 'INVALID_CODE' });
    }
  });

  test('to somebody else who is signed in, and the link stays good', async () => {
    await one();
    const other = await w.person({});
    expect(await accept({ token: await token(), ...newcomer }, other)).toMatchObject({ code: 'INVALID_CODE' });
    expect(await accept({ token: await token(), ...newcomer })).toMatchObject({ __typename: 'SignedIn' });
  });

  test('without name and password, or with a weak one, to who is new', async () => {
    await one();
    const link = await token();
    expect(await accept({ token: link })).toMatchObject({ issues: [{ path: ['name'] }, { path: ['password'] }] });
    expect(await accept({ token: link, name: 'Ann', password: 'password1' })).toMatchObject({ code: 'WEAK_PASSWORD' });
    expect(await accept({ token: link, name: 'Ann', password: address })).toMatchObject({ code: 'WEAK_PASSWORD' });
  });

  test('to an identity without its password, and with a wrong one, which costs a wait in the end', async () => {
    const passwordHash = await w.deps.passwords.hash(PASSWORD);
    const known = await w.person({ email: address, passwordHash });
    await one();
    const link = await token();
    expect(await accept({ token: link, name: 'Ann' })).toMatchObject({ issues: [{ path: ['password'] }] });
    for (let guess = 0; guess < 6; guess++) {
      expect(await accept({ token: link, password: 'wrong' })).toMatchObject({ issues: [{ path: ['password'] }] });
    }
    expect(await accept({ token: link, password: PASSWORD })).toMatchObject({ code: 'RATE_LIMITED' });
    expect(await membershipsOf(known.userId)).toEqual([]);
    await clock.advance(DAY);
    expect(await accept({ token: link, password: PASSWORD })).toMatchObject({ __typename: 'SignedIn' });
  });

  test('to an identity that was never given a password: it is set by a reset, not by this link', async () => {
    await w.person({ email: address });
    await one();
    expect(await accept({ token: await token(), ...newcomer })).toMatchObject({ issues: [{ path: ['password'] }] });
  });

  test('to who must set up a second factor first', async () => {
    const strict = await w.account();
    await w.db
      .updateTable('accounts')
      .set({ twoFactorPolicy: 'REQUIRED' })
      .where('id', '=', strict.accountId)
      .execute();
    const person = await w.person({ account: strict, email: address });
    await one();
    expect(await accept({ token: await token() }, person)).toMatchObject({ code: 'TWO_FACTOR_ENROLLMENT_REQUIRED' });
  });
});

describe('accepted', () => {
  test('by who is new: an identity with a session and the rights of the invitation', async () => {
    const servers = [{ serverId: encodeId('server', a.serverId), level: 'VIEWER' }];
    await one({ servers });
    const answer = await accept({ token: await token(), ...newcomer });
    expect(answer).toMatchObject({
      requirement: null,
      token: expect.stringMatching(/^vru_/),
      session: { current: true },
      user: { name: 'Ann', email: address },
    });
    const row = await w.db.selectFrom('users').selectAll().where('email', '=', address).executeTakeFirstOrThrow();
    expect(await membershipsOf(row.id)).toEqual([{ accountId: a.accountId, role: 'MEMBER' }]);
    const grants = await w.db.selectFrom('serverGrants').selectAll().where('userId', '=', row.id).execute();
    expect(grants).toMatchObject([{ serverId: a.serverId, level: 'VIEWER' }]);
    expect((await auditOf(w, a.accountId)).map(({ action }) => action)).toContain('invitation.accept');
    expect(await accept({ token: await token(), ...newcomer })).toMatchObject({ code: 'INVALID_CODE' });
  });

  test('by who is signed in as the address: the session gets a new secret, and no new proof or time', async () => {
    const person = await w.person({ email: address, proved: false });
    await one({ role: 'ADMIN' });
    await clock.advance(MINUTE);
    const set: string[] = [];
    const browser = { ...visitor({ person, set }), person: { ...person, byCookie: true } };
    const input = { token: await token(), name: null, password: null };
    const begun = await acceptInvitation(w.deps, browser, input);
    expect(set).toEqual([begun.secret]);
    expect(begun.session).toMatchObject({ id: person.session.id, provedAt: null, expiresAt: person.session.expiresAt });
    expect(await membershipsOf(person.userId)).toEqual([{ accountId: a.accountId, role: 'ADMIN' }]);
    expect((await w.again(person)).rights).not.toBe(person.rights);
  });

  test('by a password: the membership is of no use before the second factor is shown', async () => {
    const passwordHash = await w.deps.passwords.hash(PASSWORD);
    const known = await w.person({ email: address, passwordHash, secondFactor: true });
    await one({ role: 'ADMIN' });
    expect(await accept({ token: await token(), password: PASSWORD })).toMatchObject({
      requirement: 'VERIFY_TWO_FACTOR',
      user: { id: encodeId('user', known.userId) },
    });
    expect(await membershipsOf(known.userId)).toHaveLength(1);
    const pending = await w.db
      .selectFrom('sessions')
      .select('id')
      .where('userId', '=', known.userId)
      .where('secondFactorPending', '=', true)
      .executeTakeFirstOrThrow();
    const half = await w.again({ ...known, session: { ...known.session, id: pending.id } });
    expect((await w.execute('{ account { name } }', {}, half)).errors).toMatchObject([{ code: 'TWO_FACTOR_REQUIRED' }]);
  });

  test('by who is only half signed in: like by nobody', async () => {
    const passwordHash = await w.deps.passwords.hash(PASSWORD);
    const half = await w.person({ email: address, passwordHash, secondFactor: true, halfSignedIn: true });
    await one();
    expect(await accept({ token: await token() }, half)).toMatchObject({ issues: [{ path: ['password'] }] });
  });

  test('by two at once: one of them', async () => {
    await one();
    const link = await token();
    const answers = await Promise.all([0, 1, 2].map(() => accept({ token: link, ...newcomer })));
    expect(answers.filter(({ __typename }) => __typename === 'SignedIn')).toHaveLength(1);
    for (const { code } of answers.filter(({ __typename }) => __typename !== 'SignedIn'))
      expect(code).toBe('INVALID_CODE');
  });

  test('after a server was deleted: without the grant on it', async () => {
    const doomed = await a.server('Doomed');
    await one({ servers: [{ serverId: encodeId('server', doomed), level: 'VIEWER' }] });
    const drop = 'mutation ($id: ID!) { deleteServer(input: { id: $id }) { __typename } }';
    await w.execute(drop, { id: encodeId('server', doomed) }, a.manager);
    expect(await accept({ token: await token(), ...newcomer })).toMatchObject({ __typename: 'SignedIn' });
    expect(await w.db.selectFrom('serverGrants').select('serverId').where('serverId', '=', doomed).execute()).toEqual(
      [],
    );
  });

  test('where the account demands a second factor: one must be set up first', async () => {
    await w.db.updateTable('accounts').set({ twoFactorPolicy: 'REQUIRED' }).where('id', '=', a.accountId).execute();
    owner = await w.person({ account: a, role: 'OWNER', secondFactor: true });
    await one();
    expect(await accept({ token: await token(), ...newcomer })).toMatchObject({ requirement: 'ENROLL_TWO_FACTOR' });
  });
});
