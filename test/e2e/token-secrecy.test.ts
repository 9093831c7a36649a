// The secrets of tokens and sessions are nowhere but with who has them: everything that a run of the real application has
// printed, stored, answered in errors, mailed and counted is searched for them.
import { inspect } from 'node:util';
import { createClient } from 'graphql-ws';
import pg from 'pg';
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import WebSocket from 'ws';
import { tokenHint } from '#/domain/token.ts';
import type { Log } from '#/runtime/ports.ts';
import { createLog } from '#/runtime/log.ts';
import { type App, startApp } from '../support/app.ts';
import { post, request } from '../support/graphql-client.ts';
import { openSession } from '../support/session.ts';

const CREATE = `mutation ($input: CreateServerTokenInput!) { createServerToken(input: $input) {
  ... on IssuedServerToken { secret token { id } } ... on Error { message } } }`;
const CREATE_ACCOUNT = `mutation ($input: CreateAccountTokenInput!) { createAccountToken(input: $input) {
  ... on IssuedAccountToken { secret token { id } } ... on Error { message } } }`;
const ROTATE = `mutation ($input: RotateTokenInput!) { rotateServerToken(input: $input) {
  ... on RotatedServerToken { secret token { id } previous { id } } ... on Error { message } } }`;
const LIST =
  '{ account { tokens { id hint state } servers(first: 5) { edges { node { tokens { id hint state name } } } } } }';
const SEND = 'mutation ($input: SendEmailInput!) { sendEmail(input: $input) { __typename ... on Error { message } } }';

interface Issued {
  readonly secret: string;
  readonly token: { readonly id: string };
}

/** All that the application says, as deep as it goes and before anything is cut out of it. */
function spy(lines: string[]): Log {
  const write = (fields: object, message: string) => {
    lines.push(message, inspect(fields, { depth: 12, maxStringLength: null, showHidden: true }));
  };
  return { debug: write, info: write, warn: write, error: write, child: (fields) => (write(fields, ''), spy(lines)) };
}

/** Everything in the database, as text. */
async function dump(connectionString: string): Promise<string> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    const { rows } = await client.query<{ name: string }>(
      `select oid::regclass::text as name from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')`,
    );
    const texts = [];
    for (const { name } of rows) {
      const table = await client.query<{ row: string }>(`select t::text as row from ${name} t`);
      texts.push(name, ...table.rows.map(({ row }) => row));
    }
    return texts.join('\n');
  } finally {
    await client.end();
  }
}

/** The random part of a secret in the forms that it may have taken. */
function formsOf(secret: string): readonly string[] {
  const part = secret.slice(4, 36);
  return [part, Buffer.from(part).toString('hex'), Buffer.from(secret).toString('base64').slice(4, 40)];
}

async function viaSocket(url: string, params: Record<string, unknown>, query: string): Promise<string> {
  const client = createClient({ url, webSocketImpl: WebSocket, connectionParams: params, retryAttempts: 0 });
  try {
    for await (const answer of client.iterate({ query })) return JSON.stringify(answer);
    return '';
  } catch (error) {
    // What came from the other side; the rest is the client's own.
    const { code, reason, message } = Object(error);
    return JSON.stringify([code, reason, message, Array.isArray(error) ? error : null]);
  } finally {
    await client.dispose();
  }
}

