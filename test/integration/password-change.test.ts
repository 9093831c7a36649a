// Changing one's own password and name.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { insertSession } from '#/db/sessions.ts';
import { writeInSystemScope } from '#/db/scope.ts';
import type { Person } from '#/domain/person.ts';
import { changePassword } from '#/resolvers/passwords/change-password.ts';
import { PASSWORD_COST } from '#/schema/costs.ts';
import { schema } from '#/schema/index.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { cheapPasswords } from '../support/passwords.ts';
import { auditOf, mailsTo, secretFor, typesOf, visitor } from '../support/visitors.ts';
import { type TestAccount, type World, world } from '../support/world.ts';

const OLD = 'correct horse battery staple';
const NEW = 'violet umbrella drinks coffee';
const CHANGE = `mutation ($current: String!, $new: String!) {
  changePassword(input: { currentPassword: $current, newPassword: $new }) {
    __typename ... on User { id email } ... on Error { code message } ... on WeakPassword { suggestions } } }`;
const RENAME = `mutation ($name: String!) { updateProfile(input: { name: $name }) {
  __typename ... on User { name } ... on InvalidInput { issues { path } } } }`;

let w: World;
let account: TestAccount;
let person: Person;
const clock = new FakeClock();

beforeAll(async () => {
  w = await world({ clock });
  account = await w.account();
});
afterAll(() => w[Symbol.asyncDispose]());
beforeEach(async () => {
  person = await w.person({ account, passwordHash: await cheapPasswords.hash(OLD) });
});

const change = async (current: string, password: string, asker: Person | null = person) => {
  const { data, errors } = await w.execute(CHANGE, { current, new: password }, asker);
  return errors[0] ?? data.changePassword;
};
const hashOf = async ({ userId }: Person) =>
  (await w.db.selectFrom('users').select('passwordHash').where('id', '=', userId).executeTakeFirstOrThrow())
    .passwordHash;
const matches = async (password: string) => (await cheapPasswords.verify(await hashOf(person), password)).matches;
const sessionsOf = ({ userId }: Person) =>
  w.db.selectFrom('sessions').select(['id', 'secretHash']).where('userId', '=', userId).orderBy('id').execute();

async function anotherSession({ userId }: Person): Promise<void> {
  const now = clock.now();
  await writeInSystemScope(w.system, now, (scope) =>
    insertSession(scope, {
      id: w.deps.ids.next(),
      userId,
      secretHash: w.deps.random.bytes(32),
      secondFactorPending: false,
      createdAt: now,
      lastSeenAt: now,
      expiresAt: new Date(now.getTime() + 3_600_000),
      provedAt: null,
      ipAddress: '192.0.2.9',
      userAgent: 'other',
    }),
  );
}

describe('a password is not changed', () => {
  test('for nobody, a token, or somebody who must show a second factor first', async () => {
    const half = await w.person({ halfSignedIn: true, secondFactor: true });
    expect(await change(OLD, NEW, null)).toMatchObject({ code: 'UNAUTHENTICATED' });
    expect(await change(OLD, NEW, half)).toMatchObject({ code: 'TWO_FACTOR_REQUIRED' });
    const { errors } = await w.execute(CHANGE, { current: OLD, new: NEW }, account.manager);
    expect(errors[0]).toMatchObject({ code: 'FORBIDDEN' });
  });

  test('with a wrong current password, and guessing gets slow', async () => {
    expect(await change('wrong', NEW)).toMatchObject({ __typename: 'InvalidCredentials' });
    for (let guess = 0; guess < 10; guess++) await change('wrong', NEW);
    expect(await change(OLD, NEW)).toMatchObject({ code: 'RATE_LIMITED' });
    expect(await matches(OLD)).toBe(true);
    await clock.advance(10_000);
    expect(await change(OLD, NEW)).toMatchObject({ __typename: 'User' });
  });

  test('for somebody who never had one', async () => {
    const without = await w.person();
    expect(await change('', NEW, without)).toMatchObject({ __typename: 'InvalidCredentials' });
  });

  test('to one that is easy to guess, or made of what is known of its owner', async () => {
    for (const weak of ['short', 'password123', person.email, 'x'.repeat(300)]) {
      const answer = await change(OLD, weak);
      expect(answer).toMatchObject({
        __typename: 'WeakPassword',
        message: expect.stringMatching(/^The password .*\.$/),
      });
    }
    expect(await matches(OLD)).toBe(true);
  });

  test('twice by two that knew the old one', async () => {
    const answers = await Promise.all([change(OLD, NEW), change(OLD, `${NEW} twice`)]);
    expect(typesOf(answers)).toEqual(['InvalidCredentials', 'User']);
  });
});

