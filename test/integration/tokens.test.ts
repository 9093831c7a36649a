// Tokens through the API: who makes, rotates and revokes them, what is refused, what becomes of the old one.
import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Actor } from '#/domain/actor.ts';
import { encodeId } from '#/domain/ids.ts';
import type { Person } from '#/domain/person.ts';
import { isWellFormedToken } from '#/domain/token.ts';
import { createTokenCheck, type TokenCheck } from '#/resolvers/tokens/token-check.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { silentLog } from '../support/silent-log.ts';
import { type TestAccount, type World, world } from '../support/world.ts';

const TOKEN = '__typename id name hint state allowedIps createdAt lastUsedAt expiresAt';
const ERROR = '... on Error { code message } ... on InvalidInput { issues { path message } }';
const CREATE = `mutation ($input: CreateServerTokenInput!) { result: createServerToken(input: $input) { __typename ${ERROR}
  ... on LimitReached { limit } ... on IssuedServerToken { secret token { ${TOKEN} scopes stream { slug } } } } }`;
const CREATE_ACCOUNT = `mutation ($input: CreateAccountTokenInput!) { result: createAccountToken(input: $input) {
  __typename ${ERROR} ... on LimitReached { limit } ... on IssuedAccountToken { secret token { ${TOKEN} } } } }`;
const ROTATE = `mutation ($input: RotateTokenInput!) { result: rotateServerToken(input: $input) { __typename ${ERROR}
  ... on RotatedServerToken { secret token { ${TOKEN} scopes stream { slug } } previous { ${TOKEN} rotatedAt } } } }`;
const ROTATE_ACCOUNT = `mutation ($input: RotateTokenInput!) { result: rotateAccountToken(input: $input) { __typename ${ERROR}
  ... on RotatedAccountToken { secret token { ${TOKEN} } previous { ${TOKEN} } } } }`;
const REVOKE = `mutation ($input: IdInput!) { result: revokeServerToken(input: $input) { __typename ... on Error { code }
  ... on ServerToken { id state revokedAt } } }`;
const REVOKE_ACCOUNT = `mutation ($input: IdInput!) { result: revokeAccountToken(input: $input) { __typename ... on Error { code }
  ... on AccountToken { id state } } }`;
const LIST = `query ($id: ID!) { server(id: $id) { tokens { ${TOKEN} scopes } } }`;
const LIST_ACCOUNT = `{ account { tokenReminderDays tokens { ${TOKEN} } } }`;
const REMIND = `mutation ($input: SetTokenReminderInput!) { result: setTokenReminder(input: $input) {
  __typename ${ERROR} ... on Account { tokenReminderDays } } }`;

const clock = new FakeClock();
const DAY = 86_400_000;
let w: World;
let a: TestAccount;
let check: TokenCheck;
let owner: Person;
let admin: Person;
let serverAdmin: Person;
let viewer: Person;

beforeAll(async () => {
  w = await world({ clock });
  check = createTokenCheck({ db: w.db, clock, channel: w.deps.channel, log: silentLog });
  a = await w.account();
  owner = await w.person({ account: a, role: 'OWNER' });
  admin = await w.person({ account: a, role: 'ADMIN' });
  serverAdmin = await w.person({ account: a, grants: { [a.serverId]: 'ADMIN' } });
  viewer = await w.person({ account: a, grants: { [a.serverId]: 'VIEWER' } });
});
afterAll(async () => {
  await check[Symbol.asyncDispose]();
  await w[Symbol.asyncDispose]();
});

/** Each test has all of the limit. */
afterEach(async () => {
  await w.db
    .updateTable('apiTokens')
    .set({ revokedAt: clock.now() })
    .where('accountId', '=', a.accountId)
    .where('revokedAt', 'is', null)
    .execute();
});

type Asker = Actor | Person | null;

