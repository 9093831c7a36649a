// Mail that comes in for applications: addresses, settings, rules, what is stored, and who may see it.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Actor } from '#/domain/actor.ts';
import { encodeId } from '#/domain/ids.ts';
import { inboundAddress } from '#/resolvers/inbound/inbound-content.ts';
import { postbox } from '../support/returned-mail.ts';
import { type TestAccount, type World, world } from '../support/world.ts';

const FIELDS = `id status blockedBy from fromName to cc bcc originalRecipient mailboxHash subject messageIdHeader date size textBody
  htmlBody strippedReply attachments { name contentType size } spamScore source`;
const LIST = `query ($first: Int!, $after: String, $filter: InboundMessageFilter) { server {
  inboundMessages(first: $first, after: $after, filter: $filter) { edges { cursor node { ${FIELDS} } } pageInfo { hasNextPage } } } }`;
const SETTINGS = '{ server { inbound { address domain url spamThreshold rules { id pattern } } } }';
const UPDATE = `mutation ($input: UpdateInboundInput!) { updateInbound(input: $input) { __typename ... on Error { message }
  ... on InvalidInput { issues { path } } ... on Server { inbound { domain url spamThreshold } } } }`;
const ADD = `mutation ($input: AddInboundRuleInput!) { addInboundRule(input: $input) { __typename ... on InboundRule { id pattern }
  ... on InvalidInput { issues { path } } } }`;
const REMOVE = 'mutation ($id: ID!) { removeInboundRule(input: { id: $id }) { __typename ... on Deleted { id } } }';
const RETRY =
  'mutation ($id: ID!) { retryInboundMessage(input: { id: $id }) { __typename ... on InboundMessage { status blockedBy } } }';

let w: World;
let a: TestAccount;
let box: ReturnType<typeof postbox>;

beforeAll(async () => {
  w = await world();
  a = await w.account();
  box = postbox(w);
});
afterAll(() => w[Symbol.asyncDispose]());

const addressOf = (account: TestAccount, hash = '') =>
  inboundAddress(w.deps, account.serverId).replace('@', hash === '' ? '@' : `+${hash}@`);
const update = (account: TestAccount, changes: object, actor: Actor = account.manager) =>
  w.execute(UPDATE, { input: { serverId: encodeId('server', account.serverId), ...changes } }, actor);
const addRule = async (account: TestAccount, pattern: string) =>
  (await w.execute(ADD, { input: { serverId: encodeId('server', account.serverId), pattern } }, account.manager)).data
    .addInboundRule;
const list = async (account: TestAccount, filter: object = {}, page: object = {}) => {
  const { data, errors } = await w.execute(LIST, { first: 50, filter, ...page }, account.token());
  expect(errors).toEqual([]);
  return data.server.inboundMessages.edges.map(({ node }: { node: Record<string, unknown> }) => node);
};
const mail = (subject: string, more: readonly string[] = [], body = 'Hello.') =>
  [`From: Ann <ann@sender.example>`, `Subject: ${subject}`, ...more, '', body, ''].join('\r\n');

describe('an address', () => {
  test('that is forged, of a server that is gone, or of nobody is refused', async () => {
    const address = addressOf(a);
    const gone = await w.account();
    const dead = addressOf(gone);
    expect(await box.judge(dead)).not.toBeNull();
    await w.execute(
      'mutation ($id: ID!) { deleteServer(input: { id: $id }) { __typename } }',
      { id: encodeId('server', gone.serverId) },
      gone.manager,
    );
    for (const wrong of [
      dead,
      address.replace(/.@/, (last) => (last === '0@' ? '1@' : '0@')),
      address.replace('@', '@other.'),
      address.slice(1),
      `postmaster@${w.deps.mailHost}`,
      `x@${a.domain}`,
      '@',
      '',
    ]) {
      expect(await box.judge(wrong)).toBeNull();
    }
  });

  test('is the server’s, in any case, with a mailbox hash after the plus', async () => {
    const { data } = await w.execute(SETTINGS, {}, a.token());
    expect(data.server.inbound).toEqual({
      address: addressOf(a),
      domain: null,
      url: null,
      spamThreshold: null,
      rules: [],
    });
    expect(await box.judge(addressOf(a).toUpperCase().replace(/@.*/, `@${w.deps.mailHost}`))).toMatchObject({
      kind: 'inbound',
      serverId: a.serverId,
      mailboxHash: '',
    });
    expect(await box.judge(addressOf(a, 'Order-7+x'))).toMatchObject({ mailboxHash: 'Order-7+x' });
  });
});

