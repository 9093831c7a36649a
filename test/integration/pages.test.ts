// The pages behind mailed links, over HTTP, as a browser without script uses them.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { insertInvitations } from '#/db/invitations.ts';
import { insertLink, type LinkPurpose } from '#/db/one-time-links.ts';
import { insertUser } from '#/db/users.ts';
import { scopeOfAccount, writeInSystemScope } from '#/db/scope.ts';
import { linkPages } from '#/http/pages/link-pages.ts';
import { makeFirstAccount } from '#/resolvers/installation/first-account.ts';
import { makeOneTimeSecret } from '#/resolvers/one-time-secret.ts';
import { type App, startApp } from '../support/app.ts';

const PASSWORD = 'correct horse battery staple';

let app: App;
let setup: string;
let userId: string;

beforeAll(async () => {
  app = await startApp({ VEREDUS_SIGN_UP: 'true', VEREDUS_ROLES: 'api' });
  const { deps } = app.node;
  setup = (await makeFirstAccount(deps, 'sandbox.example'))?.setupSecret ?? '';
  userId = deps.ids.next();
  await writeInSystemScope(app.node.system, deps.clock.now(), (scope) =>
    insertUser(scope, {
      id: userId,
      email: 'ann@people.example',
      emailKey: 'ann@people.example',
      name: 'Ann',
      passwordHash: null,
      createdAt: scope.now,
      staff: false,
      disabledAt: null,
      passwordChangedAt: null,
    }),
  );
});
afterAll(() => app[Symbol.asyncDispose]());

async function link(purpose: LinkPurpose, email: string, owner: string | null = userId): Promise<string> {
  const { deps, system } = app.node;
  const { secret, hash } = makeOneTimeSecret(deps.random);
  await writeInSystemScope(system, deps.clock.now(), (scope) =>
    insertLink(scope, {
      id: deps.ids.next(),
      purpose,
      secretHash: hash,
      userId: owner,
      email,
      createdAt: scope.now,
      expiresAt: new Date(scope.now.getTime() + 60_000),
    }),
  );
  return secret;
}

async function invite(email: string): Promise<string> {
  const { deps, system } = app.node;
  const { accountId } = await app.account();
  const { secret, hash } = makeOneTimeSecret(deps.random);
  const now = deps.clock.now();
  const invitation = {
    accountId,
    id: deps.ids.next(),
    email,
    emailKey: email,
    role: 'MEMBER' as const,
    secretHash: hash,
    invitedBy: null,
    createdAt: now,
    sentAt: now,
    expiresAt: new Date(now.getTime() + 60_000),
  };
  await writeInSystemScope(system, now, (scope) =>
    insertInvitations(scopeOfAccount(scope, accountId), [invitation], []),
  );
  return `/invitation/${secret}`;
}
const open = (path: string, init: RequestInit = {}) => fetch(`${app.url}${path}`, { redirect: 'manual', ...init });
const send = (path: string, values: Readonly<Record<string, string>>, headers: Readonly<Record<string, string>> = {}) =>
  open(path, { method: 'POST', body: new URLSearchParams(values), headers: { origin: app.url, ...headers } });
const cookies = (response: Response) => response.headers.getSetCookie().map((cookie) => cookie.split('=')[0]);

describe('a page', () => {
  test('of a link that is not good says so, and no other path is taken', async () => {
    for (const name of Object.keys(linkPages)) {
      const response = await open(`/${name}/${'A'.repeat(43)}`);
      expect([name, response.status]).toEqual([name, 404]);
      expect(await response.text()).toContain('This link is no longer good');
      expect((await send(`/${name}/${'A'.repeat(43)}`, { password: PASSWORD })).status).toBe(404);
    }
    for (const path of ['/setup', '/setup/', `/setup/${setup}/x`, '/constructor/x', '/setups/x']) {
      expect(await (await open(path)).text()).toBe('not found\n');
    }
  });

  test('runs no script, loads nothing, tells no other site where it was, and may not be framed or kept', async () => {
    const { headers } = await open(`/setup/${setup}`);
    expect(headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; style-src 'sha256-\S{44}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'$/,
    );
    expect(headers.get('referrer-policy')).toBe('same-origin');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
  });

  test('labels its fields and says what they hold', async () => {
    const html = await (await open(`/setup/${setup}`)).text();
    for (const [name, autocomplete] of [
      ['email', 'email'],
      ['name', 'name'],
      ['password', 'new-password'],
    ]) {
      expect(html).toContain(`<label for="${name}">`);
      expect(html).toMatch(new RegExp(`<input id="${name}" name="${name}" [^>]*autocomplete="${autocomplete}"`));
    }
    expect(html).toContain('width=device-width');
    expect(html).not.toContain('<script');
  });

  test('changes nothing by being opened, also with HEAD', async () => {
    const path = `/confirm-email/${await link('EMAIL_CHANGE', 'opened@people.example')}`;
    expect((await open(path)).status).toBe(200);
    expect((await open(path, { method: 'HEAD' })).status).toBe(200);
    expect((await open(path, { method: 'PUT' })).status).toBe(405);
    const { db } = app.node.deps;
    expect(await db.selectFrom('users').select('email').where('id', '=', userId).execute()).toEqual([
      { email: 'ann@people.example' },
    ]);
  });
});