const run = async (document: string, input: object, asker: Asker) => {
  // As it would come over the wire: dates as text.
  const { data, errors } = await w.execute(document, { input: JSON.parse(JSON.stringify(input)) }, asker);
  return errors[0] === undefined ? data.result : { refused: errors[0].code };
};
const serverId = () => encodeId('server', a.serverId);
const accountId = () => encodeId('account', a.accountId);
const create = (changes: object = {}, asker: Asker = owner) =>
  run(CREATE, { serverId: serverId(), name: 'App', ...changes }, asker);
const createForAccount = (changes: object = {}, asker: Asker = owner) =>
  run(CREATE_ACCOUNT, { accountId: accountId(), name: 'Tool', ...changes }, asker);
/** On a server of its own, so that limits of other tests are not in the way. */
const createElsewhere = async (changes: object = {}) => {
  const id = encodeId('server', await a.server(`Server ${w.deps.ids.next()}`));
  return { ...(await create({ serverId: id, ...changes })), serverId: id };
};
const issuesOf = (result: { issues: { path: string[] }[] }) => result.issues.map(({ path }) => path.join('.'));
/** With proof of who they are, as a moment ago. */
const fresh = (person: Person): Person => ({
  ...person,
  provedUntil: new Date(clock.now().getTime() + 600_000),
  actors: person.actors.map((actor) => ({ ...actor, provedUntil: new Date(clock.now().getTime() + 600_000) })),
});

