// Accepting email through the API.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addressHash } from '#/domain/suppression.ts';
import { encodeId } from '#/domain/ids.ts';
import { type TestAccount, type World, world } from '../support/world.ts';

const SEND = `mutation ($input: SendEmailInput!) { sendEmail(input: $input) {
  __typename
  ... on Error { code message }
  ... on InvalidInput { issues { path message } }
  ... on AllRecipientsSuppressed { recipients { address reason } }
  ... on Message { id subject from tag metadata sandboxed stream { slug } recipients { address kind status } }
} }`;
const BATCH = `mutation ($messages: [SendEmailInput!]!) { sendEmails(input: { messages: $messages }) {
  __typename ... on Error { code } ... on Message { id } } }`;

let w: World;
let a: TestAccount;
let email: Record<string, unknown>;

beforeAll(async () => {
  w = await world();
  a = await w.account();
  email = { from: `Shop <shop@${a.domain}>`, to: ['ann@recipient.example'], subject: 'Hello', text: 'Hi' };
});
afterAll(() => w[Symbol.asyncDispose]());

const send = (changes: Record<string, unknown> = {}, actor = a.token()) =>
  w.execute(SEND, { input: { ...email, ...changes } }, actor);

describe('refused', () => {
  test('without a token', async () => {
    const { data, errors } = await w.execute(SEND, { input: email }, null);
    expect(data).toEqual({ sendEmail: null });
    expect(errors).toEqual([expect.objectContaining({ code: 'UNAUTHENTICATED', path: 'sendEmail' })]);
  });

  test('without the scope, whatever the input', async () => {
    const { errors } = await send({ from: 'nonsense' }, a.token(['MESSAGES_READ']));
    expect(errors[0]).toMatchObject({
      code: 'FORBIDDEN',
      message: 'Not allowed: the token lacks the scope MESSAGES_SEND.',
    });
  });

  test('for an account token, which is not for sending', async () => {
    expect((await send({}, a.manager)).errors[0]).toMatchObject({ code: 'FORBIDDEN' });
  });

  const long = 'x'.repeat(10_000);
  const invalid: readonly (readonly [string, Record<string, unknown>, readonly string[]])[] = [
    ['from', { from: 'nobody' }, ['from']],
    ['to', { to: [] }, ['to']],
    ['to', { to: ['ann@recipient.example', 'bad'] }, ['to', '1']],
    ['cc', { cc: ['bad'] }, ['cc', '0']],
    ['bcc', { bcc: ['bad'] }, ['bcc', '0']],
    ['replyTo', { replyTo: ['bad'] }, ['replyTo', '0']],
    ['subject', { subject: long }, ['subject']],
    ['subject', { subject: 'a\r\nBcc: x@y.example' }, ['subject']],
    ['html', { html: 'x'.repeat(5 * 1024 * 1024 + 1) }, ['html']],
    ['text', { text: '', html: '' }, ['text']],
    [
      'attachments',
      { attachments: [{ name: 'a.exe', contentType: 'x/y', content: 'AAAA' }] },
      ['attachments', '0', 'name'],
    ],
    ['headers', { headers: [{ name: 'a b', value: 'x' }] }, ['headers', '0', 'name']],
    ['tag', { tag: long }, ['tag']],
    ['metadata', { metadata: [] }, ['metadata']],
    ['metadata', { metadata: { ['k'.repeat(21)]: 'v' } }, ['metadata', 'k'.repeat(21)]],
    ['stream', { stream: 'Not A Slug' }, ['stream']],
    ['stream', { stream: 'nowhere' }, ['stream']],
    ['stream', { stream: 'inbound' }, ['stream']],
    ['sendAt', { sendAt: '2126-01-01T00:00:00Z' }, ['sendAt']],
    ['expiresAt', { expiresAt: '2020-01-01T00:00:00Z' }, ['expiresAt']],
    ['idempotencyKey', { idempotencyKey: 'ä' }, ['idempotencyKey']],
  ];
  test.each(invalid)('with a bad %s (%#), at its path, and nothing is stored', async (_field, changes, path) => {
    const before = await w.count('messages');
    const { data } = await send(changes);
    expect(data.sendEmail).toMatchObject({ __typename: 'InvalidInput', code: 'INVALID_INPUT' });
    expect(data.sendEmail.issues).toContainEqual(expect.objectContaining({ path }));
    expect(await w.count('messages')).toBe(before);
  });

  test('with a date without a time zone, by the scalar', async () => {
    const { errors } = await send({ sendAt: '2126-01-01T00:00:00' });
    expect(errors[0]).toMatchObject({ code: 'BAD_USER_INPUT' });
  });

  test('with metadata too deep for JSON', async () => {
    const deep = JSON.parse(`${'{"a":'.repeat(11)}1${'}'.repeat(11)}`);
    expect((await send({ metadata: deep })).errors[0]?.message).toContain('more than 10 levels');
  });

  test('from a domain that the account has not verified', async () => {
    const { data } = await send({ from: 'x@elsewhere.example' });
    expect(data.sendEmail).toMatchObject({ __typename: 'SenderNotVerified', code: 'SENDER_NOT_VERIFIED' });
  });

  test('from the domain of another account', async () => {
    const other = await w.account();
    expect((await send({ from: `x@${other.domain}` })).data.sendEmail.__typename).toBe('SenderNotVerified');
  });

  test('for a server of another account, like one that does not exist', async () => {
    const other = await w.account();
    const theirs = await send({ serverId: encodeId('server', other.serverId) });
    const nobodys = await send({ serverId: encodeId('server', w.deps.ids.next()) });
    expect(theirs.data.sendEmail).toMatchObject({ __typename: 'NotFound', code: 'NOT_FOUND' });
    expect(theirs).toEqual(nobodys);
    expect(await send({ serverId: 'nonsense' })).toEqual(nobodys);
  });
});

