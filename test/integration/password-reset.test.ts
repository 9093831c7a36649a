// Forgotten passwords: asking for a link, and what it does.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Person } from '#/domain/person.ts';
import { requestPasswordReset } from '#/resolvers/passwords/request-password-reset.ts';
import { resetPassword } from '#/resolvers/passwords/reset-password.ts';
import { signIn } from '#/resolvers/sign-in/sign-in.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { cheapPasswords } from '../support/passwords.ts';
import { auditOf, mailsTo, secretFor, typesOf, visitor } from '../support/visitors.ts';
import { type TestAccount, type World, world } from '../support/world.ts';

const NEW = 'violet umbrella drinks coffee';
const RESET = `mutation ($token: String!, $password: String!) {
  resetPassword(input: { token: $token, newPassword: $password }) {
    __typename ... on User { id email sessions { id } } ... on Error { code } } }`;

let w: World;
let account: TestAccount;
let person: Person;
let networks = 0;
const clock = new FakeClock();

beforeAll(async () => {
  w = await world({ clock });
  account = await w.account();
});
afterAll(() => w[Symbol.asyncDispose]());
beforeEach(async () => {
  person = await w.person({ account, secondFactor: true });
});

/** Each from a network of its own, unless one is named. */
const ask = (email = person.email, ipAddress = `198.51.100.${++networks}`) =>
  requestPasswordReset(w.deps, visitor({ ipAddress }), { email });
const reset = async (token: string, password = NEW) => {
  const { data, errors } = await w.execute(RESET, { token, password });
  return errors[0] ?? data.resetPassword;
};
const secret = () => secretFor(w, person.email, 'reset-password');
const links = async (email: string) => {
  const query = w.db.selectFrom('oneTimeLinks').select(['userId', 'secretHash']).where('email', '=', email);
  return query.execute();
};
const hashOf = async ({ userId }: Person) =>
  (await w.db.selectFrom('users').select('passwordHash').where('id', '=', userId).executeTakeFirstOrThrow())
    .passwordHash;

describe('a link', () => {
  test('is asked for with one answer, known or not, and leaves a row of the same kind', async () => {
    expect(await ask()).toBe(true);
    expect(await ask('nobody@people.example')).toBe(true);
    expect(await ask('no address\0')).toBe(true);
    expect(await links(person.email)).toMatchObject([{ userId: person.userId }]);
    expect(await links('nobody@people.example')).toMatchObject([{ userId: null }]);
    expect(await mailsTo(w, 'nobody@people.example')).toEqual([]);
  });

  test('costs as many statements for somebody as for nobody', async () => {
    const cost = async (email: string) => {
      const before = w.queries;
      await ask(email);
      return w.queries - before;
    };
    expect(await cost(person.email)).toBe(await cost('nobody.else@people.example'));
    await w.deps.background.settled();
  });

  test('goes to the address as its owner wrote it, whatever its case was in the question', async () => {
    await ask(person.email.toUpperCase());
    const [mail] = await mailsTo(w, person.email);
    expect(mail?.html).toContain(`href="https://veredus.example/reset-password/${await secret()}"`);
    expect(JSON.stringify(await links(person.email))).not.toContain(await secret());
  });

  test('is not mailed to somebody who may not sign in any more, nor does an older one work', async () => {
    await ask();
    const token = await secret();
    await w.db.updateTable('users').set({ disabledAt: clock.now() }).where('id', '=', person.userId).execute();
    await ask();
    expect(await mailsTo(w, person.email)).toHaveLength(1);
    expect(await reset(token)).toMatchObject({ __typename: 'InvalidCode' });
  });

  test('is mailed a few times in a row, then no more for a while, from whichever network', async () => {
    for (let mail = 0; mail < 4; mail++) await ask();
    await expect(ask()).rejects.toMatchObject({ code: 'RATE_LIMITED' });
    await expect(ask(person.email.toUpperCase())).rejects.toMatchObject({ code: 'RATE_LIMITED' });
    expect(await mailsTo(w, person.email)).toHaveLength(4);
    await clock.advance(61_000);
    expect(await ask()).toBe(true);
  });

  test('of an address that many ask for is always good in the mailbox when one is refused', async () => {
    for (let minute = 0; minute < 120; minute++) {
      const refused = await ask().catch((error: unknown) => error);
      if (refused !== true) {
        const newest = (await mailsTo(w, person.email)).at(-1);
        expect(newest?.subject).toBe('Set a new password');
        expect(
          await w.db
            .selectFrom('oneTimeLinks')
            .select('id')
            .where('userId', '=', person.userId)
            .where('expiresAt', '>', clock.now())
            .execute(),
        ).not.toEqual([]);
      }
      await clock.advance(60_000);
    }
  });

  test('is refused when a network asks for many addresses, all at once too', async () => {
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        ask(`crowd${index}@people.example`, '203.0.113.7').catch((error: { code?: string }) => error.code),
      ),
    );
    const sent = answers.filter((answer) => answer === true).length;
    expect(sent).toBe(31);
    expect(new Set(answers)).toEqual(new Set([true, 'RATE_LIMITED']));
  });
});