describe('refused', () => {
  test('for tokens, whatever they may else, and for nobody', async () => {
    const { token } = await create();
    const acts: [string, object][] = [
      [CREATE, { serverId: serverId(), name: 'x' }],
      [ROTATE, { id: token.id }],
      [REVOKE, { id: token.id }],
      [CREATE_ACCOUNT, { accountId: accountId(), name: 'x' }],
      [ROTATE_ACCOUNT, { id: token.id }],
      [REVOKE_ACCOUNT, { id: token.id }],
      [REMIND, { accountId: accountId(), days: 30 }],
    ];
    for (const [document, input] of acts) {
      for (const asker of [a.manager, a.token()])
        expect(await run(document, input, asker)).toEqual({ refused: 'FORBIDDEN' });
      expect(await run(document, input, null)).toEqual({ refused: 'UNAUTHENTICATED' });
    }
  });

  test('without a fresh proof of identity', async () => {
    const stale = await w.person({ account: a, role: 'ADMIN', proved: false });
    const { token } = await create();
    const acts: [string, object][] = [
      [CREATE, { serverId: serverId(), name: 'x' }],
      [ROTATE, { id: token.id }],
      [REVOKE, { id: token.id }],
      [CREATE_ACCOUNT, { accountId: accountId(), name: 'x' }],
      [ROTATE_ACCOUNT, { id: token.id }],
      [REVOKE_ACCOUNT, { id: token.id }],
    ];
    for (const [document, input] of acts)
      expect(await run(document, input, stale)).toEqual({ refused: 'STEP_UP_REQUIRED' });
  });

  test('for who only views the server, and for its admin on what is not theirs', async () => {
    expect(await create({}, viewer)).toEqual({ refused: 'FORBIDDEN' });
    expect((await w.execute(LIST, { id: serverId() }, viewer)).errors).toMatchObject([{ code: 'FORBIDDEN' }]);
    const elsewhere = await createElsewhere();
    expect((await create({ serverId: elsewhere.serverId }, serverAdmin)).code).toBe('NOT_FOUND');
    for (const document of [ROTATE, REVOKE])
      expect((await run(document, { id: elsewhere.token.id }, serverAdmin)).code).toBe('NOT_FOUND');
    expect(await createForAccount({}, serverAdmin)).toEqual({ refused: 'FORBIDDEN' });
    expect((await w.execute(LIST_ACCOUNT, {}, serverAdmin)).errors).toMatchObject([{ code: 'FORBIDDEN' }]);
  });

  test('for another account, like for none; and for a token of the other kind', async () => {
    const b = await w.account();
    const stranger = await w.person({ account: b, role: 'OWNER' });
    const ofServer = await create();
    const ofAccount = await createForAccount();
    expect((await create({}, stranger)).code).toBe('NOT_FOUND');
    expect((await createForAccount({}, stranger)).code).toBe('NOT_FOUND');
    for (const document of [ROTATE, REVOKE]) {
      expect((await run(document, { id: ofServer.token.id }, stranger)).code).toBe('NOT_FOUND');
      expect((await run(document, { id: ofAccount.token.id }, owner)).code).toBe('NOT_FOUND');
    }
    for (const document of [ROTATE_ACCOUNT, REVOKE_ACCOUNT]) {
      expect((await run(document, { id: ofAccount.token.id }, stranger)).code).toBe('NOT_FOUND');
      expect((await run(document, { id: ofServer.token.id }, owner)).code).toBe('NOT_FOUND');
    }
  });

  const flawed: readonly (readonly [object, string])[] = [
    [{ name: ' ' }, 'name'],
    [{ name: 'n'.repeat(101) }, 'name'],
    [{ name: 'a\nb' }, 'name'],
    [{ scopes: [] }, 'scopes'],
    [{ stream: 'nowhere' }, 'stream'],
    [{ expiresAt: '2026-01-05T12:00:00.000Z' }, 'expiresAt'],
    [{ expiresAt: '2036-01-06T12:00:00.000Z' }, 'expiresAt'],
    [{ allowedIps: Array.from({ length: 51 }, (_, index) => `10.0.0.${index}`) }, 'allowedIps'],
    [{ allowedIps: ['192.0.2.1', '10.0.0.1/8'] }, 'allowedIps.1'],
    ...['10.0.0.0/33', '10.0.0', '0x0a.0.0.1', '010.0.0.1', '10.0.0.0/', '10.0.0.0/08', '2001:db8::1/32', '::/129'].map(
      (range) => [{ allowedIps: [range] }, 'allowedIps.0'] as const,
    ),
    ...['fe80::1%eth0', 'example.com', '', '10.0.0.0/8/8', '::ffff:0:0/90', '10.0.0.0-10.0.0.9'].map(
      (range) => [{ allowedIps: [range] }, 'allowedIps.0'] as const,
    ),
  ];

  test.each(flawed)('with %j', async (changes, path) => {
    const result = await create(changes);
    expect(result).toMatchObject({ __typename: 'InvalidInput' });
    expect(issuesOf(result)).toEqual([path]);
    if (!('scopes' in changes) && !('stream' in changes))
      expect(issuesOf(await createForAccount(changes))).toEqual([path]);
  });

  test('with all that is wrong named at once', async () => {
    const result = await create({
      name: '',
      scopes: [],
      stream: 'x',
      allowedIps: ['x'],
      expiresAt: '2020-01-01T00:00:00Z',
    });
    expect(issuesOf(result)).toEqual(['name', 'scopes', 'stream', 'allowedIps.0', 'expiresAt']);
  });

  test('for a stream that is archived, or of another server', async () => {
    const elsewhere = encodeId('server', await a.server('Streams'));
    const add = `mutation ($input: CreateStreamInput!) { createStream(input: $input) { ... on MessageStream { id } } }`;
    const input = { serverId: elsewhere, slug: 'news', name: 'News', kind: 'BROADCAST' };
    const { data } = await w.execute(add, { input }, a.manager);
    expect(issuesOf(await create({ stream: 'news' }))).toEqual(['stream']);
    const archive = 'mutation ($input: IdInput!) { archiveStream(input: $input) { __typename } }';
    await w.execute(archive, { input: { id: data.createStream.id } }, a.manager);
    expect(issuesOf(await create({ serverId: elsewhere, stream: 'news' }))).toEqual(['stream']);
  });

  test('beyond 25 live ones', async () => {
    const id = encodeId('server', await a.server('Full'));
    const all = await Promise.all(Array.from({ length: 26 }, () => create({ serverId: id })));
    const names = all.map(({ __typename }) => String(__typename)).toSorted();
    expect(names).toEqual([...Array.from({ length: 25 }, () => 'IssuedServerToken'), 'LimitReached']);
    expect(await create({ serverId: id })).toMatchObject({ code: 'LIMIT_REACHED', limit: 25 });
    const issued = all.find(({ token }) => token !== undefined);
    // One takes the place of another: the limit is not in the way, nor is what is rotated out.
    expect((await run(ROTATE, { id: issued.token.id }, owner)).__typename).toBe('RotatedServerToken');
    expect(await create({ serverId: id })).toMatchObject({ code: 'LIMIT_REACHED' });
    await run(REVOKE, { id: all.findLast(({ token }) => token !== undefined).token.id }, owner);
    expect((await create({ serverId: id })).__typename).toBe('IssuedServerToken');
  });

  test('beyond 25 live ones of an account', async () => {
    const b = await w.account();
    const theirs = await w.person({ account: b, role: 'OWNER' });
    const input = { accountId: encodeId('account', b.accountId) };
    // One is there since the account was made.
    for (let made = 1; made < 25; made++) expect((await createForAccount(input, theirs)).secret).toMatch(/^vra_/);
    expect(await createForAccount(input, theirs)).toMatchObject({ code: 'LIMIT_REACHED', limit: 25 });
  });
});

