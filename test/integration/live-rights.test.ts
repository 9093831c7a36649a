// Subscribers with the same document and different rights, on real sockets: each gets what it may see, whoever came first,
// and what it follows ends with its right to see it.
import { Registry } from 'prom-client';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Person } from '#/domain/person.ts';
import { makeToken, SESSION_PREFIX } from '#/domain/token.ts';
import { createServer } from '#/resolvers/servers/create-server.ts';
import { deleteServer } from '#/resolvers/servers/delete-server.ts';
import { secretHashOf } from '#/resolvers/sessions/session-check.ts';
import { type App, type AppAccount, startApp } from '../support/app.ts';
import { request } from '../support/graphql-client.ts';
import { makePerson, makeStaff } from '../support/people.ts';
import { until } from '../support/webhook-world.ts';
import { Peer } from '../support/ws-peer.ts';

const FOLLOW = `subscription ($id: ID) { messageEvents(serverId: $id) {
  content: message { textBody } place: message { stream { suppressions(first: 1) { edges { cursor } } } } } }`;
const INBOUND = 'subscription ($id: ID) { inboundMessages(serverId: $id) { id } }';
const SEND = 'mutation ($input: SendEmailInput!) { sendEmail(input: $input) { __typename } }';

const metrics = new Registry();
let app: App;
let account: AppAccount;
let domain: string;
let accounts = 0;
const open: Peer[] = [];

beforeAll(async () => {
  app = await startApp({ VEREDUS_ROLES: 'api' }, { metrics });
}, 60_000);
afterAll(() => app[Symbol.asyncDispose]());
beforeEach(async () => {
  domain = `acme${++accounts}.example`;
  account = await app.account({ domain });
});
afterEach(async () => {
  for (const peer of open.splice(0)) peer.socket.terminate();
  await until(async () => (await running()) === 0);
});

/** What `makePerson` needs of an account. */
const place = () => ({ account: { accountId: account.accountId } as never });

async function secretOf({ session }: Person): Promise<string> {
  const { db, random } = app.node.deps;
  const secret = makeToken(SESSION_PREFIX, (length) => random.bytes(length));
  await db
    .updateTable('sessions')
    .set({ secretHash: secretHashOf(secret) })
    .where('id', '=', session.id)
    .execute();
  return secret;
}

const member = async (options: object) => secretOf(await makePerson(app.node.deps, { ...place(), ...options }));
const staff = async (complianceReview: boolean) =>
  secretOf(await makeStaff(app.node.deps, { ...place(), complianceReview }));

async function another(): Promise<string> {
  const { deps } = app.node;
  const actor = { kind: 'OPERATOR', accountId: account.accountId, label: 'test' } as const;
  const caller = { actor, requestId: 'test', ipAddress: null };
  return (
    await createServer(deps, caller, {
      accountId: account.accountId,
      name: `Elsewhere ${++accounts}`,
      color: null,
      deliveryType: 'SANDBOX',
      trackOpens: null,
      trackLinks: null,
    })
  ).id;
}

/** Subscriptions of the process. */
async function running(): Promise<number> {
  const gauge = await metrics.getSingleMetric('veredus_subscriptions')?.get();
  return gauge?.values[0]?.value ?? 0;
}

async function following(token: string, query = FOLLOW, id = account.ids.server): Promise<Peer> {
  const peer = await new Peer(`${app.url.replace('http', 'ws')}/graphql`).open();
  open.push(peer);
  await peer.init({ token });
  const before = await running();
  peer.subscribe('1', query, { id });
  await until(async () => peer.of('1').length > 0 || (await running()) > before);
  return peer;
}

/**
 * Until all of these have so many events. They follow from "now", which nobody tells them: what is sent too early for one
 * is sent again.
 */
async function sendTo(peers: readonly Peer[], count = 1): Promise<void> {
  const input = { from: `x@${domain}`, to: ['ann@r.example'], text: 'Hello' };
  const haveAll = () => peers.every((peer) => peer.of('1').length >= count);
  while (!haveAll()) {
    await request(app.url, account.serverToken, SEND, { input });
    await until(haveAll, 'the event', 2_000).catch(() => {});
  }
}

/** What came of the first event: body and suppressions, each as given or as the code of its refusal. */
async function seenBy(peer: Peer): Promise<{ readonly body: unknown; readonly suppressions: unknown }> {
  const { data, errors = [] } = Object(peer.of('1')[0]?.payload);
  const refusalOf = (field: string) =>
    errors.find(({ path }: { readonly path: readonly unknown[] }) => path.includes(field))?.extensions.code;
  const { content, place: where } = data?.messageEvents ?? {};
  return {
    body: refusalOf('content') ?? content?.textBody,
    suppressions: refusalOf('place') ?? where?.stream.suppressions.edges,
  };
}

