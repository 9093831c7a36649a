// Sender signatures: asked for, confirmed by a link, used; and the installation's own mail that carries the link.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ensurePartitions } from '#/db/partitions.ts';
import { encodeId } from '#/domain/ids.ts';
import { createSenderKeys } from '#/resolvers/domains/signing-keys.ts';
import { createSystemMail } from '#/resolvers/system-mail/system-mail.ts';
import { createHttpServer } from '#/http/server.ts';
import { confirmSenderSignature, findConfirmation } from '#/resolvers/sender-signatures/confirm-sender-signature.ts';
import { loadConfig } from '#/runtime/config.ts';
import { createDns } from '#/runtime/dns.ts';
import { systemClock } from '#/runtime/clock.ts';
import { schema } from '#/schema/index.ts';
import { startDnsServer } from '../support/dns-server.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { listLog, type LogLine } from '../support/http-world.ts';
import { silentLog } from '../support/silent-log.ts';
import { type TestAccount, type World, world } from '../support/world.ts';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const FIELDS = '__typename ... on Error { code message } ... on SenderSignature { id address name replyTo confirmed }';
const ADD = `mutation ($input: AddSenderSignatureInput!) { addSenderSignature(input: $input) { ${FIELDS}
  ... on InvalidInput { issues { path } } } }`;
const RESEND = `mutation ($id: ID!) { resendSenderSignature(input: { id: $id }) { ${FIELDS} } }`;
const REMOVE =
  'mutation ($id: ID!) { removeSenderSignature(input: { id: $id }) { __typename ... on Deleted { id } ... on Error { code } } }';
const READ = `query ($id: ID!) { node(id: $id) { ${FIELDS.replace('... on Error { code message }', '')} } }`;

let w: World;
let a: TestAccount;
let b: TestAccount;
let clock: FakeClock;
let url: string;
let close: () => Promise<void>;
let serial = 0;
let address: string;

beforeAll(async () => {
  clock = new FakeClock();
  w = await world({ clock });
  a = await w.account();
  b = await w.account();
  const http = createHttpServer({
    schema,
    config: loadConfig({ VEREDUS_HTTP_PORT: '0', VEREDUS_WORKERS: '1' }),
    log: silentLog,
    clock: systemClock,
    random: w.deps.random,
    authenticate: async () => null,
    createContext: () => ({}),
    ready: async () => true,
    confirmations: {
      find: (secret) => findConfirmation(w.deps, secret),
      confirm: (secret, request) => confirmSenderSignature(w.deps, secret, request),
    },
  });
  url = `http://127.0.0.1:${(await http.listen()).port}`;
  close = () => http.close();
});
afterAll(async () => {
  await close();
  await w[Symbol.asyncDispose]();
});
beforeEach(() => {
  address = `Sales${++serial}@elsewhere.example`;
});

const add = async (changes: Record<string, unknown> = {}, actor = a.manager, account = a) => {
  const input = { accountId: encodeId('account', account.accountId), address, name: 'Sales', ...changes };
  const { data, errors } = await w.execute(ADD, { input }, actor);
  return errors[0] ?? data.addSenderSignature;
};
const resend = async (id: string, actor = a.manager) =>
  (await w.execute(RESEND, { id }, actor)).data.resendSenderSignature;
const remove = async (id: string, actor = a.manager) =>
  (await w.execute(REMOVE, { id }, actor)).data.removeSenderSignature;
const read = async (id: string, actor = a.manager) => (await w.execute(READ, { id }, actor)).data.node;

const mailsTo = (to: string) => w.mails.filter((mail) => mail.to.toLowerCase() === to.toLowerCase());
/** Of the link in the last mail to the address. */
function secret(): string {
  const found = /https:\/\/veredus\.example\/confirm-sender\/([A-Za-z0-9_-]{43})\n/.exec(
    mailsTo(address).at(-1)?.text ?? '',
  );
  if (found?.[1] === undefined) throw new Error('no mail with a link');
  return found[1];
}
const open = (link: string, method = 'GET') => fetch(`${url}/confirm-sender/${link}`, { method, redirect: 'manual' });