describe('a new token', () => {
  test('is of its kind, works, and has what an application needs', async () => {
    const { __typename, secret, token } = await create();
    expect(__typename).toBe('IssuedServerToken');
    expect(secret).toMatch(/^vrt_/);
    expect(isWellFormedToken(secret)).toBe(true);
    expect(token).toEqual({
      __typename: 'ServerToken',
      id: expect.stringMatching(/^tok_/),
      name: 'App',
      hint: `vrt_…${secret.slice(-4)}`,
      state: 'ACTIVE',
      allowedIps: [],
      createdAt: clock.now().toISOString(),
      lastUsedAt: null,
      expiresAt: null,
      scopes: ['MESSAGES_SEND', 'MESSAGES_READ', 'EVENTS_READ', 'STATS_READ'],
      stream: null,
    });
    const found = await check.check(secret, '192.0.2.1');
    expect(found?.actor).toMatchObject({ kind: 'SERVER_TOKEN', serverId: a.serverId });
  });

  test.each(['admin', 'serverAdmin'] as const)('may be made by the %s', async (who) => {
    expect((await create({}, { admin, serverAdmin }[who])).__typename).toBe('IssuedServerToken');
  });

  test('of a live server begins with vrs_, of an account with vra_', async () => {
    const make = `mutation ($input: CreateServerInput!) { result: createServer(input: $input) { ... on Server { id } } }`;
    const live = await run(make, { accountId: accountId(), name: 'Live', deliveryType: 'LIVE' }, owner);
    expect((await create({ serverId: live.id })).secret).toMatch(/^vrs_/);
    const ofAccount = await createForAccount();
    expect(ofAccount.secret).toMatch(/^vra_/);
    const found = await check.check(ofAccount.secret, '192.0.2.1');
    expect(found?.actor).toMatchObject({ kind: 'ACCOUNT_TOKEN', accountId: a.accountId });
  });

  test('is bound as it was ordered, its networks in one form', async () => {
    const { secret, token } = await create({
      scopes: ['EVENTS_READ', 'CONTENT_READ', 'EVENTS_READ'],
      stream: 'broadcast',
      allowedIps: [
        ' 192.0.2.7',
        '10.0.0.0/8',
        '2001:DB8:0::/32',
        '::ffff:198.51.100.0/120',
        '10.0.0.0/8',
        '2001:db8:1::5',
      ],
      expiresAt: '2026-02-01T00:00:00.000Z',
    });
    expect(token).toMatchObject({
      scopes: ['CONTENT_READ', 'EVENTS_READ'],
      stream: { slug: 'broadcast' },
      allowedIps: ['192.0.2.7/32', '10.0.0.0/8', '2001:db8::/32', '198.51.100.0/24', '2001:db8:1::5/128'],
      expiresAt: '2026-02-01T00:00:00.000Z',
    });
    for (const inside of ['192.0.2.7', '10.255.0.1', '2001:db8:ffff::1', '198.51.100.9', '::ffff:10.1.1.1'])
      expect(await check.check(secret, inside), inside).not.toBeNull();
    for (const outside of ['192.0.2.8', '11.0.0.1', '2001:db9::1', '198.51.101.1', 'unknown'])
      expect(await check.check(secret, outside), outside).toBeNull();
  });

  test('is stored as a hash alone', async () => {
    const { secret, token } = await create();
    const hash = createHash('sha256').update(secret).digest();
    const rows = await w.db.selectFrom('apiTokens').selectAll().where('secretHash', '=', hash).execute();
    expect(rows).toMatchObject([{ hint: token.hint }]);
    expect(JSON.stringify(rows)).not.toContain(secret.slice(4, 36));
  });

  test('is on record without its secret', async () => {
    const { secret, token } = await create({ name: 'Recorded' });
    await run(ROTATE, { id: token.id }, owner);
    await run(REVOKE, { id: token.id }, owner);
    const rows = await w.db.selectFrom('auditLog').selectAll().where('accountId', '=', a.accountId).execute();
    const about = rows.filter(({ subjectIds }) => subjectIds.includes(token.id));
    expect(about.map(({ action }) => action)).toEqual([
      'serverToken.create',
      'serverToken.rotate',
      'serverToken.revoke',
    ]);
    expect(about.map(({ actorKind, actorId }) => [actorKind, actorId])).toEqual(
      about.map(() => ['USER', owner.userId]),
    );
    expect(JSON.stringify(rows)).not.toContain(secret.slice(4, 36));
  });
});

