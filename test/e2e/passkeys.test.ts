// A passkey in a real browser: headless Chromium with its virtual authenticator sets one up on a page of ours and signs in
// with it. What a browser would never send is in test/integration/passkey.test.ts.
import { accessSync, constants } from 'node:fs';
import type { Browser, Page } from 'playwright-core';
import { chromium } from 'playwright-core';
import { expect, test } from 'vitest';
import { type App, startApp } from '../support/app.ts';
import { cheapPasswords } from '../support/passwords.ts';
import { makePerson } from '../support/people.ts';
import { freePort } from '../support/program.ts';

const PASSWORD = 'correct horse battery staple';

const BROWSERS = [
  process.env['CHROMIUM'],
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

function findBrowser(): string | null {
  for (const path of BROWSERS) {
    try {
      accessSync(path ?? '', constants.X_OK);
      return path ?? null;
    } catch {}
  }
  return null;
}

async function openPage(browser: Browser, url: string): Promise<Page> {
  const page = await browser.newPage();
  const session = await page.context().newCDPSession(page);
  await session.send('WebAuthn.enable');
  await session.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
  // GraphiQL's own page: it may call the API that serves it.
  await page.goto(`${url}/graphql`);
  return page;
}

/** As the console does it: the cookies are the browser's. */
function call(page: Page, query: string, variables: object = {}): Promise<any> {
  return page.evaluate(
    async ({ query, variables }) => {
      const response = await fetch('/graphql', {
        method: 'POST',
        credentials: 'same-origin',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query, variables }),
      });
      const { data, errors } = await response.json();
      if (errors !== undefined) throw new Error(JSON.stringify(errors));
      return data;
    },
    { query, variables },
  );
}

/** What the browser's own parser makes of the options, asked of the authenticator. As text: types of the DOM are not ours. */
function ask(page: Page, kind: 'create' | 'get', options: unknown): Promise<unknown> {
  const parser = kind === 'create' ? 'parseCreationOptionsFromJSON' : 'parseRequestOptionsFromJSON';
  return page.evaluate(
    `navigator.credentials.${kind}({ publicKey: PublicKeyCredential.${parser}(${JSON.stringify(options)}) })
      .then((credential) => credential.toJSON())`,
  );
}

async function personAt(app: App) {
  const passwordHash = await cheapPasswords.hash(PASSWORD);
  const { deps } = app.node;
  const { email } = await makePerson(deps, { passwordHash });
  return { email, password: PASSWORD };
}

const SIGN_IN = `mutation ($input: SignInInput!) { signIn(input: $input) { __typename
  ... on SignedIn { requirement session { id } } } }`;
const CONFIRM = `mutation ($input: ConfirmPasskeyEnrollmentInput!) { confirmPasskeyEnrollment(input: $input) { __typename
  ... on TwoFactorEnrolled { method { name kind } backupCodes } } }`;
const VERIFY = `mutation ($input: VerifyTwoFactorInput!) { verifyTwoFactor(input: $input) { __typename
  ... on SignedIn { requirement session { id } } } }`;
const STEP_UP = 'mutation ($input: StepUpInput!) { stepUp(input: $input) { __typename } }';
const CHALLENGE = 'mutation { beginPasskeyVerification { options } }';
const VIEWER = '{ viewer { requirement user { email twoFactor { methods { name lastUsedAt } } } } }';

test('a passkey is set up in Chromium, signs in, and proves afresh', { timeout: 120_000 }, async ({ skip }) => {
  const executablePath = findBrowser();
  if (executablePath === null) return skip('no Chromium was found: set CHROMIUM to its path');
  const port = await freePort();
  const url = `http://localhost:${port}`;
  await using app = await startApp({ VEREDUS_HTTP_PORT: String(port), VEREDUS_PUBLIC_URL: url });
  await using browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  const input = await personAt(app);
  const page = await openPage(browser, url);

  expect(await call(page, SIGN_IN, { input })).toMatchObject({ signIn: { requirement: null } });
  const { beginPasskeyEnrollment } = await call(page, 'mutation { beginPasskeyEnrollment { options } }');
  const response = await ask(page, 'create', beginPasskeyEnrollment.options);
  const { confirmPasskeyEnrollment } = await call(page, CONFIRM, { input: { response, name: 'This browser' } });
  expect(confirmPasskeyEnrollment).toMatchObject({
    __typename: 'TwoFactorEnrolled',
    method: { name: 'This browser', kind: 'PASSKEY' },
  });
  expect(confirmPasskeyEnrollment.backupCodes).toHaveLength(10);

  await call(page, 'mutation { signOut }');
  expect(await call(page, VIEWER)).toEqual({ viewer: null });
  expect(await call(page, SIGN_IN, { input })).toMatchObject({ signIn: { requirement: 'VERIFY_TWO_FACTOR' } });
  const second = (await call(page, CHALLENGE)).beginPasskeyVerification;
  const passkey = await ask(page, 'get', second.options);
  expect(await call(page, VERIFY, { input: { passkey } })).toMatchObject({
    verifyTwoFactor: { __typename: 'SignedIn', requirement: null },
  });
  const { viewer } = await call(page, VIEWER);
  expect(viewer).toMatchObject({ requirement: null, user: { email: input.email } });
  expect(viewer.user.twoFactor.methods).toEqual([{ name: 'This browser', lastUsedAt: expect.any(String) }]);

  expect(await call(page, STEP_UP, { input: { passkey } })).toEqual({ stepUp: { __typename: 'InvalidCode' } });
  const third = (await call(page, CHALLENGE)).beginPasskeyVerification;
  const again = await ask(page, 'get', third.options);
  expect(await call(page, STEP_UP, { input: { passkey: again } })).toEqual({ stepUp: { __typename: 'SteppedUp' } });
  expect((await call(page, VIEWER)).viewer.user.email).toBe(input.email);
});
