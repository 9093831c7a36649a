// The second step of signing in, and fresh proofs: codes of an authenticator app that we did not write, and backup codes.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { guessRules } from '#/domain/identity/throttle.ts';
import { PROOF_MINUTES } from '#/domain/identity/rules.ts';
import { encodeId } from '#/domain/ids.ts';
import type { Person } from '#/domain/person.ts';
import { makeBackupCodes } from '#/resolvers/second-factor/backup-code-text.ts';
import { codeAt, peoplesSecret } from '../support/authenticator-app.ts';
import { Browser, signIn, stepUp, verify, VIEWER } from '../support/browser.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { cheapPasswords } from '../support/passwords.ts';
import { type TestAccount, type World, world } from '../support/world.ts';

const PASSWORD = 'correct horse battery staple';
const { free, firstWaitSeconds } = guessRules['second-factor'];

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

const code = (steps = 0) => codeAt(peoplesSecret, clock.now(), steps);
const wrongCode = () => String((Number(code()) + 1) % 1_000_000).padStart(6, '0');
/** Codes are good once: the next test has others. */
const nextStep = () => clock.advance(120_000);

async function ann(options: object = {}): Promise<Person> {
  await nextStep();
  return w.person({ account, passwordHash, secondFactor: true, ...options });
}

async function half({ email }: Person, browser = new Browser(w)): Promise<Browser> {
  await signIn(browser, email, PASSWORD);
  return browser;
}

async function signedIn(person: Person, browser = new Browser(w)): Promise<Browser> {
  await half(person, browser);
  if (person.secondFactor) await verify(browser, { totpCode: code() });
  expect((await browser.execute(VIEWER)).data.viewer.requirement).toBeNull();
  return browser;
}

async function giveBackupCodes({ userId }: Person): Promise<readonly string[]> {
  const { codes, hashes } = makeBackupCodes(w.deps.random);
  const rows = hashes.map((codeHash) => ({ userId, codeHash, usedAt: null }));
  await w.db.insertInto('backupCodes').values(rows).execute();
  return codes;
}

const outcomes = (replies: readonly { data: any; codes: readonly string[] }[]) =>
  replies.map(({ data, codes }) => String(data?.verifyTwoFactor?.__typename ?? codes[0])).sort();