describe('accepted', () => {
  test('with everything that the answer tells', async () => {
    const { data, errors } = await send({
      cc: ['Bob <bob@recipient.example>'],
      bcc: ['eve@recipient.example', 'ANN@recipient.example'],
      tag: 'welcome',
      metadata: { order: '7', paid: true },
    });
    expect(errors).toEqual([]);
    expect(data.sendEmail).toEqual({
      __typename: 'Message',
      id: expect.stringMatching(/^msg_[0-9a-z]{26}$/),
      subject: 'Hello',
      from: `shop@${a.domain}`,
      tag: 'welcome',
      metadata: { order: '7', paid: 'true' },
      sandboxed: true,
      stream: { slug: 'outbound' },
      recipients: [
        { address: 'ann@recipient.example', kind: 'TO', status: 'QUEUED' },
        { address: 'bob@recipient.example', kind: 'CC', status: 'QUEUED' },
        { address: 'eve@recipient.example', kind: 'BCC', status: 'QUEUED' },
      ],
    });
  });

  test('by a token that may only send, which sees what it gave and no more', async () => {
    const sender = a.token(['MESSAGES_SEND']);
    const { data, errors } = await send({}, sender);
    expect(errors).toEqual([]);
    expect(data.sendEmail.recipients).toHaveLength(1);
    const deep = await w.execute(
      SEND.replace('subject from', 'textBody recipients { attempts { startedAt } }'),
      { input: email },
      sender,
    );
    expect(deep.errors.map(({ code }) => code)).toContain('FORBIDDEN');
  });

  test('for later, as SCHEDULED', async () => {
    const sendAt = new Date(Date.now() + 3_600_000).toISOString();
    const { data } = await send({ sendAt });
    expect(data.sendEmail.recipients).toEqual([expect.objectContaining({ status: 'SCHEDULED' })]);
  });

  test('with one ACCEPTED event for each recipient', async () => {
    const { data } = await send({ cc: ['bob@recipient.example'] });
    const events = await w.execute(
      'query ($id: ID!) { message(id: $id) { events(first: 10) { edges { node { __typename recipient stream message { id } } } } } }',
      { id: data.sendEmail.id },
      a.token(),
    );
    expect(events.errors).toEqual([]);
    expect(events.data.message.events.edges.map(({ node }: { node: object }) => node)).toEqual(
      ['ann@recipient.example', 'bob@recipient.example'].map((recipient) => ({
        __typename: 'AcceptedEvent',
        recipient,
        stream: 'outbound',
        message: { id: data.sendEmail.id },
      })),
    );
  });
});