/** Who they are, what they are called here, and what they see of an event. */
const FORBIDDEN = 'FORBIDDEN';
const ALL = { body: 'Hello', suppressions: [] };
const NO_BODY = { body: FORBIDDEN, suppressions: [] };
const NO_SUPPRESSIONS = { body: 'Hello', suppressions: FORBIDDEN };
const people: readonly (readonly [string, () => Promise<string>, object])[] = [
  // An account has one owner.
  ['an admin', () => member({ role: 'ADMIN' }), ALL],
  ['ADMIN on the server', () => member({ grants: { [account.serverId]: 'ADMIN' } }), ALL],
  ['VIEWER on the server', () => member({ grants: { [account.serverId]: 'VIEWER' } }), NO_SUPPRESSIONS],
  [
    'ADMIN elsewhere',
    async () => member({ grants: { [await another()]: 'ADMIN', [account.serverId]: 'VIEWER' } }),
    NO_SUPPRESSIONS,
  ],
  ['staff', () => staff(false), NO_BODY],
  ['staff in a review', () => staff(true), ALL],
  ['a token with all scopes', async () => account.serverToken, ALL],
  [
    'a token without CONTENT_READ',
    () => account.token(['EVENTS_READ', 'MESSAGES_READ', 'SUPPRESSIONS_WRITE']),
    NO_BODY,
  ],
  [
    'a token without SUPPRESSIONS_WRITE',
    () => account.token(['EVENTS_READ', 'MESSAGES_READ', 'CONTENT_READ']),
    NO_SUPPRESSIONS,
  ],
];

describe('with the same document', () => {
  test.each([
    ['', people],
    [', whoever comes first', people.toReversed()],
  ])('each sees what they may%s', async (_, order) => {
    const peers: Peer[] = [];
    for (const [, tokenOf] of order) peers.push(await following(await tokenOf()));
    // Once more: those join the groups that are there.
    for (const [, tokenOf] of order) peers.push(await following(await tokenOf()));
    await sendTo(peers);
    const seen = await Promise.all(peers.map((peer) => seenBy(peer)));
    const expected = order.map(([, , what]) => what);
    expect(seen).toEqual([...expected, ...expected]);
  });

  test('nobody follows the server of somebody else', async () => {
    const theirs = await app.account({ domain: `other-${domain}` });
    const place = { account: { accountId: theirs.accountId } as never };
    const stranger = await secretOf(await makePerson(app.node.deps, { ...place, role: 'OWNER' }));
    const elsewhere = await member({ grants: { [await another()]: 'ADMIN' } });
    const mine = await following(await member({ role: 'OWNER' }));
    for (const token of [stranger, elsewhere, theirs.serverToken]) {
      const [answer] = (await following(token)).of('1');
      expect(JSON.stringify(answer)).toContain('NOT_FOUND');
    }
    await sendTo([mine]);
    expect(await seenBy(mine)).toEqual(ALL);
    for (const peer of open.slice(-3)) expect(JSON.stringify(peer.messages)).not.toContain('Hello');
  });

  test('what was for all is for none that it is taken from', async () => {
    const person = await makePerson(app.node.deps, { ...place(), grants: { [account.serverId]: 'ADMIN' } });
    const [kept, lost] = [
      await following(await member({ grants: { [account.serverId]: 'ADMIN' } })),
      await following(await secretOf(person)),
    ];
    await app.node.deps.db
      .updateTable('serverGrants')
      .set({ level: 'VIEWER' })
      .where('userId', '=', person.userId)
      .execute();
    expect((await lost.closed).code).toBe(4403);
    await sendTo([kept]);
    expect(await seenBy(kept)).toEqual(ALL);
    expect(lost.of('1')).toEqual([]);
  });
});

test('staff who follow are on record once, not for each event', async () => {
  const peer = await following(await staff(true));
  for (let event = 1; event <= 3; event++) {
    await sendTo([peer], event);
  }
  const looks = await app.node.deps.db
    .selectFrom('auditLog')
    .select(['subjectIds', 'changes'])
    .where('accountId', '=', account.accountId)
    .where('action', '=', 'staffAccess.look')
    .execute();
  expect(looks.length).toBeGreaterThan(0);
  expect(new Set(looks.map((look) => JSON.stringify(look))).size).toBe(looks.length);
});

describe('a deleted server', () => {
  test.each([
    ['events', FOLLOW],
    ['inbound messages', INBOUND],
  ])('ends what people follow of its %s', async (_, query) => {
    const peer = await following(await member({ role: 'OWNER' }), query);
    const { deps } = app.node;
    const actor = { kind: 'OPERATOR', accountId: account.accountId, label: 'test' } as const;
    await deleteServer(deps, { actor, requestId: 'test', ipAddress: null }, { id: account.serverId });
    await until(() => peer.of('1').some(({ type }) => type === 'complete'));
    expect(peer.socket.readyState).toBe(peer.socket.OPEN);
  });
});
