import { getIntrospectionQuery } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { clientAddress } from '#/http/client-address.ts';
import { loadConfig } from '#/runtime/config.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { closeAt, type HttpWorld, otherToken, serverToken, startHttp } from '../support/http-world.ts';

let world: HttpWorld;
beforeAll(async () => {
  world = await startHttp({ config: { maxCost: 5_000 } });
});
afterAll(() => world.server.close());

interface Answer {
  data?: Record<string, unknown> | null;
  errors?: { message: string; extensions?: Record<string, unknown> }[];
  extensions?: { cost?: { requested: number; actual: number; available?: number; restoreRate?: number } };
}

async function ask(body: unknown, headers: Record<string, string> = {}, on = world) {
  const response = await on.post(body, { accept: 'application/graphql-response+json', ...headers });
  const answer: Answer = JSON.parse(await response.text());
  return { response, answer, code: answer.errors?.[0]?.extensions?.['code'] };
}

/** Milliseconds of this process; the least of three, since other work and collections of garbage fall into some. */
async function leastCpu(run: (round: number) => Promise<void>): Promise<number> {
  const spent: number[] = [];
  for (const round of [1, 2, 3]) {
    const before = process.cpuUsage();
    await run(round);
    spent.push(process.cpuUsage(before).user / 1_000);
  }
  return Math.min(...spent);
}

const nested = (depth: number) => `${'parent { '.repeat(depth)}id${' }'.repeat(depth)}`;

describe('documents', () => {
  const onNode = (selection: string) => `{ nodes(first: 1) { edges { node { ${selection} } } } }`;

  test.each([
    ['a long text', `{ hello(name: "${'x'.repeat(40_000)}") }`],
    ['many tokens', `{ ${'hello '.repeat(2_100)} }`],
    ['depth', onNode(nested(20))],
    ['aliases', `{ hello ${onNode(Array.from({ length: 60 }, (_, i) => `a${i}: id`).join(' ')).slice(1)}`],
    ['root fields', `{ ${Array.from({ length: 25 }, (_, i) => `a${i}: hello`).join(' ')} }`],
    ['directives', `{ hello ${'@include(if: true) '.repeat(60)} }`],
    ['the same field again and again', onNode('id '.repeat(1_500))],
    [
      'introspection again and again',
      `{ ${Array.from({ length: 9 }, (_, i) => `a${i}: __schema { queryType { name } }`).join(' ')} }`,
    ],
    [
      'fragments that unfold exponentially',
      `{ nodes(first: 1) { edges { node { ...F0 } } } } ${Array.from({ length: 30 }, (_, i) => `fragment F${i} on Node { id a: parent { ...F${i + 1} } ...F${i + 1} ...F${i + 1} }`).join(' ')} fragment F30 on Node { id }`,
    ],
  ])('%s is refused at once', async (_, query) => {
    const spent = await leastCpu(async (round) => {
      // Another text each time: refusals are cached.
      const { response, code } = await ask({ query: query + ' '.repeat(round) });
      expect(response.status).toBe(400);
      expect(['QUERY_TOO_COMPLEX', 'GRAPHQL_VALIDATION_FAILED']).toContain(code);
    });
    expect(spent).toBeLessThan(50);
  });

  test.each([
    ['a megabyte of garbage', 'x'.repeat(1_000_000 - 20)],
    ['a megabyte of brackets', '['.repeat(1_000_000 - 20)],
    ['a megabyte of braces in a query', JSON.stringify({ query: '{a'.repeat(400_000) })],
  ])('%s takes no time', async (_, body) => {
    const spent = await leastCpu(async () => {
      expect((await ask(body)).response.status).toBe(400);
    });
    // The client's part, which sends the megabyte, included.
    expect(spent).toBeLessThan(100);
  });

  test('a fragment within itself is refused', async () => {
    const { code } = await ask({
      query: '{ nodes(first: 1) { edges { node { ...A } } } } fragment A on Node { parent { ...A } }',
    });
    expect(code).toBe('GRAPHQL_VALIDATION_FAILED');
  });

  test('introspection as clients ask it is served', async () => {
    const { response, answer } = await ask({ query: getIntrospectionQuery() });
    expect(response.status).toBe(200);
    expect(answer.errors).toBeUndefined();
  });

  test('introspection that runs in circles is refused', async () => {
    const query =
      '{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }';
    expect((await ask({ query })).response.status).toBe(400);
  });
});

