// Staff of the installation: they see nothing of an account unless they are let in or review it, change nothing, and all
// that they look at stands in the account's audit log.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { encodeId } from '#/domain/ids.ts';
import type { Person } from '#/domain/person.ts';
import { addStaff, removeStaff } from '#/resolvers/installation/staff.ts';
import { ensureSystemServer } from '#/resolvers/installation/system-account.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { auditOf, mailsTo } from '../support/visitors.ts';
import { type TestAccount, type World, world } from '../support/world.ts';

const HOUR = 3_600_000;
const GRANT = '... on StaffAccessGrant { id staff reason state complianceReview hours requestedAt expiresAt }';
const FIELDS = `__typename ... on Error { code message } ${GRANT}`;
const REQUEST = `mutation ($input: StaffAccessInput!) { requestStaffAccess(input: $input) { ${FIELDS}
  ... on InvalidInput { issues { path } } } }`;
const REVIEW = `mutation ($input: StaffAccessInput!) { openComplianceReview(input: $input) { ${FIELDS} } }`;
const ANSWER = `mutation ($input: AnswerStaffAccessInput!) { answerStaffAccessRequest(input: $input) { ${FIELDS}
  ... on InvalidInput { issues { path } } } }`;
const REVOKE = `mutation ($input: IdInput!) { revokeStaffAccess(input: $input) { ${FIELDS} } }`;
const END = `mutation ($input: IdInput!) { endStaffAccess(input: $input) { ${FIELDS} } }`;

let w: World;
let still: World;
let clock: FakeClock;
let a: TestAccount;
let owner: Person;
let staff: Person;

beforeAll(async () => {
  clock = new FakeClock();
  still = await world({ clock });
});
beforeEach(async () => {
  w = still;
  a = await w.account();
  owner = await w.person({ account: a, role: 'OWNER' });
  staff = await w.person({ staff: true });
});
afterAll(() => still[Symbol.asyncDispose]());

async function run(document: string, input: object, person: Person | null) {
  const { data, errors } = await w.execute(document, { input }, person);
  return errors[0] ?? Object.values<any>(data)[0];
}
const order = (changes: object = {}) => ({
  accountId: encodeId('account', a.accountId),
  reason: 'Ticket 7',
  hours: 2,
  ...changes,
});
const request = (changes: object = {}, person: Person | null = staff) => run(REQUEST, order(changes), person);
const review = (changes: object = {}, person: Person | null = staff) => run(REVIEW, order(changes), person);
const answer = (id: string, changes: object = {}, person = owner) =>
  run(ANSWER, { id, grant: true, ...changes }, person);
const revoke = (id: string, person = owner) => run(REVOKE, { id }, person);
const end = (id: string, person = staff) => run(END, { id }, person);

async function letIn(): Promise<string> {
  const { id } = await request();
  await answer(id);
  staff = await w.again(staff);
  return id;
}
/** As an admin sees them whose session is young, however late it is. */
const states = async () => {
  const admin = await w.person({ account: a, role: 'ADMIN' });
  const { data } = await w.execute('{ account { staffAccess { state } } }', {}, admin);
  return data.account.staffAccess.map(({ state }: { state: string }) => state);
};
const looks = async () => (await auditOf(w, a.accountId)).filter(({ action }) => action === 'staffAccess.look');
const sees = async (person: Person) => {
  const id = encodeId('account', a.accountId);
  const { data } = await w.execute('query ($id: ID!) { account(id: $id) { id } }', { id }, person);
  return data?.account !== null && data?.account !== undefined;
};

