// The audit log: what stands in it, who reads it and how fast, and that nobody rewrites it.
import { CompiledQuery, createQueryId, type RootOperationNode, sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AuditQuery, listAudit } from '#/db/audit.ts';
import { readScope } from '#/db/scope.ts';
import { encodeId } from '#/domain/ids.ts';
import type { Person } from '#/domain/person.ts';
import { confirmEmergencyContact } from '#/resolvers/emergency-contacts/confirm-emergency-contact.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { silentLog } from '../support/silent-log.ts';
import { auditOf, secretFor, visitor } from '../support/visitors.ts';
import { type TestAccount, type World, world } from '../support/world.ts';

const HOUR = 3_600_000;
const LIST = `query ($id: ID!, $first: Int!, $after: String, $filter: AuditFilter) { account(id: $id) {
  auditLog(first: $first, after: $after, filter: $filter) { edges { cursor node { id occurredAt action actorKind actorId actorLabel
    sessionId ipAddress requestId subjectIds changes } } pageInfo { hasNextPage endCursor } } } }`;

let w: World;
let clock: FakeClock;
let a: TestAccount;
let owner: Person;
const logged: object[] = [];

beforeAll(async () => {
  clock = new FakeClock();
  w = await world({ clock, log: { ...silentLog, info: (line) => logged.push(line) } });
  a = await w.account();
  owner = await w.person({ account: a, role: 'OWNER', secondFactor: true });
});
afterAll(() => w[Symbol.asyncDispose]());

interface Entry {
  readonly cursor: string;
  readonly node: Record<string, any>;
}

async function list(variables: object = {}, person: Person = owner) {
  const all = { id: encodeId('account', a.accountId), first: 100, ...variables };
  const { data, errors } = await w.execute(LIST, all, person);
  return errors[0] ?? data.account.auditLog;
}
const actions = async (filter: object) =>
  (await list({ filter })).edges.map(({ node }: Entry) => node['action'] as string);

async function rename(name: string, person: Person = owner): Promise<void> {
  const document = 'mutation ($input: UpdateAccountInput!) { updateAccount(input: $input) { __typename } }';
  const input = { id: encodeId('account', a.accountId), name };
  expect((await w.execute(document, { input }, person)).data.updateAccount.__typename).toBe('Account');
}

describe('reading is refused', () => {
  test('to members and programs', async () => {
    const member = await w.person({ account: a, grants: { [a.serverId]: 'ADMIN' } });
    expect(await list({}, member)).toMatchObject({ code: 'FORBIDDEN' });
    const variables = { id: encodeId('account', a.accountId), first: 1 };
    expect((await w.execute(LIST, variables, a.manager)).errors).toMatchObject([{ code: 'FORBIDDEN' }]);
  });

  test('from a cursor that is none, and of too long a page', async () => {
    expect(await list({ after: 'x' })).toMatchObject({ code: 'INVALID_CURSOR' });
    expect(await list({ first: 101 })).toMatchObject({ code: 'BAD_USER_INPUT' });
    expect(await list({ filter: { action: 'a\0' } })).toMatchObject({ code: 'BAD_USER_INPUT' });
  });
});

describe('an entry', () => {
  test('tells who, from where, with what session, in which request, and what changed', async () => {
    await rename('Told');
    const [{ node }] = (await list({ first: 1 })).edges;
    expect(node).toEqual({
      id: expect.stringMatching(/^aud_/),
      occurredAt: clock.now().toISOString(),
      action: 'account.update',
      actorKind: 'USER',
      actorId: encodeId('user', owner.userId),
      actorLabel: owner.email,
      sessionId: encodeId('session', owner.session.id),
      ipAddress: '192.0.2.1',
      requestId: 'test',
      subjectIds: [encodeId('account', a.accountId)],
      changes: { name: { before: expect.any(String), after: 'Told' } },
    });
    const found = await w.execute('query ($id: ID!) { node(id: $id) { __typename id } }', { id: node.id }, owner);
    expect(found.data.node).toEqual({ __typename: 'AuditEntry', id: node.id });
  });

  test('stands in the log of the operator too, with the ids that the API has', async () => {
    await rename('Logged');
    expect(logged.at(-1)).toEqual({
      audit: 'account.update',
      accountId: encodeId('account', a.accountId),
      actor: 'USER',
      label: owner.email,
      subjectIds: [encodeId('account', a.accountId)],
      requestId: 'test',
      ipAddress: '192.0.2.1',
    });
  });

  test('is found page by page, newest first, each once', async () => {
    for (const name of ['One', 'Two', 'Three']) await rename(name);
    const seen: Entry[] = [];
    for (let after: string | null = null, more = true; more; ) {
      const page: any = await list({ first: 2, after });
      seen.push(...page.edges);
      after = page.pageInfo.endCursor;
      more = page.pageInfo.hasNextPage;
    }
    const ids = seen.map(({ cursor }) => cursor);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toEqual([...ids].sort().reverse());
    expect(seen[0]?.node['changes'].name.after).toBe('Three');
  });

  test('is found by action, actor, time, and all of these', async () => {
    const admin = await w.person({ account: a, role: 'ADMIN' });
    await clock.advance(1);
    const start = clock.now();
    await clock.advance(HOUR / 4);
    const middle = clock.now();
    await rename('By the admin', admin);
    await clock.advance(HOUR / 8);
    await rename('By the owner');
    const actorId = encodeId('user', admin.userId);
    expect(await actions({ action: 'account.update', actorId })).toEqual(['account.update']);
    expect(await actions({ action: 'member.update', actorId })).toEqual([]);
    expect(await actions({ since: middle.toISOString() })).toHaveLength(2);
    expect(await actions({ since: start.toISOString(), until: middle.toISOString() })).toEqual([]);
    // `since` is inclusive, `until` is not.
    const justThen = { since: middle.toISOString(), until: new Date(middle.getTime() + 1).toISOString() };
    expect(await actions(justThen)).toEqual(['account.update']);
    expect(await actions({ ...justThen, action: 'account.update', actorId })).toHaveLength(1);
    expect(await actions({ until: '1970-01-01T00:00:00Z' })).toEqual([]);
    expect(await actions({ since: '9999-01-01T00:00:00Z' })).toEqual([]);
    expect(await actions({ actorId: 'nonsense' })).toEqual([]);
  });
});

