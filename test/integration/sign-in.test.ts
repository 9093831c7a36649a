// Signing in with a password: who is refused, how long wrong tries cost, which devices are known, and what is on record.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { guessRules } from '#/domain/identity/throttle.ts';
import { MAX_KNOWN_DEVICES, MAX_SESSIONS } from '#/domain/identity/rules.ts';
import { encodeId } from '#/domain/ids.ts';
import type { Person } from '#/domain/person.ts';
import { keepHouse } from '#/maintenance/housekeeping.ts';
import { Browser, signIn, VIEWER } from '../support/browser.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { listLog, type LogLine } from '../support/http-world.ts';
import { cheapPasswords } from '../support/passwords.ts';
import { type TestAccount, type World, world } from '../support/world.ts';

const PASSWORD = 'correct horse battery staple';
const wrong = { __typename: 'InvalidCredentials', code: 'INVALID_CREDENTIALS' };

let w: World;
let account: TestAccount;
let passwordHash: string;
const clock = new FakeClock();
const lines: LogLine[] = [];
let people = 0;
let networks = 0;

beforeAll(async () => {
  w = await world({ clock, log: listLog(lines) });
  account = await w.account();
  passwordHash = await cheapPasswords.hash(PASSWORD);
});
afterAll(() => w[Symbol.asyncDispose]());
beforeEach(() => {
  lines.length = 0;
});

/** Each comes from a network of its own, unless said. */
const somewhere = (ipAddress = `10.0.${++networks >> 8}.${networks & 255}`) => new Browser(w, { ipAddress });
const ann = (options: object = {}): Promise<Person> =>
  w.person({ email: `Ann${++people}@People.example`, passwordHash, ...options });
const mailsTo = async (email: string) => {
  await w.deps.background.settled();
  return w.mails.filter(({ to }) => to === email);
};
const change = (userId: string, set: object) => w.db.updateTable('users').set(set).where('id', '=', userId).execute();
async function failing(browser: Browser, email: string, times: number) {
  for (let time = 0; time < times; time++) {
    expect((await signIn(browser, email, 'not it')).data.signIn).toEqual(wrong);
  }
}

describe('nobody gets in', () => {
  test('with a wrong password, an unknown address, no password, or disabled: all answered alike', async () => {
    const { email, userId } = await ann();
    const { email: without } = await w.person({ email: 'invited@people.example' });
    const disabled = await ann();
    await change(disabled.userId, { disabledAt: clock.now() });
    const answers = [
      await signIn(somewhere(), email, `${PASSWORD}!`),
      await signIn(somewhere(), 'nobody@people.example', PASSWORD),
      await signIn(somewhere(), without, ''),
      await signIn(somewhere(), disabled.email, PASSWORD),
      await signIn(somewhere(), 'no\0address', PASSWORD),
      await signIn(somewhere(), 'x'.repeat(10_000), 'x'.repeat(10_000)),
    ];
    for (const { data, codes } of answers) {
      expect(data).toEqual({ signIn: wrong });
      expect(codes).toEqual([]);
    }
    const failures = lines.filter(({ message }) => message === 'a sign-in failed').map(({ fields }) => fields);
    expect(failures).toHaveLength(6);
    expect(failures[0]).toMatchObject({ userId: encodeId('user', userId) });
    expect(failures[1]).toMatchObject({ userId: null });
    // What was typed as an address may be a password.
    expect(JSON.stringify(lines)).not.toMatch(/nobody@|correct horse|no\\u0000/);
  });

  test('with a password that was changed while it was compared', async () => {
    const { email, userId } = await ann();
    const { passwords } = w.deps;
    const slow = {
      ...w.deps,
      passwords: {
        ...passwords,
        async verify(hash: string | null, password: string) {
          const verified = await passwords.verify(hash, password);
          await change(userId, { passwordHash: await passwords.hash('another') });
          return verified;
        },
      },
    };
    const browser = new Browser({ ...w, deps: slow });
    expect((await signIn(browser, email, PASSWORD)).data.signIn).toEqual(wrong);
    expect(browser.session).toBeNull();
  });
});

