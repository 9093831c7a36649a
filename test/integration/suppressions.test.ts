// Suppressions and bounces through the API.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeInSystemScope } from '#/db/scope.ts';
import { insertSuppressions } from '#/db/suppressions.ts';
import type { Actor } from '#/domain/actor.ts';
import type { SuppressionReason } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { addressHash, MAX_ADDRESSES_AT_ONCE } from '#/domain/suppression.ts';
import { NO_MESSAGE } from '#/events/catalogue.ts';
import { insertBounce } from '../support/bounces.ts';
import { type TestAccount, type World, world } from '../support/world.ts';

const SUPPRESS = `mutation ($input: SuppressAddressesInput!) { suppressAddresses(input: $input) { __typename
  ... on Error { code message } ... on InvalidInput { issues { path } }
  ... on SuppressedAddresses { suppressions { id address reason origin note } rejected { path message } } } }`;
const LIFT = `mutation ($input: UnsuppressAddressesInput!) { unsuppressAddresses(input: $input) { __typename
  ... on Error { code message } ... on InvalidInput { issues { path } }
  ... on UnsuppressedAddresses { addresses refused { address reason } } } }`;
const LIST = `query ($first: Int!, $after: String, $filter: SuppressionFilter, $stream: String!) { server { stream(slug: $stream) {
  suppressions(first: $first, after: $after, filter: $filter) { edges { cursor node { address } } pageInfo { hasNextPage } } } } }`;
const REACTIVATE = `mutation ($id: ID!) { reactivateBounce(input: { id: $id }) { __typename ... on Error { message }
  ... on Bounce { id inactive canReactivate } } }`;
const EVENTS = `query ($recipient: String) { server { events(first: 9, filter: { types: [SUBSCRIPTION_CHANGED], recipient: $recipient }) { edges { node { recipient stream messageId
  message { id } ... on SubscriptionChangedEvent { suppressed reason origin } } } } } }`;
const EXPLAIN = `query ($address: String!) { server { explainRecipient(address: $address) { address deliverable summary
  suppressions { reason } recentAttempts { response } } } }`;

let w: World;
let a: TestAccount;
let streamId: string;

beforeAll(async () => {
  w = await world();
  a = await w.account();
  streamId = await streamOf(a.token());
});
afterAll(() => w[Symbol.asyncDispose]());

async function streamOf(actor: Actor, slug = 'outbound'): Promise<string> {
  const { data } = await w.execute('query ($slug: String!) { server { stream(slug: $slug) { id } } }', { slug }, actor);
  return data.server.stream.id;
}

const suppress = (addresses: readonly string[], more: Record<string, unknown> = {}, actor = a.token()) =>
  w.execute(SUPPRESS, { input: { streamId, addresses, ...more } }, actor);
const lift = (addresses: readonly string[], actor = a.token()) =>
  w.execute(LIFT, { input: { streamId, addresses } }, actor);
const list = async (filter: Record<string, unknown> = {}, { first = 100, after = null as string | null } = {}) => {
  const { data, errors } = await w.execute(LIST, { first, after, filter, stream: 'outbound' }, a.token());
  expect(errors).toEqual([]);
  return data.server.stream.suppressions;
};
const inAMinute = () => new Date(w.deps.clock.now().getTime() + 60_000).toISOString();
const addressesOf = ({ edges }: { edges: { node: { address: string } }[] }) => edges.map(({ node }) => node.address);

/** As delivery or a complaint leaves it. */
async function recipientSaid(account: TestAccount, address: string, reason: SuppressionReason): Promise<string> {
  const { id } = await w.db
    .selectFrom('messageStreams')
    .select('id')
    .where('serverId', '=', account.serverId)
    .where('slug', '=', 'outbound')
    .executeTakeFirstOrThrow();
  const row = {
    accountId: account.accountId,
    streamId: id,
    hash: addressHash(address),
    id: w.deps.ids.next(),
    address,
  };
  await writeInSystemScope(w.system, w.deps.clock.now(), (scope) =>
    insertSuppressions(scope, [{ ...row, reason, origin: 'RECIPIENT' }]),
  );
  return row.id;
}