/** In every way that is right, and in many that are wrong. What was answered to the latter. */
async function useAndMisuse(app: App, secret: string, others: readonly string[]): Promise<readonly string[]> {
  const answers: string[] = [];
  const json = { 'Content-Type': 'application/json' };
  const graphql = `${app.url}/graphql`;
  const keep = async (answer: Promise<Response>) => answers.push(await (await answer).text());
  const sent = { from: 'noreply@acme.example', to: ['ann@x.example'], text: 'x' };
  expect((await post(app.url, secret, SEND, { input: sent })).errors).toBeUndefined();
  const body = JSON.stringify({ query: '{ viewer { kind token { id hint } } }' });
  await keep(fetch(graphql, { method: 'POST', headers: { ...json, 'X-Veredus-Token': secret }, body }));
  await keep(fetch(`${graphql}?query={viewer{kind}}`, { headers: { Authorization: `Bearer ${secret}` } }));
  const socket = graphql.replace('http', 'ws');
  answers.push(await viaSocket(socket, { token: secret }, '{ viewer { kind } }'));
  // In URLs of every kind.
  for (const path of [`/graphql?token=${secret}`, `/graphql?x=%76${secret.slice(1)}`, `/${secret}`, `/x?${secret}`]) {
    await keep(fetch(`${app.url}${path}`));
    await keep(fetch(`${app.url}${path}`, { method: 'POST', headers: json, body }));
  }
  answers.push(await viaSocket(`${socket}?token=${secret}`, {}, '{ viewer { kind } }'));
  // In headers that are for something else, or not as they should be.
  for (const headers of [
    { Authorization: `Basic ${secret}` },
    { Authorization: `Bearer ${secret} ${secret}` },
    { Authorization: `Bearer ${secret.slice(0, -1)}` },
    { Authorization: `Bearer ${secret}x` },
    { 'X-Veredus-Token': `${secret},${secret}` },
    { Cookie: `session=${secret}; ${secret}=1` },
    { 'X-Request-Id': secret, 'User-Agent': secret, Referer: `https://x.example/${secret}`, Origin: secret },
  ]) {
    await keep(fetch(graphql, { method: 'POST', headers: { ...json, ...headers } as Record<string, string>, body }));
  }
  // In documents, names and variables, right and wrong.
  for (const [query, variables, operationName] of [
    [`{ node(id: "${secret}") { id } }`],
    [`query ${secret} { viewer { kind } }`, {}, secret],
    [`{ ${secret} }`],
    [`{ viewer { kind } } "${secret}`],
    [`{ viewer(x: "${secret}") { kind } }`],
    ['query ($n: Int!) { account { servers(first: $n) { edges { cursor } } } }', { n: secret }],
    ['query ($id: ID!) { node(id: $id) { id } }', { id: { secret } }],
    ['{ viewer { kind } }', {}, secret],
    ['query ($after: String) { server { events(first: 1, after: $after) { edges { cursor } } } }', { after: secret }],
    [SEND, { input: { ...sent, serverId: secret } }],
  ] as const) {
    const text = JSON.stringify({ query, variables, operationName });
    const headers = { ...json, Authorization: `Bearer ${secret}` };
    await keep(fetch(graphql, { method: 'POST', headers, body: text }));
    await keep(fetch(graphql, { method: 'POST', headers: json, body: text }));
    answers.push(await viaSocket(socket, { token: secret }, query));
  }
  await keep(
    fetch(graphql, { method: 'POST', headers: { ...json, Authorization: `Bearer ${secret}` }, body: `{"${secret}` }),
  );
  // As leaked, wrongly and rightly.
  const leaked = `${app.url}/tokens/leaked`;
  const report = (text: string, headers = {}) =>
    fetch(leaked, { method: 'POST', headers: { ...json, ...headers }, body: text });
  await keep(report(`{"token": "${secret}`));
  await keep(report(JSON.stringify([{ token: secret }])));
  await keep(report(JSON.stringify([{ token: secret }]), { 'Github-Public-Key-Signature': secret }));
  for (const other of others) {
    await keep(
      report(JSON.stringify({ token: other, url: `https://x.example/?a=${other}&b=${secret}`, source: other })),
    );
  }
  return answers;
}