describe('the second step is refused', () => {
  test('to nobody, and to who has taken it', async () => {
    expect((await verify(new Browser(w), { totpCode: '000000' })).codes).toEqual(['UNAUTHENTICATED']);
    const browser = await signedIn(await ann());
    expect((await verify(browser, { totpCode: code(1) })).codes).toEqual(['FORBIDDEN']);
  });

  test('without, and with more than one second factor', async () => {
    const browser = await half(await ann());
    const codes = await Promise.all([
      verify(browser, {}),
      verify(browser, { totpCode: code(), backupCode: 'x' }),
      verify(browser, { totpCode: null, backupCode: null, passkey: null }),
    ]);
    expect(codes.map((reply) => reply.codes)).toEqual(Array(3).fill(['BAD_USER_INPUT']));
  });

  test('for wrong codes, telling how many tries are left, and then makes them wait', async () => {
    const person = await ann();
    const browser = await half(person);
    for (let left = free - 1; left >= 0; left--) {
      const { data } = await verify(browser, { totpCode: wrongCode() });
      expect(data.verifyTwoFactor).toEqual({ __typename: 'InvalidCode', code: 'INVALID_CODE', attemptsLeft: left });
    }
    expect((await verify(browser, { totpCode: 'abcdef' })).data.verifyTwoFactor.attemptsLeft).toBe(0);
    // Over all sessions, and for every kind of second factor.
    const another = await half(person);
    expect(await verify(another, { totpCode: code() })).toMatchObject({
      codes: ['RATE_LIMITED'],
      retryAfter: firstWaitSeconds,
    });
    const [backup] = await giveBackupCodes(person);
    expect((await verify(another, { backupCode: backup })).codes).toEqual(['RATE_LIMITED']);
    expect((await verify(another, { passkey: {} })).codes).toEqual(['RATE_LIMITED']);
    await clock.advance(firstWaitSeconds * 1_000);
    expect((await verify(another, { totpCode: code() })).data.verifyTwoFactor.__typename).toBe('SignedIn');
  });

  test('for each alias of one document by itself', async () => {
    const browser = await half(await ann());
    const guesses = Array.from(
      { length: 20 },
      (_, n) => `a${n}: verifyTwoFactor(input: { totpCode: "${n}" }) { ...R }`,
    );
    const fragment = 'fragment R on VerifyTwoFactorResult { __typename ... on InvalidCode { attemptsLeft } }';
    const { data, codes } = await browser.execute(`mutation { ${guesses.join(' ')} } ${fragment}`);
    const answered = Object.values<any>(data).filter((result) => result !== null);
    expect(answered.map(({ attemptsLeft }) => attemptsLeft)).toEqual([4, 3, 2, 1, 0, 0]);
    expect(codes).toEqual(Array(14).fill('RATE_LIMITED'));
  });

  test('at once for as many as one after another', async () => {
    const browser = await half(await ann());
    const tries = await Promise.all(Array.from({ length: 30 }, () => verify(browser, { totpCode: wrongCode() })));
    expect(outcomes(tries)).toEqual([...Array(free + 1).fill('InvalidCode'), ...Array(29 - free).fill('RATE_LIMITED')]);
  });

  test('for the code of another time, beyond one step of drift', async () => {
    const browser = await half(await ann());
    for (const steps of [-2, 2]) {
      expect((await verify(browser, { totpCode: code(steps) })).data.verifyTwoFactor.__typename).toBe('InvalidCode');
    }
    expect((await verify(browser, { totpCode: code(1) })).data.verifyTwoFactor.__typename).toBe('SignedIn');
    const other = await half(await ann());
    expect((await verify(other, { totpCode: ` ${code(-1).slice(0, 3)} ${code(-1).slice(3)}` })).codes).toEqual([]);
    expect((await other.execute(VIEWER)).data.viewer.requirement).toBeNull();
  });

  test('for a code that was taken, also before the one that was', async () => {
    const person = await ann();
    await signedIn(person);
    const browser = await half(person);
    for (const steps of [0, -1]) {
      expect((await verify(browser, { totpCode: code(steps) })).data.verifyTwoFactor.__typename).toBe('InvalidCode');
    }
    expect((await verify(browser, { totpCode: code(1) })).data.verifyTwoFactor.__typename).toBe('SignedIn');
  });

  test('for all but one of those who show the same code at once', async () => {
    const person = await ann();
    const browsers = await Promise.all(Array.from({ length: 6 }, () => half(person)));
    const tries = await Promise.all(browsers.map((browser) => verify(browser, { totpCode: code() })));
    expect(outcomes(tries)).toEqual([...Array(5).fill('InvalidCode'), 'SignedIn']);
    const again = await ann();
    const [backup] = await giveBackupCodes(again);
    const others = await Promise.all(Array.from({ length: 6 }, () => half(again)));
    const more = await Promise.all(others.map((browser) => verify(browser, { backupCode: backup })));
    expect(outcomes(more)).toEqual([...Array(5).fill('InvalidCode'), 'SignedIn']);
  });

  test('when the half session is over, or was used up by an alias before', async () => {
    const browser = await half(await ann());
    await clock.advance(10 * 60_000);
    expect((await verify(browser, { totpCode: code() })).codes).toEqual(['UNAUTHENTICATED']);
    const person = await ann();
    const twice = await half(person);
    const [backup] = await giveBackupCodes(person);
    const { data, codes } = await twice.execute(
      `mutation { one: verifyTwoFactor(input: { totpCode: "${code()}" }) { __typename }
        two: verifyTwoFactor(input: { backupCode: "${backup}" }) { __typename } }`,
    );
    expect(data).toEqual({ one: { __typename: 'SignedIn' }, two: null });
    expect(codes).toEqual(['UNAUTHENTICATED']);
  });

  test('to who was disabled since the first step', async () => {
    const person = await ann();
    const browser = await half(person);
    await w.db.updateTable('users').set({ disabledAt: clock.now() }).where('id', '=', person.userId).execute();
    expect((await verify(browser, { totpCode: code() })).codes).toEqual(['UNAUTHENTICATED']);
  });

  test('on a known device for its own wrong tries only', async () => {
    const person = await ann();
    const known = await signedIn(person);
    const stranger = await half(person, new Browser(w, { ipAddress: '192.0.2.9' }));
    await Promise.all(Array.from({ length: 8 }, () => verify(stranger, { totpCode: wrongCode() })));
    expect((await verify(stranger, { totpCode: code(1) })).codes).toEqual(['RATE_LIMITED']);
    await half(person, known);
    expect((await verify(known, { totpCode: code(1) })).data.verifyTwoFactor.__typename).toBe('SignedIn');
  });
});