describe('the list', () => {
  test('has the newest first, what died lately, and nothing older', async () => {
    const id = encodeId('server', await a.server('Listed'));
    const names = async (asker: Asker) => {
      const { data } = await w.execute(LIST, { id }, asker);
      return data.server.tokens.map(({ name, state }: { name: string; state: string }) => `${name} ${state}`);
    };
    const one = await create({ serverId: id, name: 'one' });
    const two = await create({ serverId: id, name: 'two', expiresAt: new Date(clock.now().getTime() + DAY) });
    await create({ serverId: id, name: 'three' });
    expect(await names(owner)).toEqual(['three ACTIVE', 'two ACTIVE', 'one ACTIVE']);
    await run(ROTATE, { id: one.token.id, overlapSeconds: 3_600 }, owner);
    await run(REVOKE, { id: two.token.id }, owner);
    expect(await names(owner)).toEqual(['one ACTIVE', 'three ACTIVE', 'two REVOKED', 'one ROTATING']);
    expect(await names(a.manager)).toEqual(await names(owner));
    await clock.leap(2 * DAY);
    expect(await names(fresh(owner))).toEqual(['one ACTIVE', 'three ACTIVE', 'two REVOKED', 'one EXPIRED']);
    await clock.leap(30 * DAY);
    expect(await names(fresh(owner))).toEqual(['one ACTIVE', 'three ACTIVE']);
    owner = fresh(owner);
    admin = fresh(admin);
    serverAdmin = fresh(serverAdmin);
  });

  test('of an account has its own tokens, for owner and admins', async () => {
    const { token } = await createForAccount({ name: 'Terraform' });
    const { data } = await w.execute(LIST_ACCOUNT, {}, admin);
    expect(data.account.tokens[0]).toEqual(token);
    expect(data.account.tokens.every(({ __typename }: { __typename: string }) => __typename === 'AccountToken')).toBe(
      true,
    );
    expect((await w.execute(LIST_ACCOUNT, {}, a.manager)).errors).toMatchObject([{ code: 'FORBIDDEN' }]);
  });

  test('is found by id by who sees it, dead or alive', async () => {
    const { token } = await create();
    await run(REVOKE, { id: token.id }, owner);
    const NODE = 'query ($id: ID!) { node(id: $id) { id ... on ServerToken { state } } }';
    for (const asker of [owner, serverAdmin, a.manager])
      expect((await w.execute(NODE, { id: token.id }, asker)).data.node).toEqual({ id: token.id, state: 'REVOKED' });
    expect((await w.execute(NODE, { id: token.id }, a.token())).data.node).toBeNull();
  });
});