describe('a page is read from an index', () => {
  /** Hours after the 14th, near the end of them. */
  const at = (hour: number) => new Date(Date.UTC(2025, 11, 14, hour));
  const nothing: AuditQuery = { action: null, actorId: null, since: null, until: null, after: null, limit: 20 };

  beforeAll(async () => {
    // 20,000 entries, one a minute, of 50 actions and 50 actors.
    await sql`insert into audit_log (account_id, id, occurred_at, action, actor_kind, actor_id, actor_label)
      select ${a.accountId}::uuid,
        (lpad(to_hex((extract(epoch from t) * 1000)::bigint), 12, '0') || '70008' || lpad(to_hex(n), 15, '0'))::uuid,
        t, 'made.up' || n % 50, 'USER', ('00000000-0000-7000-8000-' || lpad((n / 7 % 50)::text, 12, '0'))::uuid, 'x'
      from (select n, timestamptz '2025-12-01Z' + n * interval '1 minute' as t from generate_series(1, 20000) n) s`.execute(
      w.db,
    );
    await sql`analyze audit_log`.execute(w.db);
  });

  test.each<[string, Partial<AuditQuery>]>([
    ['without a filter', {}],
    ['by action', { action: 'made.up1' }],
    ['by actor', { actorId: '00000000-0000-7000-8000-000000000001' }],
    ['by time', { since: at(-300), until: at(-290) }],
    ['by action and time', { action: 'made.up1', since: at(-300), until: at(-200) }],
    ['by actor and time', { actorId: '00000000-0000-7000-8000-000000000001', until: at(-200) }],
    ['by all', { action: 'made.up1', actorId: '00000000-0000-7000-8000-000000000007', since: at(-300), until: at(0) }],
  ])('%s', async (_name, filter) => {
    const nodes: RootOperationNode[] = [];
    const spy = w.db.withPlugin({
      transformQuery({ node }) {
        nodes.push(node);
        return node;
      },
      transformResult: async ({ result }) => result,
    });
    const scope = readScope(spy, { accountId: a.accountId, servers: null, streamId: null });
    const rows = await listAudit(scope, { ...nothing, ...filter });
    expect(rows.length).toBeGreaterThan(0);
    const [node] = nodes;
    if (node === undefined) throw new Error('no query was seen');
    const { sql: text, parameters } = w.db.getExecutor().compileQuery(node, createQueryId());
    const explained = await w.db.executeQuery(
      CompiledQuery.raw(`explain (analyze, format text) ${text}`, [...parameters]),
    );
    const plan = JSON.stringify(explained.rows);
    expect(plan).toContain('Index');
    expect(plan).not.toMatch(/Seq Scan|Sort/);
    // Of 20,000: what the range and one index leave.
    const removed = /Rows Removed by Filter: (\d+)/.exec(plan)?.[1] ?? '0';
    expect(Number(removed)).toBeLessThan(1_000);
  });
});