describe('cost', () => {
  const costOf = async (query: string, variables = {}) => (await ask({ query, variables })).answer.extensions?.cost;
  const page = 'edges { node { id } }';

  test('a page counts as long as it may be, and less is given back', async () => {
    expect(await costOf(`{ nodes(first: 100) { ${page} } }`)).toEqual({ requested: 201, actual: 5 });
  });

  test('from variables and their defaults', async () => {
    expect(await costOf(`query($n: Int!) { nodes(first: $n) { ${page} } }`, { n: 10 })).toMatchObject({
      requested: 21,
    });
    expect(await costOf(`query($n: Int! = 30) { nodes(first: $n) { ${page} } }`)).toMatchObject({ requested: 61 });
  });

  test('pages in pages multiply, also through fragments', async () => {
    const query = `query($a: Int!, $b: Int!) { nodes(first: $a) { edges { node { ...F } } } }
      fragment F on Node { children(first: $b) { ${page} } }`;
    expect(await costOf(query, { a: 10, b: 3 })).toMatchObject({ requested: 1 + 10 * (1 + 1 + (1 + 3 * 2)) });
  });

  test('a list of unknown length is five', async () => {
    expect(await costOf('{ nodes(first: 2) { edges { node { tags { name } } } } }')).toMatchObject({ requested: 15 });
  });

  test('@skip and @include change nothing', async () => {
    const query = `{ nodes(first: 100) @skip(if: true) { ${page} } }`;
    expect(await costOf(query)).toEqual({ requested: 201, actual: 1 });
  });

  test('fields may have points of their own, and points for each item of a list in their input', async () => {
    expect(await costOf('mutation { dear }')).toEqual({ requested: 100, actual: 100 });
    const batch = 'mutation($input: BatchInput!) { sendEmails(input: $input) { id } }';
    const messages = Array.from({ length: 40 }, () => ({ to: 'a' }));
    expect(await costOf(batch, { input: { messages } })).toEqual({ requested: 81, actual: 81 });
    expect(await costOf('mutation { sendEmails(input: { messages: [{ to: "a" }, { to: "b" }] }) { id } }')).toEqual({
      requested: 5,
      actual: 5,
    });
    const whole = 'mutation($m: [MessageInput]!) { sendEmails(input: { messages: $m }) { id } }';
    expect(await costOf(whole, { m: messages })).toMatchObject({ requested: 81 });
  });

  test('above the maximum nothing runs', async () => {
    const { response, answer, code } = await ask({
      query: `query($n: Int!) { nodes(first: $n) { ${page} } }`,
      variables: { n: 2_500 },
    });
    expect(response.status).toBe(400);
    expect(code).toBe('QUERY_TOO_COMPLEX');
    expect(answer).not.toHaveProperty('data');
    expect((await ask({ query: `{ nodes(first: 2147483647) { ${page} } }` })).code).toBe('QUERY_TOO_COMPLEX');
  });
});

describe('rate', () => {
  test('a bucket for each token; refusals tell when to come back', async () => {
    const clock = new FakeClock();
    const limited = await startHttp({ clock, config: { rateLimit: 20, workers: 2 } });
    const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
    const dear = { query: 'mutation { dear }' };

    const first = await ask(dear, bearer(serverToken), limited);
    expect(first.answer.extensions?.cost).toEqual({ requested: 100, actual: 100, available: 0, restoreRate: 10 });
    expect(first.response.headers.get('ratelimit-limit')).toBe('100');
    expect(first.response.headers.get('ratelimit-remaining')).toBe('0');
    expect(first.response.headers.get('ratelimit-reset')).toBe('10');

    const refused = await ask(dear, bearer(serverToken), limited);
    expect(refused.response.status).toBe(429);
    expect(refused.response.headers.get('retry-after')).toBe('10');
    expect(refused.answer.errors).toMatchObject([{ extensions: { code: 'RATE_LIMITED', retryAfter: 10 } }]);

    expect((await ask(dear, bearer(otherToken), limited)).response.status).toBe(200);
    expect((await ask({ query: '{ hello }' }, {}, limited)).response.status).toBe(200);

    await clock.advance(10_000);
    expect((await ask(dear, bearer(serverToken), limited)).response.status).toBe(200);
    await closeAt(limited, clock);
  });

  test('what was not used is given back', async () => {
    const clock = new FakeClock();
    const limited = await startHttp({ clock, config: { rateLimit: 30 } });
    for (let round = 0; round < 10; round++) {
      const { response } = await ask({ query: '{ nodes(first: 100) { edges { node { id } } } }' }, {}, limited);
      expect(response.status).toBe(200);
    }
    await closeAt(limited, clock);
  });
});

