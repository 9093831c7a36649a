// Passkeys, with a key in software that also signs what it should not. The key of a real browser: test/e2e/passkeys.test.ts.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CHALLENGE_MINUTES } from '#/domain/identity/rules.ts';
import type { Person } from '#/domain/person.ts';
import { Browser, signIn, stepUp, verify } from '../support/browser.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { cheapPasswords } from '../support/passwords.ts';
import { SoftwareAuthenticator } from '../support/software-authenticator.ts';
import { type World, world } from '../support/world.ts';

const ORIGIN = 'https://veredus.example';
const PASSWORD = 'correct horse battery staple';
const BEGIN = 'mutation { beginPasskeyEnrollment { options } }';
const CONFIRM = `mutation ($input: ConfirmPasskeyEnrollmentInput!) { confirmPasskeyEnrollment(input: $input) { __typename
  ... on Error { code } ... on TwoFactorEnrolled { method { kind name } backupCodes } } }`;
const CHALLENGE = 'mutation { beginPasskeyVerification { options } }';

let w: World;
let passwordHash: string;
const clock = new FakeClock();

beforeAll(async () => {
  w = await world({ clock });
  passwordHash = await cheapPasswords.hash(PASSWORD);
});
afterAll(() => w[Symbol.asyncDispose]());

const ann = () => w.person({ passwordHash });
const optionsFor = async (person: Person) => (await w.execute(BEGIN, {}, person)).data.beginPasskeyEnrollment.options;
const confirm = async (person: Person, response: unknown, name?: string) =>
  (await w.execute(CONFIRM, { input: { response, name } }, person)).data.confirmPasskeyEnrollment;
const methods = ({ userId }: Person) =>
  w.db.selectFrom('twoFactorMethods').selectAll().where('userId', '=', userId).execute();

async function enroll(person: Person, key = new SoftwareAuthenticator(ORIGIN)): Promise<SoftwareAuthenticator> {
  expect(await confirm(person, key.create(await optionsFor(person)))).toMatchObject({
    __typename: 'TwoFactorEnrolled',
  });
  return key;
}

async function challenged(browser: Browser) {
  return (await browser.execute(CHALLENGE)).data.beginPasskeyVerification.options;
}

async function half({ email }: Person): Promise<Browser> {
  const browser = new Browser(w);
  expect((await signIn(browser, email, PASSWORD)).data.signIn.requirement).toBe('VERIFY_TWO_FACTOR');
  return browser;
}

const kindOf = async (browser: Browser, passkey: unknown) =>
  (await verify(browser, { passkey })).data.verifyTwoFactor?.__typename;

describe('a passkey is not set up', () => {
  test('by who did not begin, too late, or with the answer to another challenge', async () => {
    const person = await ann();
    const key = new SoftwareAuthenticator(ORIGIN);
    const invalid = { __typename: 'InvalidCode', code: 'INVALID_CODE' };
    const options = await optionsFor(await ann());
    expect(await confirm(person, key.create(options))).toEqual(invalid);
    await optionsFor(person);
    expect(await confirm(person, key.create(options))).toEqual(invalid);
    const late = await optionsFor(person);
    await clock.advance(CHALLENGE_MINUTES * 60_000);
    const proved = { ...person, provedUntil: new Date(clock.now().getTime() + 60_000) };
    expect(await confirm(proved, key.create(late))).toEqual(invalid);
  });

  test.each([
    ['of another origin', { origin: 'https://veredus.example.evil.example' }],
    ['for another site', { rpId: 'evil.example' }],
    ['without a touch', { present: false }],
    ['with a certificate, which would be followed into the network', { certificateFormat: 'packed' }],
    ['of a kind that comes with certificates', { certificateFormat: 'apple' }],
  ])('by an answer %s, and the challenge is used up', async (_what, forged) => {
    const person = await ann();
    const key = new SoftwareAuthenticator(ORIGIN);
    const options = await optionsFor(person);
    expect((await confirm(person, key.create(options, forged))).__typename).toBe('InvalidCode');
    expect((await confirm(person, key.create(options))).__typename).toBe('InvalidCode');
    expect(await methods(person)).toEqual([]);
  });

  test('by what is no answer, however large', async () => {
    const person = await ann();
    const good = new SoftwareAuthenticator(ORIGIN).create(await optionsFor(person));
    const answers = [
      null,
      1,
      'x',
      [],
      {},
      { ...good, id: 7 },
      { ...good, rawId: 'other' },
      { ...good, response: { ...good.response, attestationObject: 'AAAA' } },
      { ...good, response: { ...good.response, clientDataJSON: 'A'.repeat(60_000) } },
    ];
    for (const answer of answers) {
      await optionsFor(person);
      const { data, errors } = await w.execute(CONFIRM, { input: { response: answer } }, person);
      if (answer === null) expect(errors.map(({ code }) => code)).toEqual(['BAD_USER_INPUT']);
      else expect(data.confirmPasskeyEnrollment).toEqual({ __typename: 'InvalidCode', code: 'INVALID_CODE' });
    }
  });

  test('twice, also by somebody else', async () => {
    const person = await ann();
    const key = await enroll(person);
    const options = await optionsFor(person);
    expect(options.excludeCredentials).toEqual([
      expect.objectContaining({ id: key.credentialId.toString('base64url'), transports: ['internal'] }),
    ]);
    expect((await confirm(person, key.create(options))).__typename).toBe('InvalidCode');
    const other = await ann();
    expect((await confirm(other, key.create(await optionsFor(other)))).__typename).toBe('InvalidCode');
  });
});

