import type { IncomingHttpHeaders } from 'node:http';
import { get } from 'node:https';
import { createConnection } from 'node:net';
import { serverAudits } from 'graphql-http';
import { createClient } from 'graphql-sse';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  caches,
  callerOf,
  type HttpWorld,
  otherToken,
  resolverSignals,
  serverToken,
  source,
  startHttp,
  until,
} from '../support/http-world.ts';
import { atMost } from '../support/time-taken.ts';

let world: HttpWorld;
const expiring = 'vrs_expiring';
const deprecated = 'vrs_deprecated';
beforeAll(async () => {
  world = await startHttp({
    config: { metricsPort: 0 },
    callers: {
      [deprecated]: callerOf('token-4', {
        deprecation: { since: new Date('2026-12-31T00:00:00Z'), sunset: new Date('2027-01-01T00:00:00Z') },
      }),
    },
  });
});
afterAll(() => world.server.close());

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

interface Answer {
  data?: Record<string, unknown> | null;
  errors?: { message: string; extensions?: Record<string, unknown>; path?: unknown }[];
  extensions?: Record<string, unknown>;
}

async function read(response: Response): Promise<Answer> {
  return JSON.parse(await response.text());
}

async function codeOf(response: Response): Promise<unknown> {
  return (await read(response)).errors?.[0]?.extensions?.['code'];
}

describe('GraphQL over HTTP', () => {
  for (const audit of serverAudits({ url: () => world.url })) {
    test(`${audit.id} ${audit.name}`, async () => {
      const result = await audit.fn();
      expect(result.status, 'reason' in result ? result.reason : '').toBe('ok');
    });
  }
});

describe('requests that other sites could forge', () => {
  test.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/graphql',
    '',
  ])('content type %j is refused', async (type) => {
    const response = await world.post({ query: '{ hello }' }, { 'content-type': type });
    expect(response.status).toBe(415);
  });

  test('a mutation by GET is refused', async () => {
    const response = await fetch(`${world.url}?query=${encodeURIComponent('mutation { dear }')}`);
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('POST');
  });

  test('no CORS header lets another origin read', async () => {
    const response = await world.post({ query: '{ hello }' }, { origin: 'https://evil.example' });
    expect(response.headers.get('access-control-allow-origin')).toBe(null);
  });
});

describe('tokens', () => {
  test('none is anonymous', async () => {
    expect(await read(await world.post({ query: '{ whoami }' }))).toMatchObject({ data: { whoami: null } });
  });

  test('one that is not known is 401', async () => {
    const response = await world.post({ query: '{ whoami }' }, bearer('vrs_nonsense'));
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toBe('Bearer');
    expect(await codeOf(response)).toBe('UNAUTHENTICATED');
  });

  test('another scheme is 401', async () => {
    expect((await world.post({ query: '{ whoami }' }, { authorization: 'Basic eDp5' })).status).toBe(401);
  });

  test.each([bearer(serverToken), { 'x-veredus-token': serverToken }, { authorization: `bearer  ${serverToken}` }])(
    'in %j',
    async (headers) => {
      const answer = await read(await world.post({ query: '{ whoami }' }, headers));
      expect(answer.data).toEqual({ whoami: 'label of token-1' });
    },
  );

  test.each([
    () => `?token=${serverToken}`,
    () => `?access_token=x&query={hello}`,
    () => `?query={hello}&x=${serverToken}`,
    () => `?query={hello}&x=vrs%5f${serverToken.slice(4)}`,
  ])('in the URL is refused, also a valid one (%#)', async (search) => {
    const response = await fetch(world.url + search());
    expect(response.status).toBe(400);
    const text = await response.text();
    expect(text).toContain('TOKEN_IN_URL');
    expect(text).not.toContain(serverToken);
  });

  test('that will end are announced', async () => {
    const response = await world.post({ query: '{ hello }' }, bearer(deprecated));
    expect(response.headers.get('deprecation')).toMatch(/^@\d{10}$/);
    expect(response.headers.get('sunset')).toBe('Fri, 01 Jan 2027 00:00:00 GMT');
  });
});

