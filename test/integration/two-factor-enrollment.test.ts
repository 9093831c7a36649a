// Setting second factors up and removing them, and backup codes.
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MAX_TWO_FACTOR_METHODS } from '#/domain/identity/rules.ts';
import { encodeId } from '#/domain/ids.ts';
import type { Person } from '#/domain/person.ts';
import { resealSecrets } from '#/maintenance/reseal-secrets.ts';
import { createSecretBox } from '#/runtime/secret-box.ts';
import { systemRandom } from '#/runtime/random.ts';
import { codeAt, peoplesSecret } from '../support/authenticator-app.ts';
import { Browser, signIn, verify } from '../support/browser.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { cheapPasswords } from '../support/passwords.ts';
import { testSecretKey } from '../support/secret-key.ts';
import { silentLog } from '../support/silent-log.ts';
import { type TestAccount, type World, world } from '../support/world.ts';

const PASSWORD = 'correct horse battery staple';
const BEGIN = 'mutation { beginTotpEnrollment { secret uri qrSvg } }';
const CONFIRM = `mutation ($input: ConfirmTotpEnrollmentInput!) { confirmTotpEnrollment(input: $input) { __typename
  ... on Error { code } ... on TwoFactorEnrolled { method { id kind name lastUsedAt } backupCodes } } }`;
const REMOVE = `mutation ($id: ID!) { removeTwoFactorMethod(input: { id: $id }) { __typename ... on Error { code }
  ... on User { twoFactor { enabled methods { name } } } } }`;
const CODES = 'mutation { regenerateBackupCodes { codes } }';

let w: World;
let account: TestAccount;
let passwordHash: string;
const clock = new FakeClock();

beforeAll(async () => {
  w = await world({ clock });
  account = await w.account();
  passwordHash = await cheapPasswords.hash(PASSWORD);
});
afterAll(() => w[Symbol.asyncDispose]());

const demand = (twoFactorPolicy: 'REQUIRED' | 'OPTIONAL', { accountId } = account) =>
  w.db.updateTable('accounts').set({ twoFactorPolicy }).where('id', '=', accountId).execute();
const methodsOf = ({ userId }: Person) =>
  w.db.selectFrom('twoFactorMethods').selectAll().where('userId', '=', userId).orderBy('id').execute();
const mailsTo = async ({ email }: Person) => {
  await w.deps.background.settled();
  return w.mails.filter(({ to }) => to === email).map(({ text }) => text);
};
const begin = async (person: Person) => (await w.execute(BEGIN, {}, person)).data.beginTotpEnrollment;
const confirm = (person: Person, code: string, name?: string) =>
  w.execute(CONFIRM, { input: { code, ...(name === undefined ? {} : { name }) } }, person);

async function enroll(person: Person, name?: string) {
  const { secret } = await begin(person);
  const { data } = await confirm(person, codeAt(secret, clock.now()), name);
  expect(data.confirmTotpEnrollment.__typename).toBe('TwoFactorEnrolled');
  return { secret, ...data.confirmTotpEnrollment, person: await w.again(person) };
}

describe('an authenticator app is not set up', () => {
  test('without a fresh proof, by programs, by nobody, or half signed in', async () => {
    const stale = await w.person({ proved: false });
    const half = await w.person({ secondFactor: true, halfSignedIn: true });
    for (const document of [BEGIN, CODES]) {
      const codes = await Promise.all([stale, half, null, account.manager].map((who) => w.execute(document, {}, who)));
      expect(codes.map(({ errors }) => errors[0]?.code)).toEqual([
        'STEP_UP_REQUIRED',
        'TWO_FACTOR_REQUIRED',
        'UNAUTHENTICATED',
        'FORBIDDEN',
      ]);
    }
    expect((await confirm(stale, '123456')).errors[0]?.code).toBe('STEP_UP_REQUIRED');
  });

  test('with a wrong code, which may be tried again', async () => {
    const person = await w.person();
    const { secret } = await begin(person);
    for (const code of ['000000', 'x', codeAt(secret, clock.now(), 3)]) {
      expect((await confirm(person, code)).data.confirmTotpEnrollment.code).toBe('INVALID_CODE');
    }
    expect((await confirm(person, codeAt(secret, clock.now()))).data.confirmTotpEnrollment.__typename).toBe(
      'TwoFactorEnrolled',
    );
  });

  test('unbegun, too late, in another session, or with a secret that was replaced', async () => {
    const person = await w.person();
    expect((await confirm(person, '123456')).data.confirmTotpEnrollment.code).toBe('INVALID_CODE');
    const first = await begin(person);
    await begin(person);
    const code = () => codeAt(first.secret, clock.now());
    expect((await confirm(person, code())).data.confirmTotpEnrollment.code).toBe('INVALID_CODE');
    const { secret } = await begin(person);
    const other = await w.person();
    expect((await confirm(other, codeAt(secret, clock.now()))).data.confirmTotpEnrollment.code).toBe('INVALID_CODE');
    await w.db
      .updateTable('secondFactorChallenges')
      .set({ expiresAt: clock.now() })
      .where('sessionId', '=', person.session.id)
      .execute();
    expect((await confirm(person, codeAt(secret, clock.now()))).data.confirmTotpEnrollment.code).toBe('INVALID_CODE');
    expect(await methodsOf(person)).toEqual([]);
  });

  test('with a bad name, or beyond the limit', async () => {
    const person = await w.person();
    await begin(person);
    for (const name of ['', 'x'.repeat(101), 'a\nb']) {
      expect((await confirm(person, '1', name)).data.confirmTotpEnrollment.code).toBe('INVALID_INPUT');
    }
    for (let more = 0; more < MAX_TWO_FACTOR_METHODS; more++) await enroll(person, `App ${more}`);
    const { secret } = await begin(person);
    expect((await confirm(person, codeAt(secret, clock.now()))).data.confirmTotpEnrollment.code).toBe('LIMIT_REACHED');
  });

  test('twice with one secret at once', async () => {
    const person = await w.person();
    const { secret } = await begin(person);
    const code = codeAt(secret, clock.now());
    const tries = await Promise.all(Array.from({ length: 5 }, () => confirm(person, code)));
    const set = tries.filter(({ data }) => data.confirmTotpEnrollment.__typename === 'TwoFactorEnrolled');
    expect(set).toHaveLength(1);
    expect(await methodsOf(person)).toHaveLength(1);
  });
});