async function send(from: string, more: Record<string, unknown> = {}, account = a) {
  await ensurePartitions(w.db, clock.now(), [45]);
  const document =
    'mutation ($input: SendEmailInput!) { sendEmail(input: $input) { __typename ... on Message { source } ... on Error { message } } }';
  const input = { from, to: ['ann@receiver.example'], text: 'x', ...more };
  return (await w.execute(document, { input }, account.token())).data.sendEmail;
}

describe('refused', () => {
  test('for a server token, and for nobody', async () => {
    expect(await add({}, a.token())).toMatchObject({ code: 'FORBIDDEN' });
    const list = '{ account { senderSignatures(first: 1) { edges { cursor } } } }';
    expect((await w.execute(list, {}, a.token())).errors[0]?.code).toBe('FORBIDDEN');
  });

  test.each([
    ['address', { address: 'somebody@gmail.com' }],
    ['address', { address: 'somebody@co.uk' }],
    ['address', { address: 'Sales <sales@elsewhere.example>' }],
    ['address', { address: 'a@elsewhere.example, b@elsewhere.example' }],
    ['address', { address: 'group:a@elsewhere.example;' }],
    ['name', { name: ' ' }],
    ['name', { name: 'n'.repeat(256) }],
    ['name', { name: 'a\r\nBcc: x@y.example' }],
    ['replyTo', { replyTo: 'nowhere' }],
    ['note', { note: 'n'.repeat(401) }],
  ])('for its %s: %j', async (field, changes) => {
    expect(await add(changes)).toMatchObject({ __typename: 'InvalidInput', issues: [{ path: [field] }] });
  });

  test('to another account, like what is not there', async () => {
    const { id } = await add();
    expect(await add({}, b.manager)).toMatchObject({ code: 'NOT_FOUND' });
    expect(await resend(id, b.manager)).toMatchObject({ code: 'NOT_FOUND' });
    expect(await remove(id, b.manager)).toMatchObject({ code: 'NOT_FOUND' });
    expect(await read(id, b.manager)).toBeNull();
  });

  test('an address twice, in any case; another account may have it too', async () => {
    await add();
    expect(await add({ address: address.toUpperCase() })).toMatchObject({ code: 'CONFLICT' });
    expect(await add({}, b.manager, b)).toMatchObject({ __typename: 'SenderSignature' });
  });

  test('an address that has got mails enough, by removing and adding anew', async () => {
    for (let mails = 0; mails < 4; mails++) await remove((await add()).id);
    expect(await add()).toMatchObject({ code: 'RATE_LIMITED' });
  });

  test('mail from an address that nobody has confirmed', async () => {
    await add();
    expect(await send(address)).toMatchObject({ __typename: 'SenderNotVerified' });
  });
});

