// Sessions: which are seen, how they end, and that what they have opened ends with them, on every node.
import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { SESSION_HOURS, SESSION_IDLE_MINUTES } from '#/domain/identity/rules.ts';
import { encodeId } from '#/domain/ids.ts';
import type { Person } from '#/domain/person.ts';
import { createSessionCheck } from '#/resolvers/sessions/session-check.ts';
import { type App, startApp } from '../support/app.ts';
import { Browser, signIn, VIEWER } from '../support/browser.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { post } from '../support/graphql-client.ts';
import { cheapPasswords } from '../support/passwords.ts';
import { makePerson } from '../support/people.ts';
import { type World, world } from '../support/world.ts';
import { atMost } from '../support/time-taken.ts';

const PASSWORD = 'correct horse battery staple';
const LIST = '{ viewer { session { id } user { sessions { id current lastSeenAt } } } }';
const REVOKE = `mutation ($id: ID!) { revokeSession(input: { id: $id }) { __typename ... on Error { code }
  ... on Session { id current } } }`;

describe('of one person', () => {
  let w: World;
  let passwordHash: string;
  const clock = new FakeClock();

  beforeAll(async () => {
    w = await world({ clock });
    passwordHash = await cheapPasswords.hash(PASSWORD);
  });
  afterAll(() => w[Symbol.asyncDispose]());

  /** Somebody without other sessions than those of these browsers. */
  async function ann(browsers: number, options: object = {}): Promise<{ person: Person; browsers: Browser[] }> {
    const person = await w.person({ passwordHash, ...options });
    await w.db.deleteFrom('sessions').where('userId', '=', person.userId).execute();
    const opened: Browser[] = [];
    for (let more = 0; more < browsers; more++) {
      await clock.advance(1_000);
      const browser = new Browser(w);
      await signIn(browser, person.email, PASSWORD);
      opened.push(browser);
    }
    return { person, browsers: opened };
  }
  const list = async (browser: Browser) => (await browser.execute(LIST)).data.viewer;
  const isOpen = async (browser: Browser) => (await browser.execute(VIEWER)).data.viewer !== null;

  test('another cannot be ended, nor be told from one that never was', async () => {
    const [mine, theirs] = [await ann(1), await ann(1)];
    const id = encodeId('session', (await theirs.browsers[0]?.person())?.session.id ?? '');
    const [browser] = mine.browsers;
    for (const wrong of [id, encodeId('session', w.deps.ids.next()), 'ses_nothing']) {
      const { data } = (await browser?.execute(REVOKE, { id: wrong })) ?? {};
      expect(data.revokeSession).toEqual({ __typename: 'NotFound', code: 'NOT_FOUND' });
    }
    expect((await new Browser(w).execute(REVOKE, { id })).codes).toEqual(['UNAUTHENTICATED']);
    expect((await new Browser(w).execute('mutation { revokeOtherSessions }')).codes).toEqual(['UNAUTHENTICATED']);
  });

  test('are listed newest first, without those that are half signed in or over', async () => {
    const { person, browsers } = await ann(3);
    const [first, second, third] = browsers;
    if (first === undefined || second === undefined || third === undefined) throw new Error('three');
    await w.db
      .insertInto('sessions')
      .values({
        id: w.deps.ids.next(),
        secretHash: Buffer.from('half'),
        userId: person.userId,
        secondFactorPending: true,
        createdAt: clock.now(),
        lastSeenAt: clock.now(),
        expiresAt: new Date(clock.now().getTime() + 60_000),
        provedAt: null,
        ipAddress: '',
        userAgent: '',
      })
      .execute();
    const { user, session } = await list(second);
    expect(user.sessions.map(({ current }: { current: boolean }) => current)).toEqual([false, true, false]);
    expect(user.sessions[1].id).toBe(session.id);
  });

  test('one is ended by another of its owner', async () => {
    const { browsers } = await ann(2);
    const [one, other] = browsers;
    if (one === undefined || other === undefined) throw new Error('two');
    const { id } = (await list(other)).session;
    expect((await one.execute(REVOKE, { id })).data.revokeSession).toEqual({
      __typename: 'Session',
      id,
      current: false,
    });
    expect([await isOpen(one), await isOpen(other)]).toEqual([true, false]);
    expect((await one.execute(REVOKE, { id })).data.revokeSession.__typename).toBe('NotFound');
  });

  test('its own end takes the cookie with it', async () => {
    const { browsers } = await ann(1);
    const [browser] = browsers;
    if (browser === undefined) throw new Error('one');
    await browser.execute(REVOKE, { id: (await list(browser)).session.id });
    expect(browser.session).toBeNull();
  });

  test('all others are ended at once, half ones too', async () => {
    const { browsers } = await ann(4);
    const [one, ...others] = browsers;
    expect((await one?.execute('mutation { revokeOtherSessions }'))?.data).toEqual({ revokeOtherSessions: 3 });
    expect(await Promise.all(others.map(isOpen))).toEqual([false, false, false]);
    expect((await one?.execute('mutation { revokeOtherSessions }'))?.data).toEqual({ revokeOtherSessions: 0 });
  });

  test('signing out ends it and its cookie, and is true for anybody', async () => {
    const { browsers } = await ann(1);
    const [browser] = browsers;
    const secret = browser?.session ?? null;
    expect((await browser?.execute('mutation { signOut }'))?.data).toEqual({ signOut: true });
    expect(browser?.session).toBeNull();
    const stale = new Browser(w);
    stale.session = secret;
    expect((await stale.execute('mutation { signOut }')).data).toEqual({ signOut: true });
    expect(stale.session).toBeNull();
    expect((await new Browser(w).execute('mutation { signOut }')).data).toEqual({ signOut: true });
  });

  test('signing out is open to who is half signed in', async () => {
    const { browsers } = await ann(1, { secondFactor: true });
    const [browser] = browsers;
    expect((await browser?.execute(VIEWER))?.data.viewer.requirement).toBe('VERIFY_TWO_FACTOR');
    expect((await browser?.execute('mutation { signOut }'))?.data).toEqual({ signOut: true });
    expect(await browser?.person()).toBeNull();
  });

  test('signing out as a program leaves the cookie of the browser', async () => {
    const { person } = await ann(0);
    const program = new Browser(w, { program: true });
    program.session = (await signIn(program, person.email, PASSWORD)).data.signIn.token;
    await program.execute('mutation { signOut }');
    expect(await program.person()).toBeNull();
  });

  test('what was opened with a secret gains nothing when that is renewed: it ends', async () => {
    const { deps } = w;
    await using sessions = createSessionCheck({ db: w.db, clock, channel: deps.channel, log: deps.log });
    const person = await w.person({ passwordHash, proved: false });
    const ended: string[] = [];
    sessions.follow(person, (how) => ended.push(how));
    expect((await sessions.renew(person))?.userId).toBe(person.userId);
    const renewed = { secretHash: deps.random.bytes(32), provedAt: clock.now() };
    await w.db.updateTable('sessions').set(renewed).where('id', '=', person.session.id).execute();
    expect(await sessions.renew(person)).toBeNull();
    expect(ended).toEqual(['changed']);
  });

  test('they end unused, and at last however much they are used', async () => {
    const { browsers } = await ann(2);
    const [idle, busy] = browsers;
    if (idle === undefined || busy === undefined) throw new Error('two');
    const touch = async () =>
      w.db
        .updateTable('sessions')
        .set({ lastSeenAt: clock.now() })
        .where('id', '=', (await busy.person())?.session.id ?? '')
        .execute();
    for (let minutes = 0; minutes < SESSION_IDLE_MINUTES; minutes += 10) {
      await clock.advance(10 * 60_000);
      await touch();
    }
    expect([await isOpen(idle), await isOpen(busy)]).toEqual([false, true]);
    for (let hours = 1; hours < SESSION_HOURS * 3; hours++) {
      await clock.advance(20 * 60_000);
      if ((await busy.person()) !== null) await touch();
    }
    expect(await isOpen(busy)).toBe(false);
  });
});