describe('a form is refused', () => {
  test('from a page of another origin, or of none', async () => {
    for (const origin of ['https://evil.example', 'null']) {
      const response = await send(`/setup/${setup}`, {}, { origin });
      expect([origin, response.status]).toEqual([origin, 403]);
    }
  });

  test('when it is no form, or too large', async () => {
    const json = { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } };
    expect((await open(`/setup/${setup}`, json)).status).toBe(415);
    expect((await send(`/setup/${setup}`, { name: 'n'.repeat(20_000) })).status).toBe(413);
  });

  test('with what is wrong beside the fields; what was typed comes back, but for the password', async () => {
    const response = await send(`/setup/${setup}`, { email: '"><b>x', name: '', password: PASSWORD });
    expect(response.status).toBe(422);
    const html = await response.text();
    expect(html).toMatch(
      /<input id="email"[^>]*aria-describedby="email-error" aria-invalid="true">\n<p class="error" id="email-error">This /,
    );
    expect(html).toMatch(/<p class="error" id="name-error">This is empty\.<\/p>/);
    expect(html).toContain('value="&quot;&gt;&lt;b&gt;x"');
    expect(html).not.toContain('<b>');
    expect(html).not.toContain(PASSWORD);
    const weak = await (await send(`/setup/${setup}`, { email: 'o@a.example', name: 'O', password: 'short' })).text();
    expect(weak).toMatch(/id="password-error">The password has fewer than 8 characters\.<br>/);
    expect(cookies(response)).toEqual([]);
  });
});

describe('a form does what its link is for', () => {
  test('the owner is made, and signed in by a cookie that counts', async () => {
    const response = await send(`/setup/${setup}`, { email: 'o@a.example', name: 'Olga', password: PASSWORD });
    expect(response.status).toBe(200);
    expect(cookies(response)).toEqual(['__Host-veredus-session', '__Host-veredus-device']);
    const cookie = response.headers
      .getSetCookie()
      .map((text) => text.split(';')[0])
      .join('; ');
    const asked = await fetch(`${app.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: app.url, cookie },
      body: JSON.stringify({ query: '{ viewer { user { name } memberships { role } } }' }),
    });
    expect(JSON.parse(await asked.text()).data.viewer).toEqual({
      user: { name: 'Olga' },
      memberships: [{ role: 'OWNER' }],
    });
    expect((await open(`/setup/${setup}`)).status).toBe(404);
  });

  test('a password is set, nobody is signed in, and password managers are told whose it is', async () => {
    const path = `/reset-password/${await link('PASSWORD_RESET', 'ann@people.example')}`;
    expect(await (await open(path)).text()).toMatch(/autocomplete="username" readonly value="ann@people\.example"/);
    const response = await send(path, { password: PASSWORD });
    expect([response.status, cookies(response)]).toEqual([200, []]);
    const { passwordHash } = await app.node.deps.db
      .selectFrom('users')
      .select('passwordHash')
      .where('id', '=', userId)
      .executeTakeFirstOrThrow();
    expect(passwordHash).toMatch(/^\$argon2id\$/);
    expect((await send(path, { password: PASSWORD })).status).toBe(404);
  });

  test('an address is confirmed', async () => {
    const path = `/confirm-email/${await link('EMAIL_CHANGE', 'new@people.example')}`;
    expect((await send(path, {})).status).toBe(200);
    const { db } = app.node.deps;
    expect(await db.selectFrom('users').select('email').where('id', '=', userId).execute()).toEqual([
      { email: 'new@people.example' },
    ]);
  });

  test('somebody new, and somebody known by their password, join an account', async () => {
    const first = await invite('carl@people.example');
    const form = await (await open(first)).text();
    expect(form).toContain('readonly value="carl@people.example"');
    expect(form).toContain('autocomplete="new-password"');
    const joined = await send(first, { name: 'Carl', password: PASSWORD });
    expect([joined.status, cookies(joined).length]).toEqual([200, 2]);

    const second = await invite('carl@people.example');
    expect(await (await open(second)).text()).toMatch(/autocomplete="current-password"/);
    const wrong = await send(second, { password: 'not this one' });
    expect(wrong.status).toBe(422);
    expect(await wrong.text()).toContain('id="password-error">This is not right.');
    expect((await send(second, { password: PASSWORD })).status).toBe(200);
    expect((await open(second)).status).toBe(404);
  });

  test('a stranger signs up', async () => {
    const path = `/sign-up/${await link('SIGN_UP', 'bob@people.example', null)}`;
    const values = { name: 'Bob', password: PASSWORD, accountName: 'Bob & Sons' };
    const missing = await send(path, { ...values, accountName: '' });
    expect(await missing.text()).toMatch(/id="accountName-error">This is empty/);
    const response = await send(path, values);
    expect([response.status, cookies(response)]).toEqual([200, ['__Host-veredus-session', '__Host-veredus-device']]);
  });

  test('but by a password not after too many guesses of it', async () => {
    await send(await invite('dora@people.example'), { name: 'Dora', password: PASSWORD });
    const path = await invite('dora@people.example');
    const { deps } = app.node;
    const { countGuess } = await import('#/resolvers/passwords/count-guess.ts');
    const stranger = { person: null, requestId: 'x', ipAddress: '127.0.0.1', userAgent: '', cookies: null };
    const guess = { kind: 'identity', about: 'dora@people.example' } as const;
    for (let count = 0; count < 20; count++) await countGuess(deps, stranger, [guess]);
    const response = await send(path, { password: PASSWORD });
    expect(response.status).toBe(429);
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
  });
});