describe('refused', () => {
  test('to who is no staff, has no second factor, or no fresh proof', async () => {
    const bare = await w.person({ staff: true, secondFactor: false });
    const late = await w.person({ staff: true, proved: false });
    for (const act of [request, review]) {
      expect(await act({}, null)).toMatchObject({ code: 'UNAUTHENTICATED' });
      expect(await act({}, owner)).toMatchObject({ code: 'FORBIDDEN' });
      expect(await act({}, bare)).toMatchObject({ code: 'TWO_FACTOR_ENROLLMENT_REQUIRED' });
      expect(await act({}, late)).toMatchObject({ code: 'STEP_UP_REQUIRED' });
    }
    expect((await w.execute(REQUEST, { input: order() }, a.manager)).errors).toMatchObject([{ code: 'FORBIDDEN' }]);
  });

  test('for an account that is not there, and for its reason and hours', async () => {
    const nowhere = encodeId('account', w.deps.ids.next());
    expect(await request({ accountId: nowhere })).toMatchObject({ code: 'NOT_FOUND' });
    expect(await review({ accountId: nowhere })).toMatchObject({ code: 'NOT_FOUND' });
    expect(await request({ reason: ' ', hours: 0 })).toMatchObject({
      issues: [{ path: ['reason'] }, { path: ['hours'] }],
    });
    expect(await request({ reason: 'x'.repeat(501), hours: 721 })).toMatchObject({ code: 'INVALID_INPUT' });
  });

  test('the account of the installation’s own mail, which holds everybody’s links', async () => {
    const { accountId } = await ensureSystemServer(w.system, w.deps, 'system.example');
    const system = encodeId('account', accountId);
    expect(await request({ accountId: system })).toMatchObject({ code: 'NOT_FOUND' });
    expect(await review({ accountId: system })).toMatchObject({ code: 'NOT_FOUND' });
  });

  test('while another request waits', async () => {
    await request();
    expect(await request()).toMatchObject({ code: 'CONFLICT' });
  });

  test('an answer by others than the owner, or without a fresh proof', async () => {
    const { id } = await request();
    const admin = await w.person({ account: a, role: 'ADMIN' });
    const stranger = await w.person({ account: await w.account(), role: 'OWNER' });
    for (const act of [answer, (of: string, _changes: object, person: Person) => revoke(of, person)]) {
      expect(await act(id, {}, admin)).toMatchObject({ code: 'FORBIDDEN' });
      expect(await act(id, {}, stranger)).toMatchObject({ code: 'NOT_FOUND' });
      expect(await act(id, {}, staff)).toMatchObject({ code: expect.stringMatching(/NOT_FOUND|FORBIDDEN/) });
    }
    const late = await w.person({ account: a, role: 'OWNER', proved: false });
    expect(await answer(id, {}, late)).toMatchObject({ code: 'STEP_UP_REQUIRED' });
    expect(await states()).toEqual(['REQUESTED']);
  });

  test('an answer with too many hours, and a second answer', async () => {
    const { id } = await request();
    expect(await answer(id, { hours: 721 })).toMatchObject({ issues: [{ path: ['hours'] }] });
    expect(await answer(id, { grant: false })).toMatchObject({ state: 'DENIED', expiresAt: null });
    expect(await answer(id)).toMatchObject({ code: 'CONFLICT' });
    expect(await revoke(id)).toMatchObject({ code: 'CONFLICT' });
  });
});

describe('a request', () => {
  test('lets nobody see anything, and is mailed to the owner with its reason', async () => {
    expect(await request()).toMatchObject({ state: 'REQUESTED', staff: staff.email, hours: 2, expiresAt: null });
    expect(await sees(await w.again(staff))).toBe(false);
    const [mail] = await mailsTo(w, owner.email);
    expect(mail?.text).toContain('Ticket 7');
    expect((await auditOf(w, a.accountId)).at(-1)).toMatchObject({
      action: 'staffAccess.request',
      actorKind: 'STAFF',
      actorLabel: `staff ${staff.email}`,
      changes: { reason: 'Ticket 7', hours: 2 },
    });
  });

  test('ends by itself when nobody answers', async () => {
    const { id } = await request();
    await clock.advance(14 * 24 * HOUR);
    owner = await w.person({ account: a, role: 'OWNER' });
    expect(await states()).toEqual(['EXPIRED']);
    expect(await answer(id)).toMatchObject({ code: 'CONFLICT' });
  });

  test('of oneself can be taken back; that of others cannot be seen', async () => {
    const { id } = await request();
    expect(await end(id, await w.person({ staff: true }))).toMatchObject({ code: 'NOT_FOUND' });
    expect(await end(id)).toMatchObject({ state: 'REVOKED' });
    expect(await end(id)).toMatchObject({ code: 'CONFLICT' });
  });
});