describe('wrong tries', () => {
  test.each(['known', 'unknown'])('of a %s address cost a growing pause, the same for both', async (kind) => {
    const email = kind === 'known' ? (await ann()).email : 'stranger@people.example';
    const { free, firstWaitSeconds } = guessRules.identity;
    await failing(somewhere(), email, free);
    expect((await signIn(somewhere(), email, 'x')).data.signIn).toEqual(wrong);
    const refused = await signIn(somewhere(), email, PASSWORD);
    expect(refused).toMatchObject({ data: { signIn: null }, codes: ['RATE_LIMITED'], retryAfter: firstWaitSeconds });
    await clock.advance(firstWaitSeconds * 1_000);
    expect((await signIn(somewhere(), email, 'x')).data.signIn).toEqual(wrong);
    expect((await signIn(somewhere(), email, PASSWORD)).retryAfter).toBe(2 * firstWaitSeconds);
  });

  test('are counted however the address is written, and a success clears them', async () => {
    const { email } = await ann();
    await failing(somewhere(), email.toUpperCase(), 3);
    await failing(somewhere(), ` ${email}`, guessRules.identity.free - 3);
    expect((await signIn(somewhere(), email, PASSWORD)).data.signIn.__typename).toBe('SignedIn');
    await failing(somewhere(), email, guessRules.identity.free);
  });

  test('at once are counted like one after another', async () => {
    const { email } = await ann();
    const tries = await Promise.all(Array.from({ length: 40 }, () => signIn(somewhere(), email, 'x')));
    const answered = tries.filter(({ codes }) => codes.length === 0);
    expect(answered).toHaveLength(guessRules.identity.free + 1);
    expect(tries.flatMap(({ codes }) => codes)).toEqual(Array(40 - answered.length).fill('RATE_LIMITED'));
  });

  test('at many addresses stop their network, and the right password does not clear it', async () => {
    const { email } = await ann();
    const ipAddress = '2001:db8:1:2::1';
    for (let time = 0; time <= guessRules.network.free; time++) {
      await failing(somewhere(`2001:db8:1:2::${time + 2}`), `many${time}@people.example`, 1);
    }
    expect((await signIn(somewhere(ipAddress), email, PASSWORD)).codes).toEqual(['RATE_LIMITED']);
    expect((await signIn(somewhere('2001:db8:1:3::1'), email, PASSWORD)).codes).toEqual([]);
    await clock.advance(guessRules.network.firstWaitSeconds * 1_000);
    expect((await signIn(somewhere(ipAddress), email, PASSWORD)).codes).toEqual([]);
    expect((await signIn(somewhere(ipAddress), 'many@people.example', 'x')).codes).toEqual([]);
    expect((await signIn(somewhere(ipAddress), email, PASSWORD)).codes).toEqual(['RATE_LIMITED']);
  });

  test('of strangers do not keep a known device out, from whatever network', async () => {
    const { email } = await ann();
    const known = somewhere();
    await signIn(known, email, PASSWORD);
    await failing(somewhere(), email, guessRules.identity.free + 1);
    for (let time = 0; time <= guessRules.network.free; time++) {
      await failing(somewhere(known.ipAddress), `else${time}@people.example`, 1);
    }
    expect((await signIn(somewhere(), email, PASSWORD)).codes).toEqual(['RATE_LIMITED']);
    expect((await signIn(somewhere(known.ipAddress), 'else@people.example', 'x')).codes).toEqual(['RATE_LIMITED']);
    expect((await signIn(known, email, PASSWORD)).data.signIn.__typename).toBe('SignedIn');
  });

  test('of a known device make it wait, and nobody else', async () => {
    const { email } = await ann();
    const known = somewhere();
    await signIn(known, email, PASSWORD);
    await failing(known, email, guessRules.device.free + 1);
    expect((await signIn(known, email, PASSWORD)).codes).toEqual(['RATE_LIMITED']);
    expect((await signIn(somewhere(), email, PASSWORD)).data.signIn.__typename).toBe('SignedIn');
  });

  test('are forgotten by housekeeping when they do not count any more', async () => {
    await clock.advance(80 * 3_600_000);
    await keepHouse({ ...w, ...w.deps });
    expect(await w.db.selectFrom('guessCounters').select('failures').execute()).toEqual([]);
    expect(await w.db.selectFrom('sessions').select('id').execute()).toEqual([]);
  });
});

describe('a device', () => {
  test('is not known by a cookie that somebody made up, or that knows another person', async () => {
    const [a, b] = [await ann(), await ann()];
    const browser = somewhere();
    browser.device = 'weak';
    await signIn(browser, a.email, PASSWORD);
    expect(browser.device).toMatch(/^[\w-]{43}$/);
    await Promise.all(Array.from({ length: 10 }, () => signIn(somewhere(), b.email, 'x')));
    expect((await signIn(browser, b.email, PASSWORD)).codes).toEqual(['RATE_LIMITED']);
  });

  test('is not known before the second factor was shown', async () => {
    const { email } = await ann({ secondFactor: true });
    const browser = somewhere();
    expect((await signIn(browser, email, PASSWORD)).data.signIn.requirement).toBe('VERIFY_TWO_FACTOR');
    expect(browser.device).toBeNull();
  });

  test('that is new is told to who has known ones, with where and when, and not to others', async () => {
    const { email } = await ann();
    const first = somewhere();
    await signIn(first, email, PASSWORD);
    await signIn(first, email, PASSWORD);
    expect(await mailsTo(email)).toEqual([]);
    const second = somewhere('203.0.113.77');
    await signIn(second, email, PASSWORD);
    const [mail, ...others] = await mailsTo(email);
    expect(others).toEqual([]);
    expect(mail?.text).toContain('203.0.113.77');
    expect(mail?.text).toContain('Firefox <test>');
    expect(mail?.html).toContain('Firefox &lt;test&gt;');
    expect(mail?.text).toContain(clock.now().toISOString().slice(0, 10));
    expect(mail?.text).not.toContain(second.session);
  });

  test(`makes room at ${MAX_KNOWN_DEVICES}, the one that was used longest ago first`, async () => {
    const { email, userId } = await ann();
    const first = somewhere();
    await signIn(first, email, PASSWORD);
    for (let more = 0; more < MAX_KNOWN_DEVICES; more++) {
      await clock.advance(1);
      await signIn(somewhere(), email, PASSWORD);
    }
    const known = await w.db.selectFrom('knownDevices').select('secretHash').where('userId', '=', userId).execute();
    expect(known).toHaveLength(MAX_KNOWN_DEVICES);
  });
});