describe('refused', () => {
  test('without SUPPRESSIONS_WRITE, also to look at', async () => {
    const reader = a.token(['MESSAGES_SEND', 'MESSAGES_READ', 'EVENTS_READ']);
    expect((await suppress(['x@r.example'], {}, reader)).errors[0]).toMatchObject({ code: 'FORBIDDEN' });
    expect((await lift(['x@r.example'], reader)).errors[0]).toMatchObject({ code: 'FORBIDDEN' });
    const { errors } = await w.execute(LIST, { first: 1, stream: 'outbound' }, reader);
    expect(errors[0]).toMatchObject({ code: 'FORBIDDEN' });
  });

  test('on the stream of another account, like on none', async () => {
    const other = await w.account();
    const theirs = await suppress(['x@r.example'], {}, other.token());
    expect(theirs.data.suppressAddresses).toMatchObject({ __typename: 'NotFound' });
    const nowhere = await suppress(['x@r.example'], { streamId: encodeId('stream', w.deps.ids.next()) }, other.token());
    expect(nowhere).toEqual(theirs);
  });

  test('on another stream than the one that a token is bound to', async () => {
    const row = await w.db
      .selectFrom('messageStreams')
      .select('id')
      .where('serverId', '=', a.serverId)
      .where('slug', '=', 'broadcast')
      .executeTakeFirstOrThrow();
    const { data } = await suppress(['x@r.example'], {}, a.token(undefined, { streamId: row.id }));
    expect(data.suppressAddresses.__typename).toBe('NotFound');
  });

  test.each<[string, readonly string[], Record<string, unknown>, string]>([
    ['no address', [], {}, 'addresses'],
    ['too many', Array.from({ length: MAX_ADDRESSES_AT_ONCE + 1 }, (_, n) => `x${n}@r.example`), {}, 'addresses'],
    ['a note that is too long', ['x@r.example'], { note: 'n'.repeat(401) }, 'note'],
    ['a note of two lines', ['x@r.example'], { note: 'a\nb' }, 'note'],
  ])('with %s', async (_what, addresses, more, field) => {
    const { data } = await suppress(addresses, more);
    expect(data.suppressAddresses).toMatchObject({ __typename: 'InvalidInput', issues: [{ path: [field] }] });
  });

  test('to lift what is no address', async () => {
    const { data } = await lift(['x@r.example', 'nobody']);
    expect(data.unsuppressAddresses).toMatchObject({
      __typename: 'InvalidInput',
      issues: [{ path: ['addresses', '1'] }],
    });
  });

  test('filters that are no address, cursors that are no suppression', async () => {
    const ask = (more: object) => w.execute(LIST, { first: 1, stream: 'outbound', ...more }, a.token());
    expect((await ask({ filter: { address: 'nobody' } })).errors[0]?.code).toBe('BAD_USER_INPUT');
    expect((await ask({ after: 'nowhere' })).errors[0]?.code).toBe('INVALID_CURSOR');
  });
});