describe('a changed password', () => {
  test('is the one that counts, and other sessions have ended', async () => {
    await anotherSession(person);
    expect(await change(OLD, NEW)).toMatchObject({ __typename: 'User', email: person.email });
    expect([await matches(OLD), await matches(NEW)]).toEqual([false, true]);
    expect((await sessionsOf(person)).map(({ id }) => id)).toEqual([person.session.id]);
  });

  test('makes a reset link worthless that was mailed before', async () => {
    const reset = `mutation ($token: String!, $password: String!) {
      resetPassword(input: { token: $token, newPassword: $password }) { __typename } }`;
    await w.execute('mutation ($email: String!) { requestPasswordReset(input: { email: $email }) }', {
      email: person.email,
    });
    const token = await secretFor(w, person.email, 'reset-password');
    await change(OLD, NEW);
    const { data } = await w.execute(reset, { token, password: `${NEW} again` });
    expect(data.resetPassword).toEqual({ __typename: 'InvalidCode' });
    expect(await matches(NEW)).toBe(true);
  });

  test('is told by mail, and stands in the audit log without any secret', async () => {
    await change(OLD, NEW);
    const [mail] = await mailsTo(w, person.email);
    expect(mail).toMatchObject({ subject: 'Your password was changed', html: expect.stringContaining('192.0.2.1') });
    const entry = (await auditOf(w, account.accountId)).at(-1);
    expect(entry).toMatchObject({
      action: 'user.changePassword',
      actorKind: 'USER',
      actorLabel: person.email,
      sessionId: person.session.id,
      changes: null,
    });
    expect(JSON.stringify([mail, entry])).not.toMatch(/horse|umbrella|argon2/);
  });

  test('gives the browser that asked a new secret, and leaves the session of a program as it is', async () => {
    const [before] = await sessionsOf(person);
    const set: string[] = [];
    const asked = { currentPassword: OLD, newPassword: NEW };
    await changePassword(w.deps, visitor({ person: { ...person, byCookie: true }, set }), asked);
    const [after] = await sessionsOf(person);
    expect(set).toEqual([expect.stringMatching(/^vru_/)]);
    expect(after?.secretHash).not.toEqual(before?.secretHash);
    const again = { currentPassword: NEW, newPassword: OLD };
    await changePassword(w.deps, visitor({ person, set }), again);
    expect((await sessionsOf(person))[0]?.secretHash).toEqual(after?.secretHash);
    expect(set).toHaveLength(1);
  });

  test('tells all nodes at once', async () => {
    let told = 0;
    const stop = w.deps.channel.on('people', () => void told++);
    await change(OLD, NEW);
    await expect.poll(() => told).toBeGreaterThan(0);
    stop();
  });
});

describe('a name', () => {
  test('is refused when it is empty, too long or no line', async () => {
    for (const name of ['', ' ', 'n'.repeat(101), 'a\nb']) {
      const { data } = await w.execute(RENAME, { name }, person);
      expect(data.updateProfile).toEqual({ __typename: 'InvalidInput', issues: [{ path: ['name'] }] });
    }
  });

  test('is changed, and the change is on record', async () => {
    const { data } = await w.execute(RENAME, { name: ' Ann ' }, person);
    expect(data.updateProfile).toEqual({ __typename: 'User', name: 'Ann' });
    expect((await auditOf(w, account.accountId)).at(-1)).toMatchObject({
      action: 'user.updateProfile',
      changes: { name: [person.name, 'Ann'] },
    });
  });
});

test('whatever may have a password hashed or compared is paid for', () => {
  const fields = schema.getMutationType()?.getFields() ?? {};
  const hashing = ['signIn', 'stepUp', 'changePassword', 'resetPassword', 'changeEmail', 'acceptInvitation'];
  for (const name of [...hashing, 'completeSetup', 'completeSignUp']) {
    expect([name, fields[name]?.extensions['cost']]).toEqual([name, PASSWORD_COST]);
  }
});