describe('the second step', () => {
  test('begins another session with another secret, and ends the half one', async () => {
    const person = await ann();
    const browser = await half(person);
    const before = { secret: browser.session, id: (await browser.person())?.session.id };
    const { data } = await verify(browser, { totpCode: code() });
    expect(data.verifyTwoFactor).toMatchObject({ requirement: null, token: browser.session });
    expect(browser.session).not.toBe(before.secret);
    expect(data.verifyTwoFactor.session.id).not.toBe(encodeId('session', before.id ?? ''));
    const stale = new Browser(w);
    stale.session = before.secret;
    expect((await stale.execute(VIEWER)).data.viewer).toBeNull();
    expect(browser.device).not.toBeNull();
  });

  test('shows who has taken it what is their own, as the next request would', async () => {
    const mine = 'user { sessions { id } twoFactor { backupCodesRemaining methods { kind } } }';
    const person = await ann();
    const [backupCode] = await giveBackupCodes(person);
    const browser = new Browser(w);
    const input = { email: person.email, password: PASSWORD };
    const first = await browser.execute(
      `mutation ($input: SignInInput!) { signIn(input: $input) { ... on SignedIn { ${mine} } } }`,
      { input },
    );
    expect(first.data.signIn.user).toEqual({
      sessions: null,
      twoFactor: { backupCodesRemaining: null, methods: [] },
    });
    const second = await browser.execute(
      `mutation ($input: VerifyTwoFactorInput!) { verifyTwoFactor(input: $input) { ... on SignedIn { ${mine} } } }`,
      { input: { backupCode } },
    );
    expect(second.data.verifyTwoFactor.user).toEqual({
      sessions: expect.arrayContaining([{ id: expect.stringMatching(/^ses_/) }]),
      twoFactor: { backupCodesRemaining: 9, methods: [{ kind: 'TOTP' }] },
    });
  });

  test('is on record with what was shown, in the session that it began', async () => {
    const person = await ann();
    const browser = await signedIn(person);
    const record = await w.db
      .selectFrom('auditLog')
      .selectAll()
      .where('actorId', '=', person.userId)
      .where('action', '=', 'session.begin')
      .executeTakeFirstOrThrow();
    const session = (await browser.person())?.session.id;
    expect(record).toMatchObject({ sessionId: session, changes: { by: 'TOTP', newDevice: false } });
  });

  test('is told by mail when it is taken on a new device', async () => {
    const person = await ann();
    await signedIn(person);
    await nextStep();
    await signedIn(person, new Browser(w, { ipAddress: '192.0.2.44' }));
    await w.deps.background.settled();
    const mails = w.mails.filter(({ to }) => to === person.email);
    expect(mails.map(({ text }) => text.includes('192.0.2.44'))).toEqual([true]);
  });

  test('takes a backup code once, however it is typed', async () => {
    const person = await ann();
    const [first = '', second = ''] = await giveBackupCodes(person);
    expect(first).toMatch(/^[0-9a-z]{4}(?:-[0-9a-z]{4}){3}$/);
    const typed = ` ${first.toUpperCase().replaceAll('-', ' ').replaceAll('0', 'O').replaceAll('1', 'l')}`;
    expect((await verify(await half(person), { backupCode: typed })).data.verifyTwoFactor.__typename).toBe('SignedIn');
    const browser = await half(person);
    for (const backupCode of [first, '', 'x'.repeat(5_000), `${second}0`]) {
      expect((await verify(browser, { backupCode })).data.verifyTwoFactor.__typename).toBe('InvalidCode');
    }
    expect((await verify(browser, { backupCode: second })).data.verifyTwoFactor.__typename).toBe('SignedIn');
    const mine = 'query { viewer { user { twoFactor { backupCodesRemaining } } } }';
    expect((await browser.execute(mine)).data.viewer.user.twoFactor.backupCodesRemaining).toBe(8);
    const stored = JSON.stringify(await w.db.selectFrom('backupCodes').selectAll().execute());
    expect(stored).not.toContain(first.replaceAll('-', ''));
  });
});