describe('the record', () => {
  test.each([
    ['changed', sql`update audit_log set action = 'x'`],
    ['removed', sql`delete from audit_log`],
    ['emptied', sql`truncate audit_log`],
  ])('cannot be %s, whoever tries', async (_name, statement) => {
    const before = await w.count('auditLog');
    await expect(statement.execute(w.db)).rejects.toThrow(/append-only|permission denied/);
    expect(await w.count('auditLog')).toBe(before);
  });

  test('gets one row of each command, with an action of one style, and never a secret', async () => {
    const b = await w.account();
    const boss = await w.person({ account: b, role: 'OWNER', secondFactor: true });
    const member = await w.person({ account: b });
    const staff = await w.person({ staff: true });
    const accountId = encodeId('account', b.accountId);
    const userId = encodeId('user', member.userId);
    const expected: string[] = [];
    const ids: Readonly<Record<string, string>> = {
      inviteMembers: '... on InvitedMembers { invitations { id } }',
      addEmergencyContact: '... on EmergencyContact { id }',
      requestStaffAccess: '... on StaffAccessGrant { id }',
      openComplianceReview: '... on StaffAccessGrant { id }',
    };
    const act = async (action: string, field: string, type: string, input: object, person: Person = boss) => {
      const document = `mutation ($input: ${type}!) { ${field}(input: $input) { __typename
        ... on Error { message } ${ids[field] ?? ''} } }`;
      const { data, errors } = await w.execute(document, { input }, person);
      expect([errors, data?.[field]?.message]).toEqual([[], undefined]);
      expected.push(action);
      return data[field];
    };
    const start = (await auditOf(w, b.accountId)).length;

    await act('account.update', 'updateAccount', 'UpdateAccountInput', { id: accountId, retentionDays: 30 });
    const { invitations } = await act('member.invite', 'inviteMembers', 'InviteMembersInput', {
      accountId,
      emails: ['one@b.example', 'two@b.example'],
      role: 'MEMBER',
    });
    await clock.advance(60_000);
    await act('invitation.resend', 'resendInvitation', 'IdInput', { id: invitations[0].id });
    await act('invitation.revoke', 'revokeInvitation', 'IdInput', { id: invitations[1].id });
    await act('member.update', 'updateMembership', 'UpdateMembershipInput', { accountId, userId, role: 'ADMIN' });
    await act('member.remove', 'removeMember', 'RemoveMemberInput', { accountId, userId });
    const guest = await w.person({ account: b });
    const leaving = { accountId, userId: encodeId('user', guest.userId) };
    await act('member.leave', 'removeMember', 'RemoveMemberInput', leaving, guest);
    const email = 'night@b.example';
    const contact = await act('contact.add', 'addEmergencyContact', 'AddEmergencyContactInput', { accountId, email });
    await clock.advance(60_000);
    await act('contact.resend', 'resendEmergencyContact', 'IdInput', { id: contact.id });
    const link = await secretFor(w, email, 'confirm-contact');
    await confirmEmergencyContact(w.deps, link, visitor());
    expected.push('contact.confirm');
    await act('contact.remove', 'removeEmergencyContact', 'IdInput', { id: contact.id });
    const order = { accountId, reason: 'Ticket', hours: 1 };
    const asked = await act('staffAccess.request', 'requestStaffAccess', 'StaffAccessInput', order, staff);
    const yes = { id: asked.id, grant: true };
    await act('staffAccess.grant', 'answerStaffAccessRequest', 'AnswerStaffAccessInput', yes);
    await act('staffAccess.revoke', 'revokeStaffAccess', 'IdInput', { id: asked.id });
    const again = await act('staffAccess.request', 'requestStaffAccess', 'StaffAccessInput', order, staff);
    const no = { id: again.id, grant: false };
    await act('staffAccess.deny', 'answerStaffAccessRequest', 'AnswerStaffAccessInput', no);
    const review = await act('staffAccess.review', 'openComplianceReview', 'StaffAccessInput', order, staff);
    await act('staffAccess.end', 'endStaffAccess', 'IdInput', { id: review.id }, staff);
    const heir = await w.person({ account: b, secondFactor: true });
    const transfer = { accountId, userId: encodeId('user', heir.userId) };
    await act('account.transfer', 'transferOwnership', 'TransferOwnershipInput', transfer);

    const entries = (await auditOf(w, b.accountId)).slice(start);
    expect(entries.map(({ action }) => action)).toEqual(expected);
    for (const { action } of entries) expect(action).toMatch(/^[a-z][A-Za-z]*\.[a-z][A-Za-z]*$/);
    await w.deps.background.settled();
    const secrets = w.mails.flatMap(({ text }) => text.match(/[A-Za-z0-9_-]{43}/g) ?? []);
    expect(secrets.length).toBeGreaterThan(4);
    const whole = JSON.stringify(await w.db.selectFrom('auditLog').selectAll().execute());
    for (const secret of secrets) expect(whole).not.toContain(secret);
    expect(whole).not.toMatch(/vr[stau]_[0-9A-Za-z]{20}/);
  });
});