describe('the link', () => {
  test('stands in a mail with who asks and the note; the answer and the database do not hold it', async () => {
    const answer = await add({ note: 'Hello Ann,\nplease.' });
    expect(answer).toMatchObject({ address, name: 'Sales', replyTo: null, confirmed: false });
    const [mail] = mailsTo(address);
    expect(mail?.text).toContain('Account 1 asks');
    expect(mail?.text).toContain('> Hello Ann,\n> please.');
    expect(JSON.stringify(answer)).not.toContain(secret());
    const rows = await w.db.selectFrom('senderSignatures').selectAll().where('address', '=', address).execute();
    expect(JSON.stringify(rows)).not.toContain(secret());
    const audit = await w.db.selectFrom('auditLog').selectAll().execute();
    expect(JSON.stringify(audit)).not.toContain(secret());
  });

  test('confirms by POST alone, and once', async () => {
    const { id } = await add();
    const link = secret();
    for (const method of ['GET', 'HEAD', 'GET']) expect((await open(link, method)).status).toBe(200);
    expect((await open(link, 'PUT')).status).toBe(405);
    expect((await read(id)).confirmed).toBe(false);
    const page = await open(link);
    expect(await page.text()).toMatch(new RegExp(`<strong>${address}</strong>.*<form method="post">`, 's'));
    expect(page.headers.get('content-security-policy')).toContain("form-action 'self'");
    expect(page.headers.get('referrer-policy')).toBe('no-referrer');

    expect((await open(link, 'POST')).status).toBe(200);
    expect((await read(id)).confirmed).toBe(true);
    expect((await open(link)).status).toBe(404);
    expect((await open(link, 'POST')).status).toBe(404);
    const audit = await w.db
      .selectFrom('auditLog')
      .selectAll()
      .where('action', '=', 'senderSignature.confirm')
      .execute();
    expect(audit.at(-1)).toMatchObject({ accountId: a.accountId, actorLabel: 'confirmation link' });
  });

  test('is good for seven days', async () => {
    const { id } = await add();
    await clock.advance(7 * DAY + 1);
    expect((await open(secret())).status).toBe(404);
    expect((await open(secret(), 'POST')).status).toBe(404);
    expect((await read(id)).confirmed).toBe(false);
  });

  test.each(['', 'x', 'A'.repeat(43), `${'A'.repeat(42)}%00`, 'A'.repeat(5_000)])('is not %j', async (link) => {
    expect((await open(link, 'POST')).status).toBe(404);
  });

  test('is sent again after a minute, and the one before is dead; not when confirmed', async () => {
    const { id } = await add();
    const first = secret();
    expect(await resend(id)).toMatchObject({ code: 'CONFLICT' });
    await clock.advance(MINUTE);
    expect(await resend(id)).toMatchObject({ __typename: 'SenderSignature', confirmed: false });
    expect(secret()).not.toBe(first);
    expect((await open(first, 'POST')).status).toBe(404);
    expect((await open(secret(), 'POST')).status).toBe(200);
    await clock.advance(MINUTE);
    expect(await resend(id)).toMatchObject({ code: 'CONFLICT' });
  });

  test('escapes what is shown', async () => {
    address = `"<b>${serial}"@elsewhere.example`;
    await add();
    expect(await (await open(secret())).text()).toContain('&lt;b&gt;');
  });
});

describe('a confirmed signature', () => {
  test('may be sent from, alone and by this account, with its name and Reply-To', async () => {
    const { id } = await add({ replyTo: 'answers@elsewhere.example' });
    await open(secret(), 'POST');
    const { source } = await send(address);
    expect(source).toContain(`From: Sales <${address}>`);
    expect(source).toContain('Reply-To: answers@elsewhere.example');
    const own = await send(`Me <${address.toLowerCase()}>`, { replyTo: ['me@elsewhere.example'] });
    expect(own.source).toContain(`From: Me <${address.toLowerCase()}>`);
    expect(own.source).toContain('Reply-To: me@elsewhere.example');
    expect(await send('other@elsewhere.example')).toMatchObject({ __typename: 'SenderNotVerified' });
    expect(await send(address, {}, b)).toMatchObject({ __typename: 'SenderNotVerified' });

    expect(await remove(id)).toEqual({ __typename: 'Deleted', id });
    expect(await send(address)).toMatchObject({ __typename: 'SenderNotVerified' });
    expect(await read(id)).toBeNull();
  });

  test.each([
    'a@elsewhere.example, Sales@elsewhere.example',
    '"Sales@elsewhere.example" <x@other.example>',
    'Sales@elsewhere.example <x@other.example>',
    '=?utf-8?q?Sales=40elsewhere.example?= <x@other.example>',
    'group: Sales@elsewhere.example;',
    'Sales@elsewhere.example\r\nFrom: x@other.example',
    '<@relay.example:Sales@elsewhere.example>',
  ])('is not lent to %j', async (from) => {
    address = 'Sales@elsewhere.example';
    if ((await add()).__typename === 'SenderSignature') await open(secret(), 'POST');
    expect((await send(address)).__typename).toBe('Message');
    expect(['SenderNotVerified', 'InvalidInput']).toContain((await send(from)).__typename);
  });

  test('stands in the list of its account', async () => {
    const { id } = await add();
    const list = '{ account { senderSignatures(first: 100) { edges { node { id } } } } }';
    const seen = async (account: TestAccount) => JSON.stringify((await w.execute(list, {}, account.manager)).data);
    expect(await seen(a)).toContain(id);
    expect(await seen(b)).not.toContain(id);
  });
});