describe('errors', () => {
  test('a defect is masked and logged under the request’s id', async () => {
    const response = await world.post({ query: 'query Q { defect hello }' });
    const answer = await read(response);
    const requestId = response.headers.get('x-request-id');
    expect(answer.data).toEqual({ defect: null, hello: 'hello world' });
    expect(answer.errors).toMatchObject([
      { message: 'Unexpected error.', path: ['defect'], extensions: { code: 'INTERNAL', requestId } },
    ]);
    expect(JSON.stringify(answer)).not.toContain('hunter2');
    const line = world.log.find(({ fields }) => 'requestId' in fields && fields.requestId === requestId);
    expect(line).toMatchObject({ level: 'error', fields: { operation: 'Q' } });
  });

  test('an error without a code is a defect, whatever its class', async () => {
    const text = await (await world.post({ query: '{ uncoded }' })).text();
    expect(text).toContain('INTERNAL');
    expect(text).not.toContain('internal detail');
  });

  test.each([
    ['unauthenticated', { code: 'UNAUTHENTICATED' }],
    ['forbidden', { code: 'FORBIDDEN' }],
    ['expired', { code: 'CURSOR_EXPIRED', oldestCursor: 'c9' }],
    ['missing', { code: 'NOT_FOUND' }],
  ])('%s is told', async (field, extensions) => {
    const answer = await read(await world.post({ query: `{ ${field} }` }));
    expect(answer.errors).toMatchObject([{ extensions, path: [field] }]);
  });

  test.each([
    ['{', 'GRAPHQL_PARSE_FAILED'],
    ['{ nothing }', 'GRAPHQL_VALIDATION_FAILED'],
    ['query($n: Int!) { nodes(first: $n) { edges { node { id } } } }', 'BAD_USER_INPUT'],
    ['query A { hello } query B { hello }', 'OPERATION_RESOLUTION_FAILURE'],
  ])('%s is %s', async (query, code) => {
    const response = await world.post({ query }, { accept: 'application/graphql-response+json' });
    expect(response.status).toBe(400);
    expect(await codeOf(response)).toBe(code);
  });

  test('a request id sent along is not taken over', async () => {
    const response = await world.post({ query: '{ hello }' }, { 'x-request-id': 'mine' });
    expect(response.headers.get('x-request-id')).toMatch(/^[0-9a-f]{12}-[0-9a-z]+$/);
  });

  test('several operations in one request are refused', async () => {
    expect((await world.post([{ query: '{ hello }' }])).status).toBe(400);
  });
});

describe('server-sent events', () => {
  const subscribe = (token: string, query = 'subscription { events }', url = world.url) => {
    const received: unknown[] = [];
    const client = createClient({ url, retryAttempts: 0, headers: bearer(token) });
    const ended = new Promise<unknown>((resolve) => {
      client.subscribe(
        { query },
        { next: (value) => received.push(value), error: resolve, complete: () => resolve(null) },
      );
    });
    return { client, received, ended };
  };

  test('events arrive, each with a fresh context cache, defects masked', async () => {
    const { client, received } = subscribe(serverToken);
    await until(() => source.open === 1);
    caches.length = 0;
    for (const event of ['one', 'defect', 'two']) {
      const before = received.length;
      source.push(event);
      await until(() => received.length > before);
    }
    expect(received).toMatchObject([
      { data: { events: 'one' } },
      { errors: [{ message: 'Unexpected error.', extensions: { code: 'INTERNAL' } }] },
      { data: { events: 'two' } },
    ]);
    expect(new Set(caches).size).toBe(3);
    client.dispose();
    await until(() => source.open === 0);
  });

  test('a stream that waits is released when its client goes', async () => {
    const response = await fetch(world.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'text/event-stream', ...bearer(serverToken) },
      body: JSON.stringify({ query: 'subscription { events }' }),
    });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    expect(response.headers.get('x-accel-buffering')).toBe('no');
    await until(() => source.open === 1);
    await response.body?.cancel();
    await until(() => source.open === 0);
  });

  test('six hundred of a token are enough', { timeout: 20_000 }, async () => {
    const open = () =>
      fetch(world.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'text/event-stream', ...bearer(otherToken) },
        body: JSON.stringify({ query: 'subscription { events }' }),
      });
    const streams: Response[] = [];
    for (let hundred = 0; hundred < 6; hundred++)
      streams.push(...(await Promise.all(Array.from({ length: 100 }, open))));
    await until(() => source.open === 600);
    const refused = await open();
    expect(refused.status).toBe(429);
    expect(refused.headers.get('retry-after')).toBe('5');
    expect(await refused.json()).toMatchObject({ errors: [{ extensions: { code: 'RATE_LIMITED', retryAfter: 5 } }] });
    for (const { body } of streams) await body?.cancel();
    await until(() => source.open === 0);
  });

  test('a revoked token ends its streams and no other', async () => {
    const mine = subscribe(serverToken);
    const other = subscribe(otherToken);
    await until(() => source.open === 2);
    world.revoke('token-1');
    expect(await mine.ended).toBe(null);
    await until(() => source.open === 1);
    other.client.dispose();
    await until(() => source.open === 0);
  });

  test('an expired token ends its streams', async () => {
    const short = await startHttp({
      callers: { [expiring]: callerOf('token-3', { expiresAt: new Date(Date.now() + 1_500) }) },
    });
    const { ended } = subscribe(expiring, 'subscription { events }', short.url);
    await until(() => source.open === 1);
    expect(await ended).toBe(null);
    await until(() => source.open === 0);
    expect((await short.post({ query: '{ hello }' }, bearer(expiring))).status).toBe(401);
    await short.server.close();
  });

  test('a refusal to subscribe is the answer', async () => {
    const { received, ended } = subscribe(serverToken, 'subscription { refusedEvents }');
    await ended;
    expect(received).toMatchObject([{ errors: [{ extensions: { code: 'FORBIDDEN' } }] }]);
  });

  test('a browser’s EventSource may ask by GET', async () => {
    const query = encodeURIComponent('subscription { events }');
    const response = await fetch(`${world.url}?query=${query}`, {
      headers: { accept: 'text/event-stream', ...bearer(serverToken) },
    });
    await until(() => source.open === 1);
    source.push('by GET');
    const reader = response.body?.getReader();
    let text = '';
    while (!text.includes('by GET')) text += new TextDecoder().decode((await reader?.read())?.value);
    expect(text).toContain('event: next\ndata: {"data":{"events":"by GET"}}');
    await reader?.cancel();
    await until(() => source.open === 0);
  });

  test('a query may be answered as events', async () => {
    const text = await (await world.post({ query: '{ hello }' }, { accept: 'text/event-stream' })).text();
    expect(text).toContain('event: next\ndata: {"data":{"hello":"hello world"}');
    expect(text).toContain('event: complete');
  });

  test('a subscription without Accept for events is 406', async () => {
    const response = await world.post({ query: 'subscription { events }' }, { accept: 'application/json' });
    expect(response.status).toBe(406);
  });
});

