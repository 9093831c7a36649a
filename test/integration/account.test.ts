// The settings of an account: who may change them, what needs a fresh proof, and from when they hold.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeId } from '#/domain/ids.ts';
import type { Person } from '#/domain/person.ts';
import { auditOf } from '../support/visitors.ts';
import { type TestAccount, type World, world } from '../support/world.ts';

const UPDATE = `mutation ($input: UpdateAccountInput!) { updateAccount(input: $input) { __typename
  ... on Error { code message } ... on InvalidInput { issues { path } }
  ... on Account { id name retentionDays twoFactorPolicy } } }`;

let w: World;
let a: TestAccount;
let owner: Person;

beforeAll(async () => {
  w = await world();
  a = await w.account();
  owner = await w.person({ account: a, role: 'OWNER', secondFactor: true });
});
afterAll(() => w[Symbol.asyncDispose]());

async function update(changes: object, person: Person = owner, account = a) {
  const input = { id: encodeId('account', account.accountId), ...changes };
  const { data, errors } = await w.execute(UPDATE, { input }, person);
  return errors[0] ?? data.updateAccount;
}

describe('refused', () => {
  test('to members, tokens and strangers', async () => {
    const member = await w.person({ account: a, grants: { [a.serverId]: 'ADMIN' } });
    const stranger = await w.person({ account: await w.account(), role: 'OWNER' });
    expect(await update({ name: 'X' }, member)).toMatchObject({ code: 'FORBIDDEN' });
    expect(await update({ name: 'X' }, stranger)).toMatchObject({ code: 'NOT_FOUND' });
    const input = { id: encodeId('account', a.accountId), name: 'X' };
    for (const token of [a.token(), a.manager]) {
      expect((await w.execute(UPDATE, { input }, token)).errors).toMatchObject([{ code: 'FORBIDDEN' }]);
    }
  });

  test('without a fresh proof, for all but the name', async () => {
    const late = await w.person({ account: a, role: 'ADMIN', secondFactor: true, proved: false });
    expect(await update({ retentionDays: 30 }, late)).toMatchObject({ code: 'STEP_UP_REQUIRED' });
    expect(await update({ twoFactorPolicy: 'OPTIONAL' }, late)).toMatchObject({ code: 'STEP_UP_REQUIRED' });
    expect(await update({ name: 'Renamed' }, late)).toMatchObject({ __typename: 'Account', name: 'Renamed' });
  });

  test.each([
    ['name', { name: ' ' }],
    ['name', { name: 'n'.repeat(101) }],
    ['name', { name: 'a\nb' }],
    ['name', { name: 'Acme \u202Egpj.exe' }],
    ['name', { name: 'a\u2028b' }],
    ['name', { name: '\u200B\u200D' }],
    ['name', { name: null }],
    ['retentionDays', { retentionDays: 6 }],
    ['retentionDays', { retentionDays: 366 }],
    ['retentionDays', { retentionDays: null }],
    ['twoFactorPolicy', { twoFactorPolicy: null }],
  ])('for its %s: %j', async (field, changes) => {
    expect(await update(changes)).toMatchObject({ __typename: 'InvalidInput', issues: [{ path: [field] }] });
  });

  test('a demand for second factors by who has none', async () => {
    const admin = await w.person({ account: a, role: 'ADMIN' });
    const refused = await update({ twoFactorPolicy: 'REQUIRED' }, admin);
    expect(refused).toMatchObject({ __typename: 'Conflict' });
    expect(refused.message).toContain('second factor');
  });
});

describe('a change', () => {
  test('of the policy holds from the next request of each member on, and shows in what sockets compare', async () => {
    const b = await w.account();
    const boss = await w.person({ account: b, role: 'OWNER', secondFactor: true });
    const member = await w.person({ account: b });
    expect(await update({ twoFactorPolicy: 'REQUIRED' }, boss, b)).toMatchObject({ twoFactorPolicy: 'REQUIRED' });
    const after = await w.again(member);
    expect(after.requirement).toBe('ENROLL_TWO_FACTOR');
    expect(after.rights).not.toBe(member.rights);
    expect((await w.execute('{ account { name } }', {}, after)).errors).toMatchObject([
      { code: 'TWO_FACTOR_ENROLLMENT_REQUIRED' },
    ]);
    // Programs cannot show a second factor.
    expect((await w.execute('{ account { name } }', {}, b.token())).errors).toEqual([]);
  });

  test('of the retention holds for the next message, whose partition is there', async () => {
    const send = () =>
      w.execute(
        `mutation ($input: SendEmailInput!) { sendEmail(input: $input) { __typename ... on Error { message }
          ... on Message { acceptedAt expiresAt } } }`,
        { input: { from: `x@${a.domain}`, to: ['ann@r.example'], text: 'x' } },
        a.token(),
      );
    await send();
    expect(await update({ retentionDays: 365 })).toMatchObject({ retentionDays: 365 });
    const days = async () => {
      const { acceptedAt, expiresAt } = (await send()).data.sendEmail;
      return (Date.parse(expiresAt) - Date.parse(acceptedAt)) / 86_400_000;
    };
    await expect.poll(days).toBe(365);
  });

  test('stands in the audit log with what was before; what stays does not', async () => {
    const b = await w.account();
    const boss = await w.person({ account: b, role: 'OWNER', secondFactor: true });
    await update({ name: 'New', retentionDays: 45 }, boss, b);
    const entries = (await auditOf(w, b.accountId)).filter(({ action }) => action === 'account.update');
    expect(entries).toMatchObject([
      {
        actorLabel: boss.email,
        subjectIds: [encodeId('account', b.accountId)],
        changes: { name: { before: 'Account 4', after: 'New' } },
      },
    ]);
    expect(Object.keys(Object(entries[0]?.changes))).toEqual(['name']);
  });
});
