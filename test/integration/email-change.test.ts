// Another address to sign in with: asking for it, and the link that is mailed to it.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { findUserByEmail } from '#/db/users.ts';
import type { Person } from '#/domain/person.ts';
import { confirmEmailChange } from '#/resolvers/email-change/confirm-email-change.ts';
import { requestPasswordReset } from '#/resolvers/passwords/request-password-reset.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { cheapPasswords } from '../support/passwords.ts';
import { auditOf, mailsTo, secretFor, typesOf, visitor } from '../support/visitors.ts';
import { type TestAccount, type World, world } from '../support/world.ts';

const PASSWORD = 'correct horse battery staple';
const CHANGE = `mutation ($password: String!, $email: String!) {
  changeEmail(input: { currentPassword: $password, newEmail: $email }) {
    __typename ... on EmailChangeRequested { email } ... on Error { code } ... on InvalidInput { issues { path } } } }`;
const CONFIRM = `mutation ($token: String!) { confirmEmailChange(input: { token: $token }) {
  __typename ... on User { id email } ... on Error { code } } }`;

let w: World;
let account: TestAccount;
let person: Person;
let target: string;
let targets = 0;
const clock = new FakeClock();

beforeAll(async () => {
  w = await world({ clock });
  account = await w.account();
});
afterAll(() => w[Symbol.asyncDispose]());
beforeEach(async () => {
  await clock.advance(3_600_000);
  person = await w.person({ account, passwordHash: await cheapPasswords.hash(PASSWORD) });
  target = `new${++targets}@people.example`;
});

const change = async (email = target, password = PASSWORD, asker: Person | null = person) => {
  const { data, errors } = await w.execute(CHANGE, { password, email }, asker);
  return errors[0] ?? data.changeEmail;
};
const confirm = async (token: string) => (await w.execute(CONFIRM, { token })).data.confirmEmailChange;
const secret = () => secretFor(w, target, 'confirm-email');
const emailOf = async ({ userId }: Person) =>
  (await w.db.selectFrom('users').select('email').where('id', '=', userId).executeTakeFirstOrThrow()).email;

describe('another address is refused', () => {
  test('to nobody, a token, and whoever has not proved lately who they are', async () => {
    expect(await change(target, PASSWORD, null)).toMatchObject({ code: 'UNAUTHENTICATED' });
    const { errors } = await w.execute(CHANGE, { password: PASSWORD, email: target }, account.manager);
    expect(errors[0]).toMatchObject({ code: 'FORBIDDEN' });
    const unproved = await w.person({ proved: false });
    expect(await change(target, PASSWORD, unproved)).toMatchObject({ code: 'STEP_UP_REQUIRED' });
  });

  test('without the password', async () => {
    expect(await change(target, 'wrong')).toMatchObject({ __typename: 'InvalidCredentials' });
    expect(await mailsTo(w, target)).toEqual([]);
  });

  test('when it is none, has a name, or is the one that the person has', async () => {
    for (const email of ['', 'x', `Ann <${target}>`, `${target}, a@b.example`, person.email]) {
      expect(await change(email)).toMatchObject({ __typename: 'InvalidInput', issues: [{ path: ['newEmail'] }] });
    }
  });

  test('after some mails to it, whoever asks', async () => {
    for (let mail = 0; mail < 4; mail++) expect(await change()).toMatchObject({ email: target });
    const other = await w.person({ passwordHash: await cheapPasswords.hash(PASSWORD) });
    expect(await change(target, PASSWORD, other)).toMatchObject({ code: 'RATE_LIMITED' });
  });
});

describe('an address that somebody else signs in with', () => {
  test('is answered the same, and told so by mail', async () => {
    const other = await w.person({ email: target });
    expect(await change(target.toUpperCase())).toEqual({
      __typename: 'EmailChangeRequested',
      email: target.toUpperCase().replace('PEOPLE.EXAMPLE', 'people.example'),
    });
    await w.deps.background.settled();
    const mail = w.mails.filter(({ to }) => to.toLowerCase() === target).at(-1);
    expect(mail).toMatchObject({ subject: 'This address is in use already' });
    expect(mail?.text).not.toContain('/confirm-email/');
    expect(await emailOf(other)).toBe(target);
  });

  test('is not taken over when it got its identity after the link was mailed', async () => {
    await change();
    const token = await secret();
    const other = await w.person({ email: target });
    expect(await confirm(token)).toMatchObject({ __typename: 'InvalidCode' });
    expect(await emailOf(other)).toBe(target);
  });

  test('is given to one of two who confirm at once', async () => {
    const rival = await w.person({ passwordHash: await cheapPasswords.hash(PASSWORD) });
    await change();
    const mine = await secret();
    await change(target, PASSWORD, rival);
    const theirs = await secret();
    const answers = await Promise.all([confirm(mine), confirm(theirs)]);
    expect(typesOf(answers)).toEqual(['InvalidCode', 'User']);
  });
});