describe('an authenticator app', () => {
  test('gets its secret as text, URI and QR code, and it is sealed in the database', async () => {
    const person = await w.person({ email: 'bob+2fa@people.example' });
    const { secret, uri, qrSvg } = await begin(person);
    expect(secret).toMatch(/^[A-Z2-7]{32}$/);
    const url = new URL(uri);
    expect(url.protocol).toBe('otpauth:');
    expect(decodeURIComponent(url.pathname)).toContain('Veredus:bob+2fa@people.example');
    expect(Object.fromEntries(url.searchParams)).toEqual({
      issuer: 'Veredus',
      secret,
      algorithm: 'SHA1',
      digits: '6',
      period: '30',
    });
    expect(qrSvg).toMatch(/^<svg[\s\S]*<\/svg>$/);
    const rows = await w.db.selectFrom('secondFactorChallenges').selectAll().execute();
    expect(JSON.stringify(rows.map((row) => row.secretEncrypted.toString('latin1')))).not.toContain(secret);
  });

  test('makes ten backup codes with the first, none with the next, and is told by mail and on record', async () => {
    const person = await w.person({ account });
    const first = await enroll(person, 'Phone');
    expect(first.method).toMatchObject({ kind: 'TOTP', name: 'Phone', lastUsedAt: null });
    expect(new Set(first.backupCodes).size).toBe(10);
    expect((await enroll(first.person)).backupCodes).toEqual([]);
    const [one, two] = await mailsTo(person);
    expect(one).toContain('“Phone”');
    expect(two).toContain('“Authenticator app”');
    const records = await w.db
      .selectFrom('auditLog')
      .selectAll()
      .where('actorId', '=', person.userId)
      .orderBy('id')
      .execute();
    expect(records.map(({ action }) => action)).toEqual(['twoFactor.add', 'twoFactor.add']);
    expect(JSON.stringify([records, w.mails])).not.toMatch(new RegExp([first.secret, ...first.backupCodes].join('|')));
  });

  test('signs in from then on, but not with the code that set it up', async () => {
    const person = await w.person({ passwordHash });
    const { secret } = await enroll(person);
    const browser = new Browser(w);
    expect((await signIn(browser, person.email, PASSWORD)).data.signIn.requirement).toBe('VERIFY_TWO_FACTOR');
    const code = (steps: number) => codeAt(secret, clock.now(), steps);
    expect((await verify(browser, { totpCode: code(0) })).data.verifyTwoFactor.__typename).toBe('InvalidCode');
    expect((await verify(browser, { totpCode: code(1) })).data.verifyTwoFactor.__typename).toBe('SignedIn');
  });

  test('ends the other sessions when it is the first, which never showed it, and keeps them afterwards', async () => {
    const person = await w.person({ passwordHash });
    const other = new Browser(w);
    await signIn(other, person.email, PASSWORD);
    const enrolled = await enroll(person);
    expect(await other.person()).toBeNull();
    await clock.advance(60_000);
    await signIn(other, person.email, PASSWORD);
    await verify(other, { totpCode: codeAt(enrolled.secret, clock.now()) });
    await enroll(await w.again(person), 'Second');
    expect(await other.person()).not.toBeNull();
  });

  test('frees who was kept from everything by an account that demands it', async () => {
    const strict = await w.account();
    await demand('REQUIRED', strict);
    const person = await w.person({ account: strict });
    expect(person.requirement).toBe('ENROLL_TWO_FACTOR');
    const { person: after } = await enroll(person);
    expect(after.requirement).toBeNull();
    expect(after.actors).toHaveLength(1);
  });

  test('is what oathtool reckons too', ({ skip }) => {
    const found = spawnSync('oathtool', ['--version']);
    if (found.error !== undefined) skip('oathtool is not installed');
    const now = clock.now().toISOString().replace('T', ' ').slice(0, 19);
    const { stdout } = spawnSync('oathtool', ['--totp', '--base32', '--now', `${now} UTC`, peoplesSecret]);
    expect(String(stdout).trim()).toBe(codeAt(peoplesSecret, clock.now()));
  });

  test('is sealed with the new key once there is one', async () => {
    const person = await w.person({ secondFactor: true });
    const rotated = createSecretBox(['a newer key that is long enough', testSecretKey], systemRandom);
    await resealSecrets({ system: w.system, secrets: rotated, log: silentLog });
    const [method] = await methodsOf(person);
    const newOnly = createSecretBox(['a newer key that is long enough'], systemRandom);
    const sealed = method?.secretEncrypted ?? Buffer.alloc(0);
    expect(newOnly.open(sealed, `two_factor_methods/${person.userId}`).toString()).toBe('12345678901234567890');
    const back = createSecretBox([testSecretKey, 'a newer key that is long enough'], systemRandom);
    await resealSecrets({ system: w.system, secrets: back, log: silentLog });
  });
});