describe('rotation', () => {
  test('gives a new secret for the same rights, and a day to the old one', async () => {
    const old = await create({ scopes: ['MESSAGES_SEND'], stream: 'outbound', allowedIps: ['192.0.2.0/24'] });
    const { __typename, secret, token, previous } = await run(ROTATE, { id: old.token.id }, owner);
    expect(__typename).toBe('RotatedServerToken');
    expect(secret).not.toBe(old.secret);
    const { id, hint, createdAt, ...same } = old.token;
    expect(token).toMatchObject({ ...same, hint: `vrt_…${secret.slice(-4)}` });
    expect(previous).toMatchObject({
      id,
      hint,
      createdAt,
      state: 'ROTATING',
      expiresAt: new Date(clock.now().getTime() + DAY).toISOString(),
      rotatedAt: clock.now().toISOString(),
    });
    expect((await check.check(old.secret, '192.0.2.9'))?.deprecation).toEqual({
      since: clock.now(),
      sunset: new Date(clock.now().getTime() + DAY),
    });
    expect((await check.check(secret, '192.0.2.9'))?.deprecation).toBeNull();
    expect(await check.check(secret, '198.51.100.1')).toBeNull();
  });

  test('ends the old one after the overlap, and not after its own end', async () => {
    const soon = new Date(clock.now().getTime() + 3_600_000);
    const old = await create({ expiresAt: soon });
    const { token, previous } = await run(ROTATE, { id: old.token.id, overlapSeconds: 604_800 }, owner);
    expect(previous.expiresAt).toBe(soon.toISOString());
    // It was made for an hour, and so is the new one.
    expect(token.expiresAt).toBe(soon.toISOString());
    const other = await create();
    await run(ROTATE, { id: other.token.id, overlapSeconds: 60 }, owner);
    expect(await check.check(other.secret, '192.0.2.1')).not.toBeNull();
    await clock.advance(60_000);
    expect(await check.check(other.secret, '192.0.2.1')).toBeNull();
  });

  test('without overlap ends the old one at once', async () => {
    const old = await create();
    expect(await check.check(old.secret, '192.0.2.1')).not.toBeNull();
    const { previous, secret } = await run(ROTATE, { id: old.token.id, overlapSeconds: 0 }, owner);
    expect(previous).toMatchObject({ state: 'REVOKED', expiresAt: clock.now().toISOString() });
    expect(await check.check(old.secret, '192.0.2.1')).toBeNull();
    expect(await check.check(secret, '192.0.2.1')).not.toBeNull();
  });

  test.each([-1, 604_801])('refuses an overlap of %i seconds', async (overlapSeconds) => {
    const { token } = await create();
    const result = await run(ROTATE, { id: token.id, overlapSeconds }, owner);
    expect(issuesOf(result)).toEqual(['overlapSeconds']);
  });

  test('of what is rotated, revoked or expired already is a conflict', async () => {
    const { token } = await createElsewhere();
    await run(ROTATE, { id: token.id }, owner);
    expect((await run(ROTATE, { id: token.id }, owner)).code).toBe('CONFLICT');
    await run(REVOKE, { id: token.id }, owner);
    expect((await run(ROTATE, { id: token.id }, owner)).code).toBe('CONFLICT');
    const short = await createElsewhere({ expiresAt: new Date(clock.now().getTime() + 1_000) });
    await clock.advance(1_000);
    expect((await run(ROTATE, { id: short.token.id }, owner)).code).toBe('CONFLICT');
  });

  test('of one token at once by two happens once', async () => {
    const { token } = await createElsewhere();
    const results = await Promise.all([1, 2, 3].map(() => run(ROTATE, { id: token.id }, owner)));
    expect(results.map(({ __typename }) => String(__typename)).toSorted()).toEqual([
      'Conflict',
      'Conflict',
      'RotatedServerToken',
    ]);
  });

  test('over and over does not make endlessly many good ones', async () => {
    let { token } = await createElsewhere();
    for (let round = 0; round < 25; round++) {
      const rotated = await run(ROTATE, { id: token.id, overlapSeconds: 604_800 }, owner);
      token = rotated.token;
    }
    expect((await run(ROTATE, { id: token.id }, owner)).code).toBe('CONFLICT');
    expect((await run(ROTATE, { id: token.id, overlapSeconds: 0 }, owner)).__typename).toBe('RotatedServerToken');
  });

  test('of a token of the account', async () => {
    const old = await createForAccount({ allowedIps: ['2001:db8::/32'] });
    const { secret, token, previous } = await run(ROTATE_ACCOUNT, { id: old.token.id }, owner);
    expect(secret).toMatch(/^vra_/);
    expect(token).toMatchObject({ name: 'Tool', allowedIps: ['2001:db8::/32'], state: 'ACTIVE' });
    expect(previous).toMatchObject({ id: old.token.id, state: 'ROTATING' });
  });
});