describe('who signs in', () => {
  test('gets a session, as a cookie and as a token, that is told to be theirs', async () => {
    const { email } = await ann();
    const browser = somewhere();
    const { data } = await signIn(browser, email.toLowerCase(), PASSWORD);
    expect(data.signIn).toMatchObject({
      requirement: null,
      user: { email },
      session: { current: true, ipAddress: browser.ipAddress, userAgent: browser.userAgent },
    });
    expect(data.signIn.token).toBe(browser.session);
    const { data: seen } = await browser.execute(VIEWER);
    expect(seen.viewer).toEqual({ kind: 'USER', requirement: null, user: { email } });
    const stored = await w.db.selectFrom('sessions').selectAll().execute();
    expect(JSON.stringify(stored)).not.toContain(browser.session);
  });

  test('again in the same browser ends the session before, which nobody could end any more', async () => {
    const { email } = await ann();
    const browser = somewhere();
    await signIn(browser, email, PASSWORD);
    const before = browser.session;
    await signIn(browser, email, PASSWORD);
    expect(browser.session).not.toBe(before);
    const stale = somewhere();
    stale.session = before;
    expect((await stale.execute(VIEWER)).data.viewer).toBeNull();
  });

  test('as a program keeps the session before, and is no device', async () => {
    const { email, userId } = await ann();
    const program = new Browser(w, { program: true });
    const { data } = await signIn(program, email, PASSWORD);
    program.session = data.signIn.token;
    await signIn(program, email, PASSWORD);
    expect((await program.execute(VIEWER)).data.viewer.user).toEqual({ email });
    expect(await w.db.selectFrom('knownDevices').selectAll().where('userId', '=', userId).execute()).toEqual([]);
  });

  test('with a hash of the past gets one of today', async () => {
    const { email, userId } = await ann();
    const passwords = { ...w.deps.passwords, verify: async () => ({ matches: true, rehash: 'of today' }) };
    await signIn(new Browser({ ...w, deps: { ...w.deps, passwords } }), email, PASSWORD);
    const user = await w.db.selectFrom('users').selectAll().where('id', '=', userId).executeTakeFirstOrThrow();
    expect(user.passwordHash).toBe('of today');
  });

  test('is on record in each of their accounts, once complete', async () => {
    const { email, userId } = await ann({ account });
    const half = await ann({ account, secondFactor: true });
    const browser = somewhere();
    const { data } = await signIn(browser, email, PASSWORD);
    await signIn(somewhere(), half.email, PASSWORD);
    const records = await w.db.selectFrom('auditLog').selectAll().where('accountId', '=', account.accountId).execute();
    const begun = records.filter(({ action }) => action.startsWith('session.'));
    expect(begun).toMatchObject([
      {
        action: 'session.begin',
        actorKind: 'USER',
        actorId: userId,
        actorLabel: email,
        ipAddress: browser.ipAddress,
        subjectIds: [data.signIn.session.id],
        changes: { by: 'password', newDevice: false },
      },
    ]);
    expect(begun[0]?.sessionId).not.toBeNull();
    expect(lines.map(({ fields }) => Reflect.get(fields, 'audit'))).toEqual(['session.begin', 'session.beginHalf']);
    expect(JSON.stringify([records, lines])).not.toContain(PASSWORD);
  });

  test('without the second factor does not push out the sessions that have shown it', async () => {
    const { email, userId } = await ann({ secondFactor: true });
    const complete = await w.db.selectFrom('sessions').select('id').where('userId', '=', userId).execute();
    for (let more = 0; more < MAX_SESSIONS + 2; more++) await signIn(somewhere(), email, PASSWORD);
    const now = await w.db.selectFrom('sessions').selectAll().where('userId', '=', userId).execute();
    expect(now.filter(({ secondFactorPending }) => secondFactorPending)).toHaveLength(MAX_SESSIONS);
    expect(now.filter(({ secondFactorPending }) => !secondFactorPending).map(({ id }) => ({ id }))).toEqual(complete);
  });
});