describe('a password is not reset', () => {
  test('with a link that is wrong, or for something else', async () => {
    for (const token of ['', 'x', 'A'.repeat(43), 'A'.repeat(42)]) {
      expect(await reset(token)).toMatchObject({ __typename: 'InvalidCode', code: 'INVALID_CODE' });
    }
  });

  test('after half an hour', async () => {
    await ask();
    const token = await secret();
    await clock.advance(30 * 60_000);
    expect(await reset(token)).toMatchObject({ __typename: 'InvalidCode' });
  });

  test('to a weak one, and the link stays good', async () => {
    await ask();
    const token = await secret();
    expect(await reset(token, 'password1')).toMatchObject({ __typename: 'WeakPassword' });
    expect(await reset(token)).toMatchObject({ __typename: 'User' });
  });

  test('twice with one link, also at the same time, nor with another that was mailed before', async () => {
    await ask();
    const first = await secret();
    await ask();
    const token = await secret();
    expect(first).not.toBe(token);
    const answers = await Promise.all([reset(token), reset(token, `${NEW} too`), reset(token, `${NEW} three`)]);
    expect(typesOf(answers)).toEqual(['InvalidCode', 'InvalidCode', 'User']);
    expect(await reset(token)).toMatchObject({ __typename: 'InvalidCode' });
    expect(await reset(first)).toMatchObject({ __typename: 'InvalidCode' });
  });

  test('by trying links without end; whoever has a good one does not wait for a neighbour', async () => {
    const from = visitor({ ipAddress: '203.0.113.99' });
    const tries = async (token: string) =>
      resetPassword(w.deps, from, { token, newPassword: NEW }).catch((error: { code?: string }) => error.code);
    for (let index = 0; index <= 30; index++) expect(await tries('x')).toBe('INVALID_CODE');
    expect(await tries('x')).toBe('RATE_LIMITED');
    await ask();
    expect(await tries(await secret())).toMatchObject({ id: person.userId });
    expect(await tries('x')).toBe('RATE_LIMITED');
  });
});

describe('a reset password', () => {
  test('counts, and neither signs in nor shows a second factor: all sessions have ended', async () => {
    await ask();
    const answer = await reset(await secret());
    expect(answer).toMatchObject({ __typename: 'User', email: person.email, sessions: null });
    expect((await cheapPasswords.verify(await hashOf(person), NEW)).matches).toBe(true);
    const sessions = w.db.selectFrom('sessions').select('id').where('userId', '=', person.userId);
    expect(await sessions.execute()).toEqual([]);
    const factors = w.db.selectFrom('twoFactorMethods').select('id').where('userId', '=', person.userId);
    expect(await factors.execute()).toHaveLength(1);
  });

  test('signs in at once, however often others have guessed, and the second factor is still to be shown', async () => {
    const from = visitor({ ipAddress: '203.0.113.50' });
    const enter = (password: string) => signIn(w.deps, from, { email: person.email, password });
    for (let guess = 0; guess < 7; guess++) await enter('wrong').catch(() => undefined);
    await expect(enter('wrong')).rejects.toMatchObject({ code: 'RATE_LIMITED' });
    await ask();
    await reset(await secret());
    expect((await enter(NEW)).requirement).toBe('VERIFY_TWO_FACTOR');
  });

  test('is told by mail, and stands in the audit log of its accounts without any secret', async () => {
    await ask();
    const token = await secret();
    await reset(token);
    const mail = (await mailsTo(w, person.email)).at(-1);
    expect(mail).toMatchObject({ subject: 'Your password was changed' });
    const entry = (await auditOf(w, account.accountId)).at(-1);
    expect(entry).toMatchObject({ action: 'user.resetPassword', actorLabel: person.email });
    expect(JSON.stringify([mail, entry])).not.toMatch(new RegExp(`${token}|umbrella|argon2`));
  });
});