describe('time', () => {
  test('a query is given up with its client', async () => {
    const controller = new AbortController();
    const answer = fetch(world.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: '{ slow }' }),
      signal: controller.signal,
    }).catch(() => null);
    await until(() => resolverSignals.length > 0);
    controller.abort();
    await answer;
    await until(() => resolverSignals.at(-1)?.aborted === true);
  });
});

describe('other addresses', () => {
  test('health says nothing about what runs', async () => {
    const response = await fetch(`${world.origin}/healthz`);
    expect([response.status, await response.text()]).toEqual([200, 'ok\n']);
    expect(response.headers.get('server') ?? response.headers.get('x-powered-by')).toBe(null);
  });

  test('readiness follows the installation', async () => {
    expect((await fetch(`${world.origin}/readyz`)).status).toBe(200);
    world.ready = false;
    expect((await fetch(`${world.origin}/readyz`)).status).toBe(503);
    world.ready = true;
  });

  test('figures have a port of their own', async () => {
    await world.post({ query: 'query Named { hello }' });
    const metrics = await (await fetch(`http://127.0.0.1:${world.metricsPort}/metrics`)).text();
    expect(metrics).toContain('veredus_graphql_operation_seconds_count{operation="Named",kind="query"} 1');
    expect((await fetch(`http://127.0.0.1:${world.metricsPort}/healthz`)).status).toBe(200);
    expect((await fetch(`${world.origin}/metrics`)).status).toBe(404);
  });

  test('GraphiQL asks no other server', async () => {
    const response = await fetch(world.url, { headers: { accept: 'text/html' } });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
    const page = await response.text();
    expect(page).toContain('YogaGraphiQL');
    expect(page).not.toMatch(/<(?:script|link|img)[^>]+(?:src|href)="https?:/);
  });

  test('the root names the API', async () => {
    const response = await fetch(world.origin);
    expect(await response.text()).toContain('/graphql');
    expect(response.headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
    expect(response.headers.get('referrer-policy')).toBe('no-referrer');
  });

  test('everything else is 404', async () => {
    expect((await fetch(`${world.origin}/graphql/x`)).status).toBe(404);
    expect((await fetch(`${world.origin}/../etc/passwd`)).status).toBe(404);
  });
});

describe('connections', () => {
  test('a client that trickles its headers is cut off', async () => {
    const slow = await startHttp({ timeouts: { headers: 200, request: 400, checkInterval: 50 } });
    const port = Number(new URL(slow.origin).port);
    const waits = [
      'POST /graphql HTTP/1.1\r\nHost: x\r\nX-A: ',
      'POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{',
    ].map((text) => {
      const startedAt = Date.now();
      const socket = createConnection(port, '127.0.0.1', () => socket.write(text)).resume();
      return new Promise<number>((resolve) => socket.once('close', () => resolve(Date.now() - startedAt)));
    });
    for (const waited of await Promise.all(waits)) expect(waited).toBeLessThan(atMost(2_000));
    await slow.server.close();
  });

  test('with a certificate HTTPS is the only way in', async () => {
    const folder = new URL('../support/certs/', import.meta.url).pathname;
    const secure = await startHttp({ config: { httpTls: { cert: `${folder}cert.pem`, key: `${folder}key.pem` } } });
    const port = Number(new URL(secure.origin).port);
    const headers = await new Promise<IncomingHttpHeaders>((resolve, reject) => {
      get({ port, path: '/healthz', rejectUnauthorized: false }, (response) => resolve(response.resume().headers)).on(
        'error',
        reject,
      );
    });
    expect(headers['strict-transport-security']).toMatch(/^max-age=\d{8}/);
    await expect(fetch(secure.origin)).rejects.toThrow();
    await secure.server.close();
  });

  test('closing takes nothing new, and cuts streams so that their clients come back', async () => {
    const ending = await startHttp({ timeouts: { drain: 300 } });
    const stream = fetch(ending.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
      body: JSON.stringify({ query: 'subscription { events }' }),
    })
      .then((response) => response.text())
      .catch(() => 'cut');
    await until(() => source.open === 1);
    await ending.server.close();
    expect(await stream).not.toContain('complete');
    await until(() => source.open === 0);
    await expect(fetch(ending.origin)).rejects.toThrow();
  });
});