describe('backup codes', () => {
  test('are made anew on demand, and those from before are void', async () => {
    const person = await w.person({ passwordHash, account });
    const { backupCodes, person: after } = await enroll(person);
    const { codes } = (await w.execute(CODES, {}, after)).data.regenerateBackupCodes;
    expect(codes).toHaveLength(10);
    const browser = new Browser(w);
    await signIn(browser, person.email, PASSWORD);
    expect((await verify(browser, { backupCode: backupCodes[0] })).data.verifyTwoFactor.__typename).toBe('InvalidCode');
    expect((await verify(browser, { backupCode: codes[0] })).data.verifyTwoFactor.__typename).toBe('SignedIn');
    expect((await mailsTo(person)).some((text) => text.includes('New backup codes'))).toBe(true);
  });

  test('are none where there is no second factor', async () => {
    const person = await w.person();
    expect((await w.execute(CODES, {}, person)).data).toEqual({ regenerateBackupCodes: null });
    expect(await mailsTo(person)).toEqual([]);
  });
});

describe('a second factor is removed', () => {
  const remove = (person: Person, id: string) => w.execute(REMOVE, { id }, person);

  test('neither without a fresh proof nor by somebody else', async () => {
    const person = await w.person({ secondFactor: true, proved: false });
    const [method] = await methodsOf(person);
    const id = encodeId('factor', method?.id ?? '');
    expect((await remove(person, id)).errors[0]?.code).toBe('STEP_UP_REQUIRED');
    const other = await w.person({ secondFactor: true });
    for (const wrong of [id, encodeId('factor', w.deps.ids.next()), 'tfa_nothing', encodeId('user', person.userId)]) {
      expect((await remove(other, wrong)).data.removeTwoFactorMethod).toEqual({
        __typename: 'NotFound',
        code: 'NOT_FOUND',
      });
    }
    expect(await methodsOf(person)).toHaveLength(1);
  });

  test('not when it is the last and an account, or the installation, demands one', async () => {
    const strict = await w.account();
    await demand('REQUIRED', strict);
    for (const person of [
      await w.person({ account: strict, secondFactor: true }),
      await w.person({ staff: true, secondFactor: true }),
    ]) {
      const [method] = await methodsOf(person);
      const id = encodeId('factor', method?.id ?? '');
      expect((await remove(person, id)).data.removeTwoFactorMethod.code).toBe('CONFLICT');
      await enroll(person, 'Spare');
      const { data } = await remove(person, id);
      expect(data.removeTwoFactorMethod.twoFactor).toEqual({ enabled: true, methods: [{ name: 'Spare' }] });
    }
  });

  test('of two at once only as far as one is left, where one is demanded', async () => {
    const strict = await w.account();
    await demand('REQUIRED', strict);
    const person = await w.person({ account: strict, secondFactor: true });
    await enroll(person);
    const ids = (await methodsOf(person)).map(({ id }) => encodeId('factor', id));
    const answers = await Promise.all(ids.map((id) => remove(person, id)));
    const kinds = answers.map(({ data }) => String(data.removeTwoFactorMethod.__typename));
    expect(kinds.sort()).toEqual(['Conflict', 'User']);
  });

  test('with its backup codes when it was the last, and told by mail', async () => {
    const person = await w.person({ account });
    const { method } = await enroll(person, 'Phone');
    const { data } = await remove(await w.again(person), method.id);
    expect(data.removeTwoFactorMethod.twoFactor).toEqual({ enabled: false, methods: [] });
    const codes = await w.db.selectFrom('backupCodes').selectAll().where('userId', '=', person.userId).execute();
    expect(codes).toEqual([]);
    expect((await mailsTo(person)).at(-1)).toContain('“Phone” was removed');
  });
});
