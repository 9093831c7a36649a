// POST /tokens/leaked, from its body to the mail: what is refused, what is revoked, what is told to whom.
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { writeInSystemScope } from '#/db/scope.ts';
import { makeToken } from '#/domain/token.ts';
import { createLeakEndpoint } from '#/http/leaked-tokens.ts';
import { issueToken } from '#/resolvers/tokens/issue-token.ts';
import { reportLeaks } from '#/resolvers/tokens/report-leaks.ts';
import { systemRandom } from '#/runtime/random.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { listLog, type LogLine } from '../support/http-world.ts';
import { type TestAccount, type World, world } from '../support/world.ts';

const scanner = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const older = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const clock = new FakeClock();
const lines: LogLine[] = [];
let w: World;
let a: TestAccount;
let url: string;
let stop: () => void;

beforeAll(async () => {
  w = await world({ clock, log: listLog(lines) });
  a = await w.account();
  await w.person({ account: a, role: 'ADMIN', email: 'admin@people.example' });
  await w.person({ account: a, grants: { [a.serverId]: 'ADMIN' } });
  const answer = createLeakEndpoint({
    report: (reports, request) => reportLeaks(w.deps, reports, request),
    keys: [older.publicKey, scanner.publicKey],
    clock,
    log: w.deps.log,
  });
  const server = createServer((request, response) => {
    void answer({ request, response, url: request.url ?? '/', requestId: 'r1', ipAddress: '192.0.2.1' });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/tokens/leaked`;
  stop = () => server.close();
});
afterAll(async () => {
  stop();
  await w[Symbol.asyncDispose]();
});
/** Each test has all of the rate. */
beforeEach(() => clock.advance(60_000));

const issue = async (expiresAt: Date | null = null) => {
  const order = {
    accountId: a.accountId,
    name: 'Worker',
    server: { id: a.serverId, sandbox: true },
    scopes: ['MESSAGES_SEND' as const],
    expiresAt,
  };
  const { secret, token } = await writeInSystemScope(w.system, clock.now(), (scope) =>
    issueToken(scope, w.deps, order),
  );
  return { secret, id: token.id };
};
const post = (body: unknown, headers: Record<string, string> = {}) =>
  fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
const postSigned = (body: unknown, key: KeyObject = scanner.privateKey, signed: unknown = body) => {
  const signature = sign('sha256', Buffer.from(JSON.stringify(signed)), key).toString('base64');
  return post(body, { 'github-public-key-identifier': 'any', 'github-public-key-signature': signature });
};
const isRevoked = async (id: string) => {
  const row = await w.db.selectFrom('apiTokens').select('revokedAt').where('id', '=', id).executeTakeFirstOrThrow();
  return row.revokedAt !== null;
};
const leaksOnRecord = async () =>
  w.db.selectFrom('auditLog').selectAll().where('action', '=', 'token.leaked').orderBy('id').execute();
const mailsFor = async (run: () => Promise<unknown>) => {
  const before = w.mails.length;
  await run();
  await w.deps.background.settled();
  return w.mails.slice(before);
};
const hashOf = (secret: string) => createHash('sha256').update(secret).digest('hex');

describe('refused, with nothing revoked', () => {
  test('a list without a signature, or with one that is not good', async () => {
    const { secret, id } = await issue();
    const list = [{ token: secret, type: 'x', url: 'https://git.example/a', source: 'content' }];
    expect((await post(list)).status).toBe(401);
    expect((await postSigned(list, stranger.privateKey)).status).toBe(403);
    expect((await postSigned(list, scanner.privateKey, [...list, {}])).status).toBe(403);
    for (const signature of ['', '!', 'AAAA', 'MEQCIA==', 'x'.repeat(1_000)])
      expect([401, 403]).toContain((await post(list, { 'github-public-key-signature': signature })).status);
    expect(await isRevoked(id)).toBe(false);
  });

  test('a single token with a signature that is not good: who signs is held to it', async () => {
    const { secret, id } = await issue();
    expect((await postSigned({ token: secret }, stranger.privateKey)).status).toBe(403);
    expect(await isRevoked(id)).toBe(false);
  });

  test.each([
    ['not JSON', '{"token"', 400],
    ['a number', '7', 400],
    ['no token', '{"url":"https://x.example"}', 400],
    ['a token that is no text', '{"token":["vrs_"]}', 400],
    ['more than it takes to name one', JSON.stringify({ token: 'x', url: 'x'.repeat(9_000) }), 413],
  ])('%s', async (_what, body, status) => {
    expect((await post(body)).status).toBe(status);
  });

  test('other methods, other media types, and a token in the URL', async () => {
    expect((await fetch(url)).status).toBe(405);
    expect((await post('{}', { 'content-type': 'text/plain' })).status).toBe(415);
    const { secret, id } = await issue();
    const response = await fetch(`${url}?token=${secret}`, { method: 'POST' });
    expect(response.status).toBe(400);
    expect(await response.text()).not.toContain(secret);
    expect(await isRevoked(id)).toBe(false);
  });

  test('one after the other without end, until some time has passed', async () => {
    const statuses = [];
    for (let tries = 0; tries < 12; tries++) statuses.push((await post({ token: 'x' })).status);
    expect(statuses).toEqual([...Array.from({ length: 10 }, () => 200), 429, 429]);
    await clock.advance(1_000);
    expect((await post({ token: 'x' })).status).toBe(200);
  });
});

describe('one token by whoever found it', () => {
  test('is dead when it is answered', async () => {
    const { secret, id } = await issue();
    const response = await post({ token: ` ${secret}\n`, url: 'https://paste.example/1' });
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual([
      { token_hash: hashOf(secret), token_type: 'veredus_api_token', label: 'true_positive' },
    ]);
    expect(await isRevoked(id)).toBe(true);
  });

  test('that is none of ours is told like one that is not even well-formed, and asks the database only when it is', async () => {
    const unknown = makeToken('vrs_', (length) => systemRandom.bytes(length));
    const before = w.queries;
    expect(await (await post({ token: 'vrs_nonsense' })).json()).toMatchObject([{ label: 'false_positive' }]);
    expect(w.queries).toBe(before);
    expect(await (await post({ token: unknown })).json()).toMatchObject([{ label: 'false_positive' }]);
  });

  test('is told to owner and admins, by its hint, without what the stranger wrote', async () => {
    const { secret, id } = await issue();
    const mails = await mailsFor(() => post({ token: secret, url: 'https://phish.example/' }));
    expect(mails.map(({ to }) => to).sort()).toEqual(['admin@people.example', 'owner@a1.example']);
    for (const { subject, text, html = '' } of mails) {
      expect(subject).toBe('A token of Account 1 was found in the open and is revoked');
      expect(text).toContain(`vrt_…${secret.slice(-4)}`);
      expect(text).toContain('the server Main');
      expect(text + html).not.toContain('phish');
      expect(text + html).not.toContain(secret.slice(4, 36));
    }
    const record = (await leaksOnRecord()).at(-1);
    expect(record).toMatchObject({ actorKind: 'OPERATOR', actorLabel: 'leak report', ipAddress: '192.0.2.1' });
    expect(record?.changes).toMatchObject({ url: 'https://phish.example/', signed: false });
    expect(await isRevoked(id)).toBe(true);
  });

  test('is told once, however often it is found', async () => {
    const { secret } = await issue();
    await post({ token: secret });
    const records = (await leaksOnRecord()).length;
    const mails = await mailsFor(async () => {
      expect(await (await post({ token: secret })).json()).toMatchObject([{ label: 'true_positive' }]);
    });
    expect(mails).toEqual([]);
    expect(await leaksOnRecord()).toHaveLength(records);
  });

  test('that had expired changes nothing', async () => {
    const { secret, id } = await issue(new Date(clock.now().getTime() + 1_000));
    await clock.advance(2_000);
    expect(await mailsFor(() => post({ token: secret }))).toEqual([]);
    expect(await isRevoked(id)).toBe(false);
  });

  test('of an account is revoked too', async () => {
    const order = { accountId: a.accountId, name: 'Tool', server: null, scopes: [] };
    const { secret, token } = await writeInSystemScope(w.system, clock.now(), (scope) =>
      issueToken(scope, w.deps, order),
    );
    const mails = await mailsFor(() => post({ token: secret }));
    expect(mails[0]?.text).toContain('of the account Account 1');
    expect(await isRevoked(token.id)).toBe(true);
  });
});

describe('a signed list', () => {
  test('revokes what it names, in each account, and answers in its order', async () => {
    const [one, two] = [await issue(), await issue()];
    const unknown = makeToken('vra_', (length) => systemRandom.bytes(length));
    const place = 'https://git.example/acme/app/blob/1/config.js';
    const list = [
      { token: one.secret, type: 'veredus_server_token', url: place, source: 'content' },
      { token: unknown, type: 'veredus_account_token', url: '', source: 'commit' },
      { token: two.secret, type: 'veredus_server_token', url: place, source: 'npm' },
      { token: one.secret, type: 'veredus_server_token', url: 'https://elsewhere.example', source: 'gist_content' },
    ];
    let answer: unknown;
    const mails = await mailsFor(async () => {
      answer = await (await postSigned(list)).json();
    });
    expect(answer).toEqual([
      { token_hash: hashOf(one.secret), token_type: 'veredus_server_token', label: 'true_positive' },
      { token_hash: hashOf(unknown), token_type: 'veredus_account_token', label: 'false_positive' },
      { token_hash: hashOf(two.secret), token_type: 'veredus_server_token', label: 'true_positive' },
      { token_hash: hashOf(one.secret), token_type: 'veredus_server_token', label: 'true_positive' },
    ]);
    expect([await isRevoked(one.id), await isRevoked(two.id)]).toEqual([true, true]);
    // Two tokens, two who are told.
    expect(mails).toHaveLength(4);
    expect(mails[0]?.text).toContain(place);
    const record = (await leaksOnRecord()).at(-1);
    expect(record).toMatchObject({
      actorLabel: 'secret scanning',
      changes: { url: place, source: 'npm', signed: true },
    });
  });

  test('may be signed with any of the keys', async () => {
    const { secret, id } = await issue();
    expect((await postSigned([{ token: secret }], older.privateKey)).status).toBe(200);
    expect(await isRevoked(id)).toBe(true);
  });

  test('may be long, and is bounded', async () => {
    const tokens = Array.from({ length: 5_001 }, () => ({
      token: makeToken('vrs_', (length) => systemRandom.bytes(length)),
    }));
    expect((await postSigned(tokens)).status).toBe(413);
    const answer = await postSigned(tokens.slice(1));
    expect(await answer.json()).toHaveLength(5_000);
    expect(await (await postSigned([])).json()).toEqual([]);
  });

  test('names places that may hold the token itself: they are kept without it', async () => {
    const { secret } = await issue();
    const mails = await mailsFor(() => postSigned([{ token: secret, url: `https://x.example/?key=${secret}&z=1` }]));
    expect(mails[0]?.text).toContain('https://x.example/?key=vrt_…&z=1');
    expect((await leaksOnRecord()).at(-1)?.changes).toMatchObject({ url: 'https://x.example/?key=vrt_…&z=1' });
    expect(JSON.stringify([mails, lines, await leaksOnRecord()])).not.toContain(secret.slice(4, 36));
  });

  test('names places that are no line of text: they are left out', async () => {
    const { secret } = await issue();
    await postSigned([{ token: secret, url: 'https://x.example/\r\nSubject: x', source: 7 }]);
    expect((await leaksOnRecord()).at(-1)?.changes).toMatchObject({ url: null, source: null });
  });
});