describe('over two nodes', () => {
  let app: App;
  let other: Awaited<ReturnType<App['another']>>;
  let account: Awaited<ReturnType<App['account']>>;
  let passwordHash: string;

  beforeAll(async () => {
    app = await startApp();
    other = await app.another();
    account = await app.account();
    passwordHash = await cheapPasswords.hash(PASSWORD);
  }, 60_000);
  afterAll(() => app[Symbol.asyncDispose]());

  const FOLLOW = 'subscription ($id: ID) { messageEvents(serverId: $id) { id } }';
  const SIGN_IN = `mutation ($input: SignInInput!) { signIn(input: $input) { ... on SignedIn { token session { id } } } }`;

  async function ann() {
    const { deps } = app.node;
    const place = { accountId: account.accountId } as never;
    const grants = { [account.serverId]: 'VIEWER' } as const;
    const person = await makePerson(deps, { account: place, grants, passwordHash });
    const { data } = await post(app.url, null, SIGN_IN, { input: { email: person.email, password: PASSWORD } });
    return { person, ...Object(data?.['signIn']) };
  }

  /** A socket at the other node: the code it closes with, once it follows something. */
  async function follow(token: string): Promise<{ closed: Promise<number> }> {
    const closing = Promise.withResolvers<number>();
    const before = other.deps.feed.size;
    const client = createClient({
      url: `${other.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { token },
      retryAttempts: 0,
      on: { closed: (event) => closing.resolve(Reflect.get(Object(event), 'code')) },
    });
    client.subscribe(
      { query: FOLLOW, variables: { id: account.ids.server } },
      { next() {}, error: () => {}, complete() {} },
    );
    await expect.poll(() => other.deps.feed.size).toBe(before + 1);
    return { closed: closing.promise };
  }

  async function within2s(act: () => Promise<unknown>, closed: Promise<number>, code: number) {
    const since = performance.now();
    await act();
    expect(await closed).toBe(code);
    expect(performance.now() - since).toBeLessThan(atMost(2_000));
    await expect.poll(() => other.deps.feed.size).toBe(0);
  }

  test('signing out at one closes its sockets at the other with 4401', async () => {
    const { token } = await ann();
    const { closed } = await follow(token);
    await within2s(() => post(app.url, token, 'mutation { signOut }'), closed, 4401);
    const answer = await post(other.url, token, '{ viewer { kind } }');
    expect(answer.errors?.[0]?.extensions?.['code']).toBe('UNAUTHENTICATED');
  });

  test('revoking at one closes its sockets at the other with 4401, and no others', async () => {
    const { person, token, session } = await ann();
    const { data } = await post(app.url, null, SIGN_IN, { input: { email: person.email, password: PASSWORD } });
    const { closed } = await follow(token);
    const revoke = () => post(app.url, Object(data?.['signIn']).token, REVOKE, { id: session.id });
    await within2s(revoke, closed, 4401);
    const answer = await post(other.url, Object(data?.['signIn']).token, '{ viewer { kind } }');
    expect(answer.data).toEqual({ viewer: { kind: 'USER' } });
  });

  test('a renewed secret closes with 4403 what was opened with the one before', async () => {
    const { token } = await ann();
    const { closed } = await follow(token);
    const input = { password: PASSWORD, renewToken: true };
    const renew = () =>
      post(app.url, token, 'mutation ($input: StepUpInput!) { stepUp(input: $input) { __typename } }', { input });
    await within2s(renew, closed, 4403);
  });

  test('a grant that is taken away closes the sockets with 4403, also when nobody announces it', async () => {
    const { person, token } = await ann();
    const { closed } = await follow(token);
    const take = () => app.node.deps.db.deleteFrom('serverGrants').where('userId', '=', person.userId).execute();
    await within2s(take, closed, 4403);
  });

  test('a session whose time is over closes its sockets with 4403', async () => {
    const { person, token } = await ann();
    const { closed } = await follow(token);
    const end = () =>
      app.node.deps.db
        .updateTable('sessions')
        .set({ expiresAt: new Date() })
        .where('userId', '=', person.userId)
        .execute();
    await within2s(end, closed, 4403);
  });
});