describe('a message', () => {
  test('is stored as it came and read as a mail is read', async () => {
    const source = mail(
      'Re: Ticket',
      [
        'To: Support <support@shop.example>, other@shop.example',
        'Cc: cc@shop.example',
        'Date: Mon, 2 Mar 2026 12:00:00 +0100',
        'Message-ID: <m1@sender.example>',
        'In-Reply-To: <m0@shop.example>',
        'MIME-Version: 1.0',
        'Content-Type: multipart/mixed; boundary=b',
      ],
      [
        '--b',
        'Content-Type: text/plain; charset=utf-8',
        '',
        'Yes, please – thanks.',
        '',
        'On Mon, 2 Mar 2026, Shop wrote:',
        '> Shall we?',
        '--b',
        'Content-Type: application/pdf; name="a.pdf"',
        'Content-Disposition: attachment; filename="a.pdf"',
        'Content-Transfer-Encoding: base64',
        '',
        'AAAA',
        '--b--',
      ].join('\r\n'),
    );
    await box.post(addressOf(a, 't1'), source, 'bounce@sender.example');
    const [message] = await list(a, { mailboxHash: 't1' });
    expect(message).toEqual({
      id: expect.stringMatching(/^inb_/),
      status: 'PROCESSED',
      blockedBy: null,
      from: 'ann@sender.example',
      fromName: 'Ann',
      to: ['support@shop.example', 'other@shop.example'],
      cc: ['cc@shop.example'],
      bcc: [addressOf(a, 't1')],
      originalRecipient: addressOf(a, 't1'),
      mailboxHash: 't1',
      subject: 'Re: Ticket',
      messageIdHeader: 'm1@sender.example',
      date: 'Mon, 2 Mar 2026 12:00:00 +0100',
      size: Buffer.byteLength(source),
      textBody: 'Yes, please – thanks.\n\nOn Mon, 2 Mar 2026, Shop wrote:\n> Shall we?',
      htmlBody: null,
      strippedReply: 'Yes, please – thanks.',
      attachments: [{ name: 'a.pdf', contentType: 'application/pdf', size: 3 }],
      spamScore: null,
      source,
    });
    const { data } = await w.execute(
      'query ($id: ID!) { node(id: $id) { ... on InboundMessage { subject } } }',
      { id: message.id },
      a.token(),
    );
    expect(data.node).toEqual({ subject: 'Re: Ticket' });
  });

  test('without header, with NUL and broken characters, or of megabytes is stored too', async () => {
    const big = mail('big', [], `${'x'.repeat(900)}\r\n`.repeat(4_000));
    for (const source of [
      '',
      '\0\0',
      `Subject: \0 a\r\nFrom: \ud800\r\n\r\n\0`,
      `${'Received: x\r\n'.repeat(101)}\r\n`,
      big,
    ])
      await box.post(addressOf(a, 'hostile'), source, 'odd@sender.example');
    const messages = await list(a, { mailboxHash: 'hostile' });
    expect(messages.map(({ subject, status, from }: Record<string, unknown>) => [subject, status, from])).toEqual([
      ['big', 'PROCESSED', 'ann@sender.example'],
      ['', 'BLOCKED', 'odd@sender.example'],
      ['a', 'PROCESSED', expect.any(String)],
      ['', 'PROCESSED', 'odd@sender.example'],
      ['', 'PROCESSED', 'odd@sender.example'],
    ]);
    expect(messages[0].source).toBe(big);
    expect(messages[1].blockedBy).toBe('LOOP');
  });

  test('for two servers at once is stored for both, many at once share their commit', async () => {
    const other = await w.account();
    await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        box.post(addressOf(index % 2 === 0 ? a : other, 'many'), mail(`n${index}`)),
      ),
    );
    expect(await list(a, { mailboxHash: 'many' })).toHaveLength(20);
    expect(await list(other, { mailboxHash: 'many' })).toHaveLength(20);
  });

  test('is found by each filter, in pages, newest first', async () => {
    const other = await w.account();
    for (const [index, from] of ['x@one.example', 'Y@two.example', 'x@one.example'].entries())
      await box.post(
        addressOf(other, `h${index}`),
        mail(`s${index}`, [`X-From: ${from}`]).replace('ann@sender.example', from),
      );
    const subjects = async (filter: object) =>
      (await list(other, filter)).map(({ subject }: Record<string, unknown>) => subject);
    const later = new Date(w.deps.clock.now().getTime() + 60_000).toISOString();
    expect(await subjects({})).toEqual(['s2', 's1', 's0']);
    expect(await subjects({ from: 'X@one.example' })).toEqual(['s2', 's0']);
    expect(await subjects({ from: 'y@TWO.example' })).toEqual(['s1']);
    expect(await subjects({ recipient: addressOf(other, 'H1') })).toEqual(['s1']);
    expect(await subjects({ mailboxHash: 'h0', status: 'PROCESSED', from: 'x@one.example', until: later })).toEqual([
      's0',
    ]);
    expect(await subjects({ status: 'QUEUED' })).toEqual([]);
    expect(await subjects({ since: later })).toEqual([]);
    const { data } = await w.execute(LIST, { first: 2 }, other.token());
    expect(data.server.inboundMessages.pageInfo.hasNextPage).toBe(true);
    const { cursor } = data.server.inboundMessages.edges[1];
    expect((await list(other, {}, { after: cursor })).map(({ subject }: Record<string, unknown>) => subject)).toEqual([
      's0',
    ]);
  });

  test('is not for a token without INBOUND_READ', async () => {
    const { errors } = await w.execute(LIST, { first: 1 }, a.token(['MESSAGES_READ', 'CONTENT_READ']));
    expect(errors[0]?.code).toBe('FORBIDDEN');
  });
});