describe('suppressions', () => {
  test('are made, told, found and lifted', async () => {
    const other = await w.account();
    const token = other.token();
    const id = await streamOf(token);
    const answer = await suppress(
      ['Bea <Bea@R.example>', 'nobody', 'bea@r.example', 'cy@r.example'],
      { streamId: id, note: ' left ' },
      token,
    );
    expect(answer.data.suppressAddresses).toEqual({
      __typename: 'SuppressedAddresses',
      suppressions: ['Bea@r.example', 'cy@r.example'].map((address) => ({
        id: expect.stringMatching(/^sup_/),
        address,
        reason: 'MANUAL',
        origin: 'CUSTOMER',
        note: 'left',
      })),
      rejected: [{ path: ['addresses', '1'], message: expect.any(String) }],
    });
    const again = await suppress(['BEA@r.example'], { streamId: id, note: 'other' }, token);
    expect(again.data.suppressAddresses.suppressions).toEqual([answer.data.suppressAddresses.suppressions[0]]);
    const { data: node } = await w.execute(
      'query ($id: ID!) { node(id: $id) { ... on Suppression { note } } }',
      { id: answer.data.suppressAddresses.suppressions[0].id },
      token,
    );
    expect(node.node).toEqual({ note: 'left' });

    const sent = await w.execute(
      'mutation ($input: SendEmailInput!) { sendEmail(input: $input) { __typename } }',
      { input: { from: `x@${other.domain}`, to: ['bea@r.example'], text: 'x' } },
      token,
    );
    expect(sent.data.sendEmail.__typename).toBe('AllRecipientsSuppressed');

    const lifted = await w.execute(
      LIFT,
      { input: { streamId: id, addresses: ['bea@r.example', 'dan@r.example'] } },
      token,
    );
    expect(lifted.data.unsuppressAddresses).toEqual({
      __typename: 'UnsuppressedAddresses',
      addresses: ['bea@r.example', 'dan@r.example'],
      refused: [],
    });
    const { data } = await w.execute(EVENTS, {}, token);
    const about = { stream: 'outbound', messageId: encodeId('message', NO_MESSAGE), message: null, origin: 'CUSTOMER' };
    expect(data.server.events.edges.map(({ node }: { node: object }) => node)).toEqual([
      { ...about, recipient: 'Bea@r.example', suppressed: true, reason: 'MANUAL' },
      { ...about, recipient: 'cy@r.example', suppressed: true, reason: 'MANUAL' },
      { ...about, recipient: 'bea@r.example', suppressed: false, reason: null },
    ]);
  });

  test('of complaints cannot be lifted, and take the place of others', async () => {
    await suppress(['eve@r.example']);
    await recipientSaid(a, 'eve@r.example', 'SPAM_COMPLAINT');
    const { data } = await lift(['eve@r.example']);
    expect(data.unsuppressAddresses).toMatchObject({
      addresses: [],
      refused: [{ address: 'eve@r.example', reason: 'SPAM_COMPLAINT' }],
    });
    // What comes later changes nothing.
    await recipientSaid(a, 'eve@r.example', 'HARD_BOUNCE');
    expect(addressesOf(await list({ address: 'EVE@r.example', reason: 'SPAM_COMPLAINT' }))).toEqual(['eve@r.example']);
  });

  test('are listed newest first, in pages, by each filter', async () => {
    await suppress(['p1@r.example', 'p2@r.example', 'p3@r.example']);
    await recipientSaid(a, 'p4@r.example', 'HARD_BOUNCE');
    const all = addressesOf(await list());
    expect(all.slice(0, 4)).toEqual(['p4@r.example', 'p3@r.example', 'p2@r.example', 'p1@r.example']);
    const first = await list({}, { first: 2 });
    expect(first.pageInfo.hasNextPage).toBe(true);
    const second = await list({}, { first: 2, after: first.edges[1].cursor });
    expect([...addressesOf(first), ...addressesOf(second)]).toEqual(all.slice(0, 4));
    expect(addressesOf(await list({ reason: 'HARD_BOUNCE' }))).toEqual(['p4@r.example']);
    expect(addressesOf(await list({ origin: 'RECIPIENT', reason: 'MANUAL' }))).toEqual([]);
    expect(addressesOf(await list({ origin: 'CUSTOMER' })).slice(0, 3)).toEqual(all.slice(1, 4));
    expect(addressesOf(await list({ address: 'p2@R.example' }))).toEqual(['p2@r.example']);
    expect(addressesOf(await list({ since: inAMinute() }))).toEqual([]);
    expect(addressesOf(await list({ until: inAMinute() }))).toEqual(all);
  });

  test('are those of their stream alone', async () => {
    await suppress(['here@r.example']);
    const { data } = await w.execute(
      LIST,
      { first: 9, stream: 'broadcast', filter: { address: 'here@r.example' } },
      a.token(),
    );
    expect(data.server.stream.suppressions.edges).toEqual([]);
  });

  test('of a thousand addresses are made by two calls at once without waiting for each other for ever', async () => {
    const addresses = Array.from({ length: MAX_ADDRESSES_AT_ONCE }, (_, n) => `many${n}@r.example`);
    const answers = await Promise.all([suppress(addresses), suppress(addresses.toReversed())]);
    for (const { data } of answers) expect(data.suppressAddresses.suppressions).toHaveLength(MAX_ADDRESSES_AT_ONCE);
  });
});