test('of those that wait for confirmation there are not too many', async () => {
  const c = await w.account();
  const answers: string[] = [];
  for (let n = 0; n < 51; n++) {
    const answer = await add({ address: `x${n}@elsewhere.example` }, c.manager, c);
    answers.push(answer.code ?? answer.__typename);
  }
  expect(answers.filter((answer) => answer === 'SenderSignature')).toHaveLength(50);
  expect(answers.at(-1)).toBe('LIMIT_REACHED');
});

describe('mail of the installation', () => {
  const mail = { to: 'ann@receiver.example', subject: 'Please confirm', text: 'https://veredus.example/x' };

  test('is logged without a sender', async () => {
    const lines: LogLine[] = [];
    const deps = { ...w.deps, log: listLog(lines) };
    await createSystemMail(w.system, null).send(deps, mail);
    expect(lines).toMatchObject([{ level: 'warn', fields: { ...mail, reason: 'VEREDUS_SYSTEM_FROM is not set' } }]);
  });

  test('is logged until the domain of its sender is verified, and then sent like all mail', async () => {
    const dnsServer = await startDnsServer();
    const lines: LogLine[] = [];
    const dns = createDns({ servers: [dnsServer.address], timeoutMs: 100, clock });
    const deps = { ...w.deps, dns, log: listLog(lines) };
    const systemMail = createSystemMail(w.system, 'Veredus <noreply@mail.system.example>');
    await Promise.all([systemMail.send(deps, mail), systemMail.send(deps, mail)]);
    expect(lines).toMatchObject([
      { level: 'warn', fields: mail },
      { level: 'warn', fields: mail },
    ]);
    const { systemAccountId } = await w.db.selectFrom('installation').selectAll().executeTakeFirstOrThrow();
    const accounts = await w.db.selectFrom('accounts').select('id').where('name', '=', 'Veredus').execute();
    expect(accounts).toEqual([{ id: systemAccountId }]);

    await w.db
      .updateTable('domains')
      .set({ verifiedAt: clock.now(), verifiedBy: 'OPERATOR' })
      .where('name', '=', 'mail.system.example')
      .execute();
    w.deps.channel.nudge('config');
    await ensurePartitions(w.db, clock.now(), [45]);
    await systemMail.send(deps, mail);
    expect(lines).toHaveLength(2);
    const sent = await w.db
      .selectFrom('messages')
      .select(['accountId', 'fromAddress', 'subject'])
      .where('subject', '=', mail.subject)
      .execute();
    expect(sent).toEqual([
      { accountId: systemAccountId, fromAddress: 'noreply@mail.system.example', subject: mail.subject },
    ]);
    await dnsServer.close();
  });

  test('is sent from a domain that another account holds, and signed with its keys', async () => {
    const lines: LogLine[] = [];
    const deps = { ...w.deps, log: listLog(lines) };
    const holder = await w.account();
    const { domain } = holder;
    const systemMail = createSystemMail(w.system, `Veredus <noreply@${domain}>`);
    // What is remembered of the account "Veredus" is older.
    await clock.advance(3_000);
    await ensurePartitions(w.db, clock.now(), [45]);
    await systemMail.send(deps, { ...mail, subject: 'From the held domain' });
    expect(lines).toEqual([]);
    const { systemAccountId } = await w.db.selectFrom('installation').selectAll().executeTakeFirstOrThrow();
    const [sent] = await w.db
      .selectFrom('messages')
      .select('accountId')
      .where('subject', '=', 'From the held domain')
      .execute();
    expect(sent?.accountId).toBe(systemAccountId);
    const keys = createSenderKeys({ ...w.deps, db: w.db });
    const own = await keys.keysFor(holder.accountId, domain);
    expect(own).not.toBeNull();
    expect(await keys.keysFor(systemAccountId ?? '', domain)).toEqual(own);
    const other = await w.account();
    expect(await keys.keysFor(other.accountId, domain)).toBeNull();
    const send = { from: `x@${domain}`, to: ['ann@receiver.example'], text: 'x' };
    const refused = await w.execute(
      'mutation ($input: SendEmailInput!) { sendEmail(input: $input) { __typename } }',
      { input: send },
      other.token(),
    );
    expect(refused.data.sendEmail.__typename).toBe('SenderNotVerified');
  });
});