describe('let in', () => {
  test('until the end that the owner has set, and for all staff it is one of them', async () => {
    const { id } = await request();
    expect(await answer(id, { hours: 1 })).toMatchObject({
      state: 'ACTIVE',
      expiresAt: new Date(clock.now().getTime() + HOUR).toISOString(),
    });
    expect((await mailsTo(w, staff.email)).at(-1)?.subject).toBe('You may see an account');
    const before = staff;
    staff = await w.again(staff);
    expect(staff.rights).not.toBe(before.rights);
    expect(await sees(staff)).toBe(true);
    expect(await sees(await w.person({ staff: true }))).toBe(false);
    await clock.advance(HOUR);
    expect(await states()).toEqual(['EXPIRED']);
    expect(await sees(await w.person({ staff: true }))).toBe(false);
  });

  test('ends at once when the owner revokes it', async () => {
    const id = await letIn();
    expect(await sees(staff)).toBe(true);
    expect(await revoke(id)).toMatchObject({ state: 'REVOKED' });
    const after = await w.again(staff);
    expect(after.rights).not.toBe(staff.rights);
    expect(await sees(after)).toBe(false);
  });

  test('sees what the table says and no bodies, and changes nothing', async () => {
    const send = 'mutation ($input: SendEmailInput!) { sendEmail(input: $input) { __typename } }';
    const input = { from: `x@${a.domain}`, to: ['ann@r.example'], subject: 'Secret', text: 'body' };
    await w.execute(send, { input }, a.token());
    await letIn();
    const id = encodeId('server', a.serverId);
    const { data, errors } = await w.execute(
      `query ($id: ID!) { account { name auditLog(first: 1) { edges { cursor } } staffAccess { id } }
        server(id: $id) { messages(first: 1) { edges { node { subject } } } } }`,
      { id },
      staff,
    );
    expect(errors).toEqual([]);
    expect(data.server.messages.edges[0].node.subject).toBe('Secret');
    const bodies = await w.execute(
      'query ($id: ID!) { server(id: $id) { messages(first: 1) { edges { node { textBody } } } } }',
      { id },
      staff,
    );
    expect(bodies.errors).toMatchObject([{ code: 'FORBIDDEN' }]);
    const rename = 'mutation ($id: ID!) { updateServer(input: { id: $id, name: "X" }) { __typename } }';
    expect((await w.execute(rename, { id }, staff)).errors).toMatchObject([{ code: 'FORBIDDEN' }]);
    // What they may enter is not what they are a member of.
    expect((await w.execute('{ viewer { kind memberships { role } } }', {}, staff)).data.viewer).toEqual({
      kind: 'OPERATOR',
      memberships: [],
    });
  });

  test.each([
    ['account', '{ account { name } }', 'account'],
    ['account by id', 'query ($account: ID!) { account(id: $account) { name } }', 'account'],
    ['server', 'query ($server: ID!) { server(id: $server) { name } }', 'server'],
    ['node', 'query ($server: ID!) { node(id: $server) { id } }', 'server'],
    ['nodes', 'query ($server: ID!) { nodes(ids: [$server]) { id } }', 'server'],
    ['a person', 'query ($user: ID!) { node(id: $user) { id } }', 'user'],
  ] as const)('is on record for: %s', async (_name, document, subject) => {
    await letIn();
    const ids = {
      account: encodeId('account', a.accountId),
      server: encodeId('server', a.serverId),
      user: encodeId('user', owner.userId),
    };
    const { errors } = await w.execute(document, ids, staff);
    expect(errors).toEqual([]);
    const found = await looks();
    expect(found[0]).toMatchObject({ actorKind: 'STAFF', subjectIds: [ids[subject]] });
    expect(new Set(found.map(({ subjectIds }) => subjectIds[0]))).toEqual(new Set([ids[subject]]));
  });

  test('is on record for each thing of a request, and for each kind of right that was used', async () => {
    const second = await a.server('Second');
    await letIn();
    const ids = [a.serverId, second].map((id) => encodeId('server', id));
    await w.execute('query ($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids }, staff);
    expect(new Set((await looks()).map(({ subjectIds }) => subjectIds[0]))).toEqual(new Set(ids));
    expect(await looks()).toHaveLength(2);
    await w.execute('{ account { members(first: 9) { edges { node { user { email } } } } } }', {}, staff);
    expect((await looks()).at(-1)).toMatchObject({ changes: { permission: 'member.read' } });
  });

  test('is on record for what is followed: once, not for each event', async () => {
    // Events come as time goes on.
    await using moving = await world();
    w = moving;
    a = await w.account();
    owner = await w.person({ account: a, role: 'OWNER' });
    staff = await w.person({ staff: true });
    await letIn();
    const id = encodeId('server', a.serverId);
    const send = 'mutation ($input: SendEmailInput!) { sendEmail(input: $input) { __typename } }';
    const to = ['ann@r.example', 'bob@r.example', 'cat@r.example'];
    await w.execute(send, { input: { from: `x@${a.domain}`, to, text: 'x' } }, a.token());
    const first = await w.execute('{ server { events(first: 1) { pageInfo { endCursor } } } }', {}, a.token());
    const followed = await w.subscribe(
      'subscription ($id: ID!, $after: String) { messageEvents(serverId: $id, after: $after) { type } }',
      { id, after: first.data.server.events.pageInfo.endCursor },
      staff,
    );
    for (let event = 0; event < 2; event++) expect((await followed.next()).errors).toEqual([]);
    await followed.end();
    expect((await looks()).map(({ subjectIds, changes }) => [subjectIds[0], changes])).toEqual([
      [id, null],
      [id, { permission: 'event.read' }],
    ]);
  });
});

describe('a compliance review', () => {
  test('needs no answer, is mailed to the owner, and shows bodies, each of which is on record', async () => {
    const send = 'mutation ($input: SendEmailInput!) { sendEmail(input: $input) { ... on Message { id } } }';
    const input = { from: `x@${a.domain}`, to: ['ann@r.example'], text: 'body' };
    const { id: messageId } = (await w.execute(send, { input }, a.token())).data.sendEmail;
    const { id } = await review();
    expect(await states()).toEqual(['COMPLIANCE_REVIEW']);
    expect((await mailsTo(w, owner.email)).at(-1)?.text).toContain('Ticket 7');
    staff = await w.again(staff);
    const { data } = await w.execute(
      'query ($id: ID!) { server(id: $id) { messages(first: 1) { edges { node { textBody } } } } }',
      { id: encodeId('server', a.serverId) },
      staff,
    );
    expect(data.server.messages.edges[0].node.textBody).toBe('body');
    expect(await looks()).toContainEqual(
      expect.objectContaining({ subjectIds: [messageId], changes: { permission: 'content.read' } }),
    );
    expect(await revoke(id)).toMatchObject({ code: 'CONFLICT' });
    expect(await end(id)).toMatchObject({ state: 'REVOKED' });
    expect(await sees(await w.again(staff))).toBe(false);
  });

  test('is found by its id by the owner', async () => {
    const { id } = await review();
    const node = `query ($id: ID!) { node(id: $id) { ${GRANT} } }`;
    expect((await w.execute(node, { id }, owner)).data.node).toMatchObject({ id, complianceReview: true });
  });
});

describe('the command line', () => {
  const deps = () => ({ ...w.deps, system: w.system });

  test('makes staff of somebody, or of an address that is new', async () => {
    const known = await w.person({});
    expect(await addStaff(deps(), known.email.toUpperCase())).toEqual({ email: known.email, isNew: false });
    expect((await w.again(known)).requirement).toBe('ENROLL_TWO_FACTOR');
    expect(await addStaff(deps(), 'new@staff.example')).toEqual({ email: 'new@staff.example', isNew: true });
    await expect(addStaff(deps(), 'nobody')).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });

  test('takes it back, with all that they were let in for', async () => {
    await letIn();
    expect(await removeStaff(deps(), staff.email)).toBe(1);
    expect(await sees(await w.again(staff))).toBe(false);
    expect(await states()).toEqual(['REVOKED']);
    expect((await auditOf(w, a.accountId)).at(-1)).toMatchObject({
      action: 'staffAccess.revoke',
      actorKind: 'OPERATOR',
    });
    // Being made staff again gives nothing back.
    await addStaff(deps(), staff.email);
    expect(await sees(await w.again(staff))).toBe(false);
    expect(await removeStaff(deps(), owner.email)).toBeNull();
  });
});