describe('revocation', () => {
  test('is at once, for good, and answers the same when it is repeated', async () => {
    const { secret, token } = await create();
    expect(await check.check(secret, '192.0.2.1')).not.toBeNull();
    const first = await run(REVOKE, { id: token.id }, owner);
    expect(first).toMatchObject({ __typename: 'ServerToken', state: 'REVOKED', revokedAt: clock.now().toISOString() });
    expect(await check.check(secret, '192.0.2.1')).toBeNull();
    await clock.advance(1_000);
    expect(await run(REVOKE, { id: token.id }, owner)).toEqual(first);
  });

  test('of a token that is being rotated out leaves the new one', async () => {
    const old = await create();
    const { secret } = await run(ROTATE, { id: old.token.id }, owner);
    expect((await run(REVOKE, { id: old.token.id }, owner)).state).toBe('REVOKED');
    expect(await check.check(old.secret, '192.0.2.1')).toBeNull();
    expect(await check.check(secret, '192.0.2.1')).not.toBeNull();
  });

  test('of a token that has expired leaves it as it is', async () => {
    const { token } = await create({ expiresAt: new Date(clock.now().getTime() + 1_000) });
    await clock.advance(1_000);
    expect(await run(REVOKE, { id: token.id }, owner)).toMatchObject({ state: 'EXPIRED', revokedAt: null });
  });

  test('of a token of the account', async () => {
    const { secret, token } = await createForAccount();
    expect((await run(REVOKE_ACCOUNT, { id: token.id }, admin)).state).toBe('REVOKED');
    expect(await check.check(secret, '192.0.2.1')).toBeNull();
  });
});

describe('the age at which an account is reminded', () => {
  test('is 90 days until it is set', async () => {
    expect((await w.execute(LIST_ACCOUNT, {}, owner)).data.account.tokenReminderDays).toBe(90);
    for (const days of [6, 731])
      expect(issuesOf(await run(REMIND, { accountId: accountId(), days }, owner))).toEqual(['days']);
    expect(await run(REMIND, { accountId: accountId(), days: 30 }, admin)).toEqual({
      __typename: 'Account',
      tokenReminderDays: 30,
    });
    expect(await run(REMIND, { accountId: accountId(), days: 30 }, serverAdmin)).toEqual({ refused: 'FORBIDDEN' });
  });
});