describe('a passkey', () => {
  test('is set up for this site, and makes backup codes when it is the first', async () => {
    const person = await ann();
    const options = await optionsFor(person);
    expect(options).toMatchObject({
      rp: { id: 'veredus.example', name: 'Veredus' },
      user: { name: person.email },
      attestation: 'none',
      authenticatorSelection: { userVerification: 'discouraged' },
    });
    const answer = new SoftwareAuthenticator(ORIGIN).create(options);
    const { backupCodes, method } = await confirm(person, answer, 'Yellow key');
    expect(backupCodes).toHaveLength(10);
    expect(method).toEqual({ kind: 'PASSKEY', name: 'Yellow key' });
    const second = await confirm(person, new SoftwareAuthenticator(ORIGIN).create(await optionsFor(person)));
    expect(second).toMatchObject({ method: { name: 'Passkey' }, backupCodes: [] });
  });

  test('takes the second step, and proves afresh', async () => {
    const person = await ann();
    const key = await enroll(person);
    const browser = await half(person);
    const options = await challenged(browser);
    expect(options).toMatchObject({
      rpId: 'veredus.example',
      userVerification: 'discouraged',
      allowCredentials: [{ id: key.credentialId.toString('base64url') }],
    });
    expect(await kindOf(browser, key.get(options))).toBe('SignedIn');
    const passkey = key.get(await challenged(browser));
    expect((await stepUp(browser, { passkey })).data.stepUp.__typename).toBe('SteppedUp');
    const [method] = await methods(person);
    expect(method?.lastUsedAt).toEqual(clock.now());
    expect(method?.signCount).toBe(3);
  });

  test('is refused for another origin or site, another challenge, without a touch, and with a key of somebody else', async () => {
    const person = await ann();
    const key = await enroll(person);
    const others = await enroll(await ann());
    const browser = await half(person);
    for (const forged of [{ origin: 'http://veredus.example' }, { rpId: 'evil.example' }, { challenge: 'AAAA' }]) {
      expect(await kindOf(browser, key.get(await challenged(browser), forged))).toBe('InvalidCode');
    }
    expect(await kindOf(browser, key.get(await challenged(browser), { present: false }))).toBe('InvalidCode');
    expect(await kindOf(browser, others.get(await challenged(browser)))).toBe('InvalidCode');
  });

  test('answers each challenge once, in the session that got it', async () => {
    const person = await ann();
    const key = await enroll(person);
    const [one, other] = [await half(person), await half(person)];
    const answer = key.get(await challenged(one));
    expect(await kindOf(other, answer)).toBe('InvalidCode');
    const tries = await Promise.all(Array.from({ length: 4 }, () => verify(one, { passkey: answer })));
    const won = tries.filter(({ data }) => data.verifyTwoFactor?.__typename === 'SignedIn');
    expect(won).toHaveLength(1);
    expect(await kindOf(one, answer)).toBeUndefined();
    expect((await stepUp(one, { passkey: answer })).data.stepUp.__typename).toBe('InvalidCode');
    const wrongFirst = await half(person);
    const options = await challenged(wrongFirst);
    expect(await kindOf(wrongFirst, key.get(options, { origin: 'https://evil.example' }))).toBe('InvalidCode');
    expect(await kindOf(wrongFirst, key.get(options))).toBe('InvalidCode');
  });

  test('that was copied is refused: its count does not go on', async () => {
    const person = await ann();
    const key = await enroll(person);
    const browser = await half(person);
    expect(await kindOf(browser, key.get(await challenged(browser), { count: 7 }))).toBe('SignedIn');
    const thief = await half(person);
    for (const count of [3, 7, 0]) {
      expect(await kindOf(thief, key.get(await challenged(thief), { count }))).toBe('InvalidCode');
    }
    expect(await kindOf(thief, key.get(await challenged(thief), { count: 8 }))).toBe('SignedIn');
  });

  test('that does not count is taken', async () => {
    const person = await ann();
    const key = new SoftwareAuthenticator(ORIGIN);
    const answer = key.create(await optionsFor(person), { count: 0 });
    expect((await confirm(person, answer)).__typename).toBe('TwoFactorEnrolled');
    const browser = await half(person);
    expect(await kindOf(browser, key.get(await challenged(browser), { count: 0 }))).toBe('SignedIn');
  });

  test('is asked of nobody who has none', async () => {
    const browser = new Browser(w);
    expect((await browser.execute(CHALLENGE)).codes).toEqual(['UNAUTHENTICATED']);
    const person = await w.person({ passwordHash, secondFactor: true });
    expect((await (await half(person)).execute(CHALLENGE)).data).toEqual({ beginPasskeyVerification: null });
  });
});