describe('a fresh proof is refused', () => {
  test('to who is not signed in completely', async () => {
    expect((await stepUp(new Browser(w), { password: PASSWORD })).codes).toEqual(['UNAUTHENTICATED']);
    const browser = await half(await ann());
    expect((await stepUp(browser, { totpCode: code() })).codes).toEqual(['TWO_FACTOR_REQUIRED']);
  });

  test('for the password alone where there is a second factor, without telling whether it is right', async () => {
    const browser = await signedIn(await ann());
    for (const password of [PASSWORD, 'wrong']) {
      expect((await stepUp(browser, { password })).data.stepUp).toEqual({
        __typename: 'InvalidCredentials',
        code: 'INVALID_CREDENTIALS',
      });
    }
  });

  test('for a wrong password, a second factor that is not there, and more than one', async () => {
    const browser = await signedIn(await ann({ secondFactor: false }));
    expect((await stepUp(browser, { password: 'wrong' })).data.stepUp.code).toBe('INVALID_CREDENTIALS');
    expect((await stepUp(browser, { totpCode: '123456' })).data.stepUp.code).toBe('INVALID_CODE');
    expect((await stepUp(browser, { totpCode: '1', password: PASSWORD })).codes).toEqual(['BAD_USER_INPUT']);
    expect((await stepUp(browser, {})).codes).toEqual(['BAD_USER_INPUT']);
  });

  test('after too many wrong passwords, in each session of the person', async () => {
    const person = await ann({ secondFactor: false });
    const [one, other] = [await signedIn(person), await signedIn(person)];
    const tries = await Promise.all(
      Array.from({ length: 30 }, (_, n) => stepUp(n % 2 ? one : other, { password: 'wrong' })),
    );
    const limited = tries.filter(({ codes }) => codes[0] === 'RATE_LIMITED');
    expect(tries.length - limited.length).toBe(guessRules.device.free + 1);
    expect((await stepUp(one, { password: PASSWORD })).codes).toEqual(['RATE_LIMITED']);
  });

  test('for wrong codes as often as when signing in', async () => {
    const person = await ann();
    const browser = await signedIn(person);
    for (let left = free; left >= 0; left--) await stepUp(browser, { totpCode: wrongCode() });
    expect((await stepUp(browser, { totpCode: code(1) })).codes).toEqual(['RATE_LIMITED']);
  });

  test('for the code that signed in', async () => {
    const browser = await signedIn(await ann());
    expect((await stepUp(browser, { totpCode: code() })).data.stepUp.code).toBe('INVALID_CODE');
  });
});

describe('a fresh proof', () => {
  test('by the second factor renews the secret of a browser, and holds for some minutes', async () => {
    const browser = await signedIn(await ann());
    const BEGIN = 'mutation { beginTotpEnrollment { secret } }';
    expect((await browser.execute(BEGIN)).codes).toEqual([]);
    await clock.advance(PROOF_MINUTES * 60_000);
    expect((await browser.execute(BEGIN)).codes).toEqual(['STEP_UP_REQUIRED']);
    const before = browser.session;
    const { data } = await stepUp(browser, { totpCode: code() });
    expect(data.stepUp).toEqual({
      __typename: 'SteppedUp',
      until: new Date(clock.now().getTime() + PROOF_MINUTES * 60_000).toISOString(),
      token: browser.session,
    });
    expect(browser.session).not.toBe(before);
    expect((await browser.execute(BEGIN)).codes).toEqual([]);
    const stale = new Browser(w);
    stale.session = before;
    expect((await stale.execute(VIEWER)).data.viewer).toBeNull();
  });

  test('keeps the secret of a program, unless it asks for another', async () => {
    const person = await ann({ secondFactor: false });
    const program = new Browser(w, { program: true });
    program.session = (await signIn(program, person.email, PASSWORD)).data.signIn.token;
    expect((await stepUp(program, { password: PASSWORD })).data.stepUp.token).toBeNull();
    expect((await program.execute(VIEWER)).data.viewer.user.email).toBe(person.email);
    const { token } = (await stepUp(program, { password: PASSWORD, renewToken: true })).data.stepUp;
    expect((await program.execute(VIEWER)).data.viewer).toBeNull();
    program.session = token;
    expect((await program.execute(VIEWER)).data.viewer.user.email).toBe(person.email);
  });

  test('is on record', async () => {
    const person = await ann({ secondFactor: false });
    const browser = await signedIn(person);
    await stepUp(browser, { password: PASSWORD });
    const records = await w.db.selectFrom('auditLog').selectAll().where('actorId', '=', person.userId).execute();
    expect(records.map(({ action, changes }) => ({ action, changes }))).toContainEqual({
      action: 'session.stepUp',
      changes: { by: 'PASSWORD' },
    });
    expect(JSON.stringify(records)).not.toContain(PASSWORD);
  });
});