describe('bodies', () => {
  test('without a token a megabyte is too much', async () => {
    const { response, code } = await ask({ query: '{ hello }', extensions: { x: 'x'.repeat(1_100_000) } });
    expect([response.status, code]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
  });

  test('with one, sixty are', async () => {
    const value = 'x'.repeat(30_000_000);
    const echo = (variables: object) =>
      ask(
        { query: 'mutation($value: JSON) { echo(value: $value) }', variables },
        { authorization: `Bearer ${serverToken}` },
      );
    expect((await echo({ value })).answer.data).toEqual({ echo: 'ok' });
    expect((await echo({ value: [value, value] })).response.status).toBe(413);
  });

  test('counted as it comes when no length is declared', async () => {
    const chunk = new TextEncoder().encode('x'.repeat(100_000));
    let sent = 0;
    const body = new ReadableStream({
      pull(controller) {
        if (++sent > 1_000) controller.close();
        else controller.enqueue(chunk);
      },
    });
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body, duplex: 'half' } as const;
    const status = await fetch(world.url, init).then(
      (response) => response.status,
      () => 'cut off',
    );
    expect([413, 'cut off']).toContain(status);
    expect(sent).toBeLessThan(1_000);
  });

  test('compressed ones are refused', async () => {
    const { response } = await ask({ query: '{ hello }' }, { 'content-encoding': 'gzip' });
    expect(response.status).toBe(415);
  });
});

describe('time', () => {
  test('a query that takes longer than 15 seconds is ended', async () => {
    const clock = new FakeClock();
    const slow = await startHttp({ clock });
    const answer = ask({ query: '{ slow }' }, {}, slow);
    const waiting = clock.sleepers;
    while (clock.sleepers <= waiting) await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(16_000);
    const { response, code } = await answer;
    expect([response.status, code]).toEqual([503, 'TIMEOUT']);
    await closeAt(slow, clock);
  });
});

describe('whose address counts', () => {
  const trusted = loadConfig({ VEREDUS_TRUSTED_PROXIES: '10.0.0.0/8,fd00::/8' }).trustedProxies;

  test.each([
    ['nobody is trusted', '203.0.113.9', '198.51.100.1', [], '203.0.113.9'],
    ['the peer is not a proxy of ours', '203.0.113.9', '198.51.100.1', trusted, '203.0.113.9'],
    ['behind one proxy', '10.0.0.1', '198.51.100.1', trusted, '198.51.100.1'],
    ['what the client wrote stands left', '10.0.0.1', '1.2.3.4, 198.51.100.1', trusted, '198.51.100.1'],
    ['behind two proxies', '10.0.0.1', '198.51.100.1, 10.9.9.9', trusted, '198.51.100.1'],
    ['an entry that is no address', '10.0.0.1', '198.51.100.1, nonsense', trusted, '10.0.0.1'],
    ['IPv4 on an IPv6 socket', '::ffff:10.0.0.1', '198.51.100.1', trusted, '198.51.100.1'],
    ['IPv6 with a port', 'fd00::1', '[2001:db8::1]:443', trusted, '2001:db8::1'],
    ['only proxies', '10.0.0.1', '10.0.0.2', trusted, '10.0.0.2'],
  ])('%s', (_, peer, forwardedFor, ranges, expected) => {
    expect(clientAddress(peer, forwardedFor, ranges)).toBe(expected);
  });

  test('the context knows it', async () => {
    const { answer } = await ask({ query: '{ address }' }, { 'x-forwarded-for': '198.51.100.1' });
    expect(answer.data).toEqual({ address: '127.0.0.1' });
  });
});