test('nothing that the application prints, stores, answers, mails or counts holds a secret', {
  timeout: 60_000,
}, async () => {
  const lines: string[] = [];
  const metrics = new Registry();
  const secrets = new Set<string>();
  const answers: string[] = [];
  let stored: string;
  {
    await using app = await startApp({ VEREDUS_ROLES: 'api,delivery,maintenance' }, { log: spy(lines), metrics });
    const account = await app.account();
    const { deps } = app.node;
    const session = await openSession(deps, account.accountId, { email: 'ann@acme.example', role: 'ADMIN' });
    const issue = async (document: string, input: object): Promise<Issued> => {
      const data = await request<Record<string, Issued>>(app.url, session, document, { input });
      const [issued] = Object.values(data);
      if (issued?.secret === undefined) throw new Error(JSON.stringify(data));
      secrets.add(issued.secret);
      return issued;
    };
    for (const secret of [session, account.accountToken, account.serverToken]) secrets.add(secret);
    const all = ['MESSAGES_SEND', 'MESSAGES_READ', 'EVENTS_READ'];
    const bound = { allowedIps: ['127.0.0.0/8'], stream: 'outbound', expiresAt: new Date(Date.now() + 60_000) };
    const one = await issue(CREATE, { serverId: account.ids.server, name: 'One', scopes: all, ...bound });
    const two = await issue(ROTATE, { id: one.token.id });
    const three = await issue(CREATE, { serverId: account.ids.server, name: 'Three' });
    const elsewhere = await issue(CREATE, { serverId: account.ids.server, name: 'Far', allowedIps: ['192.0.2.1'] });
    const ofAccount = await issue(CREATE_ACCOUNT, { accountId: account.ids.account, name: 'Account' });
    answers.push(JSON.stringify(await post(app.url, elsewhere.secret, '{ viewer { kind } }')));
    answers.push(JSON.stringify(await post(app.url, session, LIST)));
    answers.push(
      JSON.stringify(
        await post(
          app.url,
          account.accountToken,
          '{ account { servers(first: 5) { edges { node { tokens { hint } } } } } }',
        ),
      ),
    );
    answers.push(...(await useAndMisuse(app, two.secret, [three.secret, ofAccount.secret])));
    answers.push(JSON.stringify(await post(app.url, three.secret, '{ viewer { kind } }')));
    // While the database does not know what is asked: what it says of that is logged.
    await deps.db.schema.alterTable('apiTokens').renameTo('gone').execute();
    await deps.clock.sleep(1_600);
    for (const secret of [account.serverToken, account.accountToken, one.secret])
      answers.push(JSON.stringify(await post(app.url, secret, '{ viewer { kind } }')));
    await deps.db.schema.alterTable('gone').renameTo('apiTokens').execute();
    await deps.background.settled();
    answers.push(JSON.stringify(await post(app.url, account.serverToken, '{ viewer { kind } }')));
    stored = await dump(app.connectionString);
    // What the process writes at its end is part of the log.
  }
  const counted = await metrics.metrics();

  // The net has caught what it is for.
  expect(secrets.size).toBe(8);
  expect(lines.join('\n')).toContain('serverToken.create');
  expect(lines.join('\n')).toContain('was found in the open');
  expect(lines.join('\n')).toContain('does not exist');
  expect(stored).toContain('token.leaked');
  expect(counted).toContain('veredus');
  expect(answers.length).toBeGreaterThan(50);
  for (const secret of secrets) if (!secret.startsWith('vru_')) expect(stored).toContain(tokenHint(secret));

  for (const [where, text] of [
    ['the log', lines.join('\n')],
    ['the database', stored],
    ['the metrics', counted],
    ['the answers', answers.join('\n')],
  ] as const) {
    for (const secret of secrets) {
      for (const form of formsOf(secret)) {
        const at = text.indexOf(form);
        const around = at === -1 ? '' : text.slice(Math.max(0, at - 300), at + 100);
        expect(at, `${where}: ${around}`).toBe(-1);
      }
    }
  }
});

test('the log on standard output would cut out what came there all the same', () => {
  const lines: string[] = [];
  const log = createLog({ level: 'debug', destination: { write: (line) => void lines.push(line) } });
  const secret = `vru_${'A'.repeat(38)}`;
  log.error({ error: new Error(secret), nested: [{ secret }] }, secret);
  expect(lines.join('')).not.toContain('AAAA');
});