describe('suppressed recipients', () => {
  const suppress = async (address: string) => {
    const { id: streamId } = await w.db
      .selectFrom('messageStreams')
      .select('id')
      .where('serverId', '=', a.serverId)
      .where('slug', '=', 'outbound')
      .executeTakeFirstOrThrow();
    await w.db
      .insertInto('suppressions')
      .values({
        accountId: a.accountId,
        streamId,
        addressHash: addressHash(address),
        id: w.deps.ids.next(),
        address,
        reason: 'HARD_BOUNCE',
        origin: 'RECIPIENT',
        note: null,
        createdAt: new Date(),
      })
      .execute();
  };

  test('are left out, and the others get the email', async () => {
    await suppress('gone@recipient.example');
    const { data } = await send({ cc: ['Gone@recipient.example'] });
    expect(data.sendEmail.recipients.map(({ status }: { status: string }) => status)).toEqual(['QUEUED', 'SUPPRESSED']);
  });

  test('alone are an answer of their own, and nothing is accepted', async () => {
    const before = await w.count('messages');
    const { data } = await send({ to: ['gone@recipient.example'] });
    expect(data.sendEmail).toMatchObject({
      __typename: 'AllRecipientsSuppressed',
      recipients: [{ address: 'gone@recipient.example', reason: 'HARD_BOUNCE' }],
    });
    expect(await w.count('messages')).toBe(before);
  });
});

describe('a batch', () => {
  test('is refused as a whole when it has too many', async () => {
    const { data, errors } = await w.execute(BATCH, { messages: Array.from({ length: 501 }, () => email) }, a.token());
    expect(data).toEqual({ sendEmails: null });
    expect(errors[0]).toMatchObject({ code: 'BAD_USER_INPUT' });
  });

  test('is refused as a whole when it weighs too much', async () => {
    const messages = Array.from({ length: 11 }, () => ({ ...email, text: 'x'.repeat(5 * 1024 * 1024) }));
    expect((await w.execute(BATCH, { messages }, a.token())).errors[0]).toMatchObject({ code: 'BAD_USER_INPUT' });
  });

  test('answers each in order, and the good ones go', async () => {
    const before = await w.count('messages');
    const messages = [email, { ...email, to: ['bad'] }, { ...email, from: 'x@elsewhere.example' }, email];
    const { data, errors } = await w.execute(BATCH, { messages }, a.token());
    expect(errors).toEqual([]);
    expect(data.sendEmails.map((item: { __typename: string }) => item.__typename)).toEqual([
      'Message',
      'InvalidInput',
      'SenderNotVerified',
      'Message',
    ]);
    expect(await w.count('messages')).toBe(before + 2);
  });
});

describe('an idempotency key', () => {
  test('gives the first answer again and sends nothing', async () => {
    const first = await send({ idempotencyKey: 'k1' });
    const before = await w.count('messages');
    const again = await send({ idempotencyKey: 'k1' });
    expect(again.data.sendEmail.id).toBe(first.data.sendEmail.id);
    expect(await w.count('messages')).toBe(before);
  });

  test('with another body is a conflict', async () => {
    await send({ idempotencyKey: 'k2' });
    const { data } = await send({ idempotencyKey: 'k2', subject: 'Other' });
    expect(data.sendEmail).toMatchObject({ __typename: 'IdempotencyConflict', code: 'IDEMPOTENCY_CONFLICT' });
  });

  test('used twice at once makes one message', async () => {
    const before = await w.count('messages');
    const answers = await Promise.all(Array.from({ length: 8 }, () => send({ idempotencyKey: 'k3' })));
    expect(new Set(answers.map(({ data }) => data.sendEmail.id)).size).toBe(1);
    expect(await w.count('messages')).toBe(before + 1);
  });

  test('twice in one batch makes one message, or a conflict', async () => {
    const before = await w.count('messages');
    const one = { ...email, idempotencyKey: 'k4' };
    const { data } = await w.execute(BATCH, { messages: [one, one, { ...one, subject: 'Other' }] }, a.token());
    expect(data.sendEmails[1].id).toBe(data.sendEmails[0].id);
    expect(data.sendEmails[2].__typename).toBe('IdempotencyConflict');
    expect(await w.count('messages')).toBe(before + 1);
  });
});