describe('a link', () => {
  test('changes nothing before it is opened, and the old address is warned', async () => {
    expect(await change()).toEqual({ __typename: 'EmailChangeRequested', email: target });
    expect(await emailOf(person)).toBe(person.email);
    expect(await mailsTo(w, person.email)).toMatchObject([{ subject: 'Your address is about to change' }]);
    expect((await mailsTo(w, person.email))[0]?.text).not.toContain(await secret());
  });

  test('is no good when it is wrong, used, expired, replaced, or the password was changed', async () => {
    expect(await confirm('A'.repeat(43))).toMatchObject({ code: 'INVALID_CODE' });
    await change();
    const replaced = await secret();
    await change();
    const expired = await secret();
    expect(await confirm(replaced)).toMatchObject({ code: 'INVALID_CODE' });
    await clock.advance(60 * 60_000);
    expect(await confirm(expired)).toMatchObject({ code: 'INVALID_CODE' });
    person = await w.person({ passwordHash: await cheapPasswords.hash(PASSWORD) });
    await change();
    await w.execute(
      `mutation ($old: String!) { changePassword(input: { currentPassword: $old, newPassword: "violet umbrella drinks coffee" }) { __typename } }`,
      { old: PASSWORD },
      person,
    );
    expect(await confirm(await secret())).toMatchObject({ code: 'INVALID_CODE' });
  });

  test('gives the address, once, and the old one is told', async () => {
    await change();
    const token = await secret();
    const answers = await Promise.all([confirm(token), confirm(token)]);
    expect(typesOf(answers)).toEqual(['InvalidCode', 'User']);
    expect(await emailOf(person)).toBe(target);
    expect((await findUserByEmail(w.db, target.toUpperCase()))?.id).toBe(person.userId);
    expect(await findUserByEmail(w.db, person.email)).toBeUndefined();
    expect((await mailsTo(w, person.email)).at(-1)).toMatchObject({ subject: 'Your address was changed' });
    expect((await auditOf(w, account.accountId)).at(-1)).toMatchObject({
      action: 'user.changeEmail',
      changes: { from: person.email, to: target },
    });
  });

  test('ends all sessions but that of the same person who opens it', async () => {
    const sessions = () => w.db.selectFrom('sessions').select('id').where('userId', '=', person.userId).execute();
    await change();
    await confirmEmailChange(w.deps, visitor({ person }), { token: await secret() });
    expect(await sessions()).toEqual([{ id: person.session.id }]);
    target = `new${++targets}@people.example`;
    await change(target, PASSWORD, await w.again(person));
    const stranger = await w.person();
    await confirmEmailChange(w.deps, visitor({ person: stranger }), { token: await secret() });
    expect(await sessions()).toEqual([]);
    await w.again(stranger);
  });

  test('makes resets worthless that went to the old address', async () => {
    await requestPasswordReset(w.deps, visitor({ ipAddress: '198.51.100.200' }), { email: person.email });
    const reset = await secretFor(w, person.email, 'reset-password');
    await change();
    await confirm(await secret());
    const { data } = await w.execute(
      'mutation ($token: String!) { resetPassword(input: { token: $token, newPassword: "violet umbrella drinks coffee" }) { __typename } }',
      { token: reset },
    );
    expect(data.resetPassword).toEqual({ __typename: 'InvalidCode' });
  });

  test('may change no more than how the address is written', async () => {
    target = person.email.toUpperCase().replace('PEOPLE.EXAMPLE', 'people.example');
    await change();
    expect(await confirm(await secret())).toMatchObject({ __typename: 'User', email: target });
  });
});
