// Accounts that strangers make for themselves.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { completeSignUp } from '#/resolvers/sign-up/complete-sign-up.ts';
import { requestSignUp } from '#/resolvers/sign-up/request-sign-up.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { cheapPasswords } from '../support/passwords.ts';
import { auditOf, mailsTo, secretFor, typesOf, visitor } from '../support/visitors.ts';
import { type World, world } from '../support/world.ts';

const PASSWORD = 'correct horse battery staple';
const REQUEST = 'mutation ($email: String!) { requestSignUp(input: { email: $email }) }';
const COMPLETE = `mutation ($input: CompleteSignUpInput!) { completeSignUp(input: $input) {
  __typename ... on SignedIn { token requirement user { name email } session { current } }
  ... on Error { code } ... on InvalidInput { issues { path } } } }`;

let w: World;
let email: string;
let emails = 0;
const clock = new FakeClock();

beforeAll(async () => {
  w = await world({ clock, signUp: true });
});
afterAll(() => w[Symbol.asyncDispose]());
beforeEach(() => {
  email = `stranger${++emails}@people.example`;
});

const ask = (address = email) =>
  requestSignUp(w.deps, visitor({ ipAddress: `198.51.100.${++emails}` }), { email: address });
const complete = async (token: string, more: Readonly<Record<string, string>> = {}) => {
  const input = { token, name: 'Ann', password: PASSWORD, accountName: 'Acme', ...more };
  const { data, errors } = await w.execute(COMPLETE, { input });
  return errors[0] ?? data.completeSignUp;
};
const secret = () => secretFor(w, email, 'sign-up');
const counts = async () => ({
  users: (await w.db.selectFrom('users').select('id').execute()).length,
  accounts: (await w.db.selectFrom('accounts').select('id').execute()).length,
});

test('nobody signs up unless the operator lets them', async () => {
  await using closed = await world();
  const { errors } = await closed.execute(REQUEST, { email });
  expect(errors[0]).toMatchObject({ code: 'FORBIDDEN', message: expect.stringContaining('VEREDUS_SIGN_UP') });
  const input = { token: 'A'.repeat(43), name: 'Ann', password: PASSWORD, accountName: 'Acme' };
  expect((await closed.execute(COMPLETE, { input })).errors[0]).toMatchObject({ code: 'FORBIDDEN' });
  expect(closed.mails).toEqual([]);
});

describe('asking', () => {
  test('with what is no address is refused', async () => {
    for (const address of ['', 'x', 'a@b', 'a@b.example\0']) {
      expect((await w.execute(REQUEST, { email: address })).errors[0]).toMatchObject({ code: 'BAD_USER_INPUT' });
    }
  });

  test('makes nothing but a link, with as many statements for somebody as for nobody', async () => {
    const known = await w.person();
    const before = await counts();
    const cost = async (address: string) => {
      const queries = w.queries;
      expect(await ask(address)).toBe(true);
      return w.queries - queries;
    };
    expect(await cost(email)).toBe(await cost(known.email));
    expect(await counts()).toEqual(before);
    const [mail] = await mailsTo(w, known.email);
    expect(mail?.subject).toBe('You have signed up already');
    expect(mail?.text).not.toContain('/sign-up/');
  });

  test('is limited for an address', async () => {
    for (let mail = 0; mail < 4; mail++) await ask();
    await expect(ask()).rejects.toMatchObject({ code: 'RATE_LIMITED' });
  });
});

describe('no account is made', () => {
  test('with a link that is wrong, expired or used', async () => {
    expect(await complete('A'.repeat(43))).toMatchObject({ __typename: 'InvalidCode' });
    await ask();
    const expired = await secret();
    await clock.advance(60 * 60_000);
    expect(await complete(expired)).toMatchObject({ __typename: 'InvalidCode' });
    await ask();
    const token = await secret();
    const before = await counts();
    const answers = await Promise.all([complete(token), complete(token)]);
    expect(typesOf(answers)).toEqual(['InvalidCode', 'SignedIn']);
    expect(await counts()).toEqual({ users: before.users + 1, accounts: before.accounts + 1 });
  });

  test('with a weak password or bad names, and the link stays good', async () => {
    await ask();
    const token = await secret();
    expect(await complete(token, { password: 'password1' })).toMatchObject({ __typename: 'WeakPassword' });
    expect(await complete(token, { name: ' ', accountName: 'a\nb' })).toMatchObject({
      __typename: 'InvalidInput',
      issues: [{ path: ['name'] }, { path: ['accountName'] }],
    });
    expect(await complete(token)).toMatchObject({ __typename: 'SignedIn' });
  });

  test('for an address that got an identity since', async () => {
    await ask();
    await w.person({ email });
    const before = await counts();
    expect(await complete(await secret())).toMatchObject({ __typename: 'InvalidCode' });
    expect(await counts()).toEqual(before);
  });
});

test('who follows the link owns a new account, is signed in, and has it on record', async () => {
  await ask();
  const set: string[] = [];
  const token = await secret();
  const input = { token, name: ' Ann ', password: PASSWORD, accountName: ' Acme ' };
  const begun = await completeSignUp(w.deps, visitor({ set }), input);
  expect(set).toEqual([begun.secret]);
  expect(begun).toMatchObject({ requirement: null, user: { name: 'Ann', email } });
  const membership = await w.db
    .selectFrom('memberships as m')
    .innerJoin('accounts as a', 'a.id', 'm.accountId')
    .innerJoin('users as u', 'u.id', 'm.userId')
    .select(['a.id', 'a.name', 'm.role', 'u.passwordHash'])
    .where('m.userId', '=', begun.user.id)
    .execute();
  expect(membership).toMatchObject([{ name: 'Acme', role: 'OWNER' }]);
  expect((await cheapPasswords.verify(membership[0]?.passwordHash ?? null, PASSWORD)).matches).toBe(true);
  const record = await auditOf(w, membership[0]?.id ?? '');
  expect(record).toMatchObject([{ action: 'account.signUp', actorLabel: email, sessionId: begun.session.id }]);
  expect(JSON.stringify(record)).not.toContain(token);
});