describe('settings', () => {
  test('are for those who may change the server', async () => {
    const viewer = await w.person({ account: a, grants: { [a.serverId]: 'VIEWER' } });
    const input = { serverId: encodeId('server', a.serverId), url: 'https://x.example/' };
    expect((await w.execute(UPDATE, { input }, viewer)).errors[0]?.code).toBe('FORBIDDEN');
    expect((await update(a, {}, a.token(['INBOUND_READ']))).errors[0]?.code).toBe('FORBIDDEN');
    const other = await w.account();
    expect((await w.execute(UPDATE, { input }, other.manager)).data.updateInbound.__typename).toBe('NotFound');
  });

  test.each<[object, string]>([
    [{ url: 'ftp://x.example/' }, 'url'],
    [{ url: 'nothing' }, 'url'],
    [{ url: `https://x.example/${'x'.repeat(2_048)}` }, 'url'],
    [{ spamThreshold: -1 }, 'spamThreshold'],
    [{ domain: 'not a domain' }, 'domain'],
    [{ domain: '*.com' }, 'domain'],
    [{ domain: 'gmail.com' }, 'domain'],
    [{ domain: '*.*.acme.example' }, 'domain'],
  ])('%j is refused', async (changes, field) => {
    expect((await update(a, changes)).data.updateInbound).toMatchObject({
      __typename: 'InvalidInput',
      issues: [{ path: [field] }],
    });
  });

  test('are set, stay and are cleared; with a webhook mail waits for it', async () => {
    const other = await w.account();
    const set = await update(other, { url: 'https://u:p@hook.example/in', spamThreshold: 5 });
    expect(set.data.updateInbound.inbound).toEqual({
      domain: null,
      url: 'https://u:p@hook.example/in',
      spamThreshold: 5,
    });
    await box.post(addressOf(other), mail('waits'));
    expect(await list(other, { status: 'QUEUED' })).toHaveLength(1);
    expect((await update(other, { spamThreshold: null })).data.updateInbound.inbound).toMatchObject({
      url: 'https://u:p@hook.example/in',
      spamThreshold: null,
    });
    expect((await update(other, { url: null })).data.updateInbound.inbound.url).toBeNull();
    const log = await w.db.selectFrom('auditLog').select('changes').where('accountId', '=', other.accountId).execute();
    expect(JSON.stringify(log)).toContain('hook.example');
    expect(JSON.stringify(log)).not.toContain('u:p');
  });

  test('a domain brings all its mail, a wildcard all below it', async () => {
    const other = await w.account();
    const exact = await w.account();
    expect((await update(other, { domain: `*.in.${other.domain}` })).data.updateInbound.inbound.domain).toBe(
      `*.in.${other.domain}`,
    );
    for (const address of [`any.thing+h@x.in.${other.domain}`, `y+h@a.b.in.${other.domain}`])
      expect(await box.judge(address)).toMatchObject({ serverId: other.serverId, mailboxHash: 'h' });
    expect(await box.judge(`x@in.${other.domain}`)).toBeNull();
    expect((await update(exact, { domain: 'free.example' })).data.updateInbound.__typename).toBe('Server');
    expect(await box.judge('x@free.example')).toMatchObject({ serverId: exact.serverId });
    expect(await box.judge('x@www.free.example')).toBeNull();
    await update(exact, { domain: null });
    expect(await box.judge('x@free.example')).toBeNull();
  });

  test('a domain of somebody else cannot be had, and one taken in vain is given to whoever proves it', async () => {
    const squatter = await w.account();
    const owner = await w.account();
    for (const domain of [owner.domain, `in.${owner.domain}`, `*.${owner.domain}`, w.deps.mailHost])
      expect((await update(squatter, { domain })).data.updateInbound.__typename).toBe('Conflict');
    await update(owner, { domain: 'shared.test' });
    expect((await update(squatter, { domain: 'shared.test' })).data.updateInbound.__typename).toBe('Conflict');
    // As if it had been chosen before its owner came.
    const name = `early.${owner.domain}`;
    await update(squatter, { domain: 'early.test' });
    await w.db.updateTable('inboundDomains').set({ name }).where('name', '=', 'early.test').execute();
    expect(await box.judge(`x@${name}`)).toBeNull();
    expect((await update(owner, { domain: name })).data.updateInbound.__typename).toBe('Server');
    expect(await box.judge(`x@${name}`)).toMatchObject({ serverId: owner.serverId });
  });
});