describe('a bounce', () => {
  test('is reactivated once, which is told and lets mail through', async () => {
    const address = 'gone@r.example';
    const suppressionId = await recipientSaid(a, address, 'HARD_BOUNCE');
    const { id: uuid } = await insertBounce(w, a, { suppressionId, address, addressKey: address });
    const id = encodeId('bounce', uuid);
    const ask = 'query ($id: ID!) { node(id: $id) { ... on Bounce { inactive canReactivate source } } }';
    expect((await w.execute(ask, { id }, a.token())).data.node).toEqual({
      inactive: true,
      canReactivate: true,
      source: null,
    });
    const back = await w.execute(REACTIVATE, { id }, a.token());
    expect(back.data.reactivateBounce).toEqual({ __typename: 'Bounce', id, inactive: false, canReactivate: false });
    expect((await w.execute(REACTIVATE, { id }, a.token())).data.reactivateBounce.__typename).toBe('Conflict');
    const { data } = await w.execute(EVENTS, { recipient: address }, a.token());
    expect(data.server.events.edges.at(-1).node).toMatchObject({ recipient: address, suppressed: false, reason: null });
  });

  test('that is a complaint is not', async () => {
    const suppressionId = await recipientSaid(a, 'angry@r.example', 'SPAM_COMPLAINT');
    const { id } = await insertBounce(w, a, { suppressionId, type: 'SPAM_COMPLAINT', address: 'angry@r.example' });
    const { data } = await w.execute(REACTIVATE, { id: encodeId('bounce', id) }, a.token());
    expect(data.reactivateBounce).toMatchObject({ __typename: 'Conflict' });
  });

  test('is listed by each filter, and by several', async () => {
    const other = await w.account();
    const token = other.token();
    const suppressionId = await recipientSaid(other, 'h@r.example', 'HARD_BOUNCE');
    const hard = await insertBounce(w, other, {
      address: 'h@r.example',
      addressKey: 'h@r.example',
      tag: 'news',
      suppressionId,
    });
    const soft = await insertBounce(w, other, {
      type: 'SOFT_BOUNCE',
      address: 'S@r.example',
      addressKey: 's@r.example',
    });
    const ask = async (filter: object) => {
      const document =
        'query ($filter: BounceFilter) { server { bounces(first: 9, filter: $filter) { edges { node { id } } } } }';
      const { data, errors } = await w.execute(document, { filter }, token);
      expect(errors).toEqual([]);
      return data.server.bounces.edges.map(({ node }: { node: { id: string } }) => node.id);
    };
    const [hardId, softId] = [encodeId('bounce', hard.id), encodeId('bounce', soft.id)];
    expect(await ask({})).toEqual([softId, hardId]);
    for (const filter of [
      { type: 'HARD_BOUNCE' },
      { tag: 'news' },
      { inactive: true },
      { address: 'H@r.example' },
      { messageId: encodeId('message', hard.messageId ?? '') },
      { inactive: true, stream: 'outbound', type: 'HARD_BOUNCE', tag: 'news', until: inAMinute() },
    ]) {
      expect(await ask(filter)).toEqual([hardId]);
    }
    expect(await ask({ inactive: false })).toEqual([softId]);
    for (const filter of [
      { stream: 'broadcast' },
      { since: inAMinute() },
      { messageId: 'nothing' },
      { type: 'HARD_BOUNCE', address: 's@r.example' },
    ]) {
      expect(await ask(filter)).toEqual([]);
    }
    const theirs = await w.execute('{ server { bounces(first: 9) { edges { node { id } } } } }', {}, a.token());
    expect(JSON.stringify(theirs)).not.toContain(hardId);
  });
});

describe('a recipient is explained', () => {
  test('who is suppressed, who is not, who is no address', async () => {
    await suppress(['quiet@r.example']);
    const ask = (address: string) => w.execute(EXPLAIN, { address }, a.token());
    expect((await ask('Quiet@r.example')).data.server.explainRecipient).toEqual({
      address: 'Quiet@r.example',
      deliverable: false,
      summary: 'Nothing is sent to it on outbound, because it was suppressed by hand.',
      suppressions: [{ reason: 'MANUAL' }],
      recentAttempts: [],
    });
    expect((await ask('new@r.example')).data.server.explainRecipient).toMatchObject({ deliverable: true });
    expect((await ask('nobody')).errors[0]?.code).toBe('BAD_USER_INPUT');
  });

  test('by what became of the last message', async () => {
    await w.execute(
      'mutation ($input: SendEmailInput!) { sendEmail(input: $input) { __typename } }',
      { input: { from: `x@${a.domain}`, to: ['waits@r.example'], text: 'x' } },
      a.token(),
    );
    const { data } = await w.execute(EXPLAIN, { address: 'waits@r.example' }, a.token());
    expect(data.server.explainRecipient).toMatchObject({
      deliverable: true,
      summary: 'The last message to it waits for its turn.',
    });
  });
});
