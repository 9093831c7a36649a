// Sessions that a browser brings by itself: what sets them, what may use them, and who may not.
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { isForeign } from '#/http/own-origin.ts';
import { type HttpWorld, otherToken, personOf, serverToken, startHttp } from '../support/http-world.ts';

let world: HttpWorld;
beforeAll(async () => {
  world = await startHttp({ callers: { alive: personOf('alive', true) } });
});
afterAll(() => world.server.close());

const SESSION = '__Host-veredus-session';
const who = async (headers: Record<string, string>) => {
  const response = await world.post({ query: '{ whoami }' }, headers);
  return { status: response.status, body: await response.json() };
};

describe('who may act with a cookie', () => {
  test.each([
    ['another site', 'https://evil.example'],
    ['another port of the same host', 'http://127.0.0.1:1'],
    ['no origin at all', 'null'],
  ])('not a page of %s', async (_name, origin) => {
    const { status, body } = await who({ cookie: `${SESSION}=alive`, origin });
    expect(status).toBe(403);
    expect(body.errors[0].extensions.code).toBe('FORBIDDEN');
  });

  test.each(['cross-site', 'same-site'])(
    'not what a page of another origin loads without naming it (%s)',
    async (site) => {
      const { status } = await who({ cookie: `${SESSION}=alive`, 'sec-fetch-site': site });
      expect(status).toBe(403);
    },
  );

  test('what the browser itself, a page of our own or a program asks for', async () => {
    for (const site of [{ 'sec-fetch-site': 'none' }, { 'sec-fetch-site': 'same-origin' }, {}]) {
      expect((await who({ cookie: `${SESSION}=alive`, ...site })).body.data.whoami).toBe('Ann by cookie');
    }
  });

  test('not a page of the public host that came in the clear where we are https', () => {
    const from = (origin: string, host: string) =>
      isForeign({ headers: { origin, host } } as IncomingMessage, 'https://mail.example');
    expect(from('http://mail.example', 'mail.example')).toBe(true);
    expect(from('https://mail.example', 'mail.example')).toBe(false);
    expect(from('http://10.0.0.1:4000', '10.0.0.1:4000')).toBe(false);
  });

  test('a page of our own, by the address that it was opened at or the public one', async () => {
    for (const origin of [world.origin, 'http://localhost:4000']) {
      expect((await who({ cookie: `${SESSION}=alive`, origin })).body.data.whoami).toBe('Ann by cookie');
    }
  });

  test('a token in a cookie is nothing', async () => {
    expect((await who({ cookie: `${SESSION}=${serverToken}` })).body.data.whoami).toBeNull();
  });

  test('a session that has ended makes its bearer nobody, who may sign in again', async () => {
    expect(await who({ cookie: `${SESSION}=dead` })).toMatchObject({ status: 200, body: { data: { whoami: null } } });
  });

  test('a bearer token goes before the cookie, and a dead one is refused', async () => {
    const cookie = `${SESSION}=alive`;
    expect((await who({ cookie, authorization: `Bearer ${otherToken}` })).body.data.whoami).toBe('label of token-2');
    expect((await who({ cookie, authorization: 'Bearer vru_dead' })).status).toBe(401);
  });

  test('a form cannot be sent with it', async () => {
    const response = await world.post('query={whoami}', {
      cookie: `${SESSION}=alive`,
      'content-type': 'application/x-www-form-urlencoded',
    });
    expect(response.status).toBe(415);
  });
});

describe('sockets', () => {
  const open = (headers: Record<string, string>) => new WebSocket(world.wsUrl, 'graphql-transport-ws', { headers });

  test('are not opened for pages of other origins', async () => {
    const socket = open({ cookie: `${SESSION}=alive`, origin: 'https://evil.example' });
    const [error] = await once(socket, 'error');
    expect(String(error)).toContain('403');
  });

  test('take the cookie of the upgrade', async () => {
    const socket = open({ cookie: `${SESSION}=alive`, origin: world.origin });
    await once(socket, 'open');
    socket.send('{"type":"connection_init"}');
    const [ack] = await once(socket, 'message');
    expect(JSON.parse(String(ack)).type).toBe('connection_ack');
    socket.send('{"type":"subscribe","id":"1","payload":{"query":"{ whoami }"}}');
    const [answer] = await once(socket, 'message');
    expect(JSON.parse(String(answer)).payload.data.whoami).toBe('Ann by cookie');
    socket.close();
  });
});

describe('what is set', () => {
  const cookies = async (query: string, headers: Record<string, string> = {}) =>
    (await world.post({ query }, headers)).headers.getSetCookie();

  test('a session and a device, for this host alone, out of reach of scripts and other sites; the last of two counts', async () => {
    const set = await cookies('mutation { begin }');
    expect(set).toEqual([
      expect.stringMatching(
        /^__Host-veredus-session=second; Max-Age=(59|60); Path=\/; HttpOnly; Secure; SameSite=Strict$/,
      ),
      expect.stringMatching(
        /^__Host-veredus-device=new; Max-Age=34560000; Path=\/; HttpOnly; Secure; SameSite=Strict$/,
      ),
    ]);
  });

  test('the device that the browser brings is the one that is remembered', async () => {
    const set = await cookies('mutation { begin }', { cookie: 'a=b; __Host-veredus-device=known' });
    expect(set.at(-1)).toContain('__Host-veredus-device=known;');
  });

  test('signing out takes the session away', async () => {
    expect(await cookies('mutation { end }', { cookie: `${SESSION}=alive` })).toEqual([
      `${SESSION}=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Strict`,
    ]);
  });
});