describe('rules', () => {
  test('block addresses, domains and what is below them, in From and in the envelope', async () => {
    const other = await w.account();
    expect(await addRule(other, 'no address')).toMatchObject({
      __typename: 'InvalidInput',
      issues: [{ path: ['pattern'] }],
    });
    const rule = await addRule(other, 'Ann@Sender.example');
    expect(rule).toMatchObject({ __typename: 'InboundRule', pattern: 'ann@sender.example' });
    expect((await addRule(other, 'ann@sender.example')).__typename).toBe('Conflict');
    expect((await addRule(other, '@Spam.example')).pattern).toBe('spam.example');
    await box.post(addressOf(other, 'r'), mail('from'));
    await box.post(addressOf(other, 'r'), mail('below').replace('ann@sender.example', 'x@deep.spam.example'));
    await box.post(addressOf(other, 'r'), mail('envelope').replace('ann@', 'bea@'), 'x@spam.example');
    await box.post(addressOf(other, 'r'), mail('fine').replace('ann@', 'bea@'), 'x@notspam.example');
    const told = (await list(other, { mailboxHash: 'r' })).map(({ subject, blockedBy }: Record<string, unknown>) => [
      subject,
      blockedBy,
    ]);
    expect(told).toEqual([
      ['fine', null],
      ['envelope', 'RULE spam.example'],
      ['below', 'RULE spam.example'],
      ['from', 'RULE ann@sender.example'],
    ]);
    expect((await w.execute(REMOVE, { id: rule.id }, other.manager)).data.removeInboundRule).toEqual({
      __typename: 'Deleted',
      id: rule.id,
    });
    await box.post(addressOf(other, 'r'), mail('again'));
    expect((await list(other, { mailboxHash: 'r' }))[0]).toMatchObject({ subject: 'again', status: 'PROCESSED' });
    const { data } = await w.execute(SETTINGS, {}, other.token());
    expect(data.server.inbound.rules.map(({ pattern }: { pattern: string }) => pattern)).toEqual(['spam.example']);
  });
});

describe('followers', () => {
  test('hear of each message as it comes, not of blocked ones, and of those that are taken up again', async () => {
    const other = await w.account();
    await addRule(other, 'spam.example');
    const followed = await w.subscribe('subscription { inboundMessages { subject status } }', {}, other.token());
    try {
      await box.post(addressOf(other), mail('blocked').replace('sender.example', 'spam.example'));
      await box.post(addressOf(other), mail('one'));
      expect((await followed.next()).data).toEqual({ inboundMessages: { subject: 'one', status: 'PROCESSED' } });
      const waiting = followed.next();
      await box.post(addressOf(a), mail('not theirs'));
      const [, blocked] = await list(other);
      const { data } = await w.execute(RETRY, { id: blocked.id }, other.token());
      expect(data.retryInboundMessage).toEqual({ __typename: 'InboundMessage', status: 'PROCESSED', blockedBy: null });
      expect((await waiting).data).toEqual({ inboundMessages: { subject: 'blocked', status: 'PROCESSED' } });
      const again = await w.execute(RETRY, { id: blocked.id }, other.token());
      expect(again.data.retryInboundMessage.__typename).toBe('Conflict');
    } finally {
      await followed.end();
    }
  });

  test('without the right are refused, and may end while they wait', async () => {
    await expect(
      w.subscribe('subscription { inboundMessages { id } }', {}, a.token(['MESSAGES_READ'])),
    ).rejects.toMatchObject({ code: 'FORBIDDEN' });
    const followed = await w.subscribe('subscription { inboundMessages { id } }', {}, a.token());
    const waiting = followed.next().catch((error: unknown) => error);
    await followed.end();
    expect(await waiting).toBeInstanceOf(Error);
  });
});
