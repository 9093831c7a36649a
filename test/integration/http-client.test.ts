// Calls to where strangers say: what must not be connected to, and answers that never end.
import { createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '#/runtime/clock.ts';
import { createDns } from '#/runtime/dns.ts';
import { createHttpClient } from '#/runtime/http-client.ts';
import type { AddressAnswer } from '#/runtime/ports.ts';
import { startDnsServer } from '../support/dns-server.ts';
import { startSink, type WebhookSink } from '../support/webhook-sink.ts';
import { atMost } from '../support/time-taken.ts';

let sink: WebhookSink;
beforeEach(async () => {
  sink = await startSink();
});
afterEach(() => sink[Symbol.asyncDispose]());

/** Answers of DNS one after the other; the last stays. */
function dnsOf(...answers: AddressAnswer[]) {
  const asked: string[] = [];
  return {
    asked,
    addresses: async (host: string): Promise<AddressAnswer> => {
      asked.push(host);
      return (answers.length > 1 ? answers.shift() : answers[0]) ?? { kind: 'none' };
    },
  };
}
const at = (...addresses: string[]): AddressAnswer => ({ kind: 'addresses', addresses });
const client = (dns: ReturnType<typeof dnsOf>, more: { allowPrivateNetworks?: boolean; timeoutMs?: number } = {}) =>
  createHttpClient({ dns, clock: systemClock, allowPrivateNetworks: false, timeoutMs: 500, ...more });
const open = (timeoutMs = 500) => client(dnsOf(at('127.0.0.1')), { allowPrivateNetworks: true, timeoutMs });
const request = (url: string) => ({ method: 'POST', url, headers: { 'x-a': '1' }, body: '{}' }) as const;

describe('a private network', () => {
  test.each([
    ['loopback', at('127.0.0.1')],
    ['a private address', at('10.0.0.5')],
    ['the metadata service', at('169.254.169.254')],
    ['a mapped address', at('::ffff:127.0.0.1')],
    ['a shared address', at('100.64.1.1')],
    ['a unique local address', at('fd00::1')],
    ['NAT64 of a private address', at('64:ff9b::a00:1')],
    ['a public address and a private one', at('93.184.216.34', '192.168.0.1')],
  ])('is not reached by a name that leads to %s', async (_what, answer) => {
    await using http = client(dnsOf(answer));
    const url = `https://hooks.example:8443/`;
    expect(await http.flawOf(url)).toBe('leads into a private network');
    expect(await http.send(request(url))).toMatchObject({
      status: null,
      error: 'the host leads into a private network',
    });
  });

  test('is not reached by a name that leads elsewhere when it is checked and there when it is called', async () => {
    const dns = dnsOf(at('93.184.216.34'), at('127.0.0.1'));
    await using http = client(dns);
    const url = `https://rebind.example:8443/`;
    expect(await http.flawOf(url)).toBeNull();
    expect(await http.send(request(url))).toMatchObject({
      status: null,
      error: 'the host leads into a private network',
    });
    expect(dns.asked).toHaveLength(2);
  });

  test('is not reached through real DNS with a lifetime of 0 that flips between two calls', async () => {
    await using server = await startDnsServer({ 'flip.example': { A: ['93.184.216.34'], ttl: 0 } });
    let now = 0;
    const clock = { ...systemClock, monotonic: () => now };
    const dns = createDns({ servers: [server.address], clock });
    await using http = createHttpClient({ dns, clock: systemClock, allowPrivateNetworks: false, timeoutMs: 500 });
    expect(await http.flawOf('https://flip.example/')).toBeNull();
    server.set({ 'flip.example': { A: ['127.0.0.1'], ttl: 0 } });
    now += 60_000;
    expect(await http.send(request('https://flip.example/'))).toMatchObject({
      error: 'the host leads into a private network',
    });
  });

  test.each([
    'https://127.0.0.1/',
    'https://2130706433/',
    'https://[::1]/',
    'https://localhost/',
    'http://hooks.example/',
  ])('is not reached by %s, whatever its caller checked before', async (url) => {
    const dns = dnsOf(at('93.184.216.34'));
    await using http = client(dns);
    expect((await http.send(request(url))).error).toMatch(/^the URL /);
    expect(dns.asked).toEqual([]);
  });

  test('is where a connection goes when it is allowed: to the address that DNS gave', async () => {
    const dns = dnsOf(at('127.0.0.1'));
    await using http = client(dns, { allowPrivateNetworks: true });
    const result = await http.send(request(`http://anything.example:${sink.port}/hook`));
    expect(result).toMatchObject({ status: 204, error: null });
    expect(sink.received[0]?.headers['host']).toBe(`anything.example:${sink.port}`);
    expect(dns.asked).toEqual(['anything.example']);
  });
});

describe('answers', () => {
  test('a redirect is an answer: it is not followed', async () => {
    const target = await startSink();
    sink.answer({ status: 301, headers: { location: target.url } });
    await using http = open();
    expect(await http.send(request(sink.url))).toMatchObject({ status: 301 });
    expect(target.connections).toBe(0);
    await target[Symbol.asyncDispose]();
  });

  test('a Retry-After that is said twice counts once', async () => {
    const server = createServer((socket) => {
      socket
        .on('error', () => undefined)
        .once('data', () => {
          socket.end('HTTP/1.1 503 No\r\nRetry-After: 7\r\nRetry-After: 9\r\nContent-Length: 0\r\n\r\n');
        });
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const address = server.address();
    const port = address !== null && typeof address === 'object' ? address.port : 0;
    await using http = open();
    const result = await http.send(request(`http://127.0.0.1:${port}/`));
    expect(result).toMatchObject({ status: 503, retryAfter: '7' });
    await new Promise<void>((done) => server.close(() => done()));
  });

  test('of a long body only the beginning is read and kept', async () => {
    sink.answer({ status: 200, body: Buffer.alloc(20 * 1024 * 1024, 'a') });
    await using http = open(5_000);
    const { status, head } = await http.send(request(sink.url));
    expect(status).toBe(200);
    expect(head).toBe('a'.repeat(1_000));
  });

  test('control characters and broken text do not get through', async () => {
    sink.answer({ status: 200, body: Buffer.from([0x41, 0x00, 0x1b, 0x5b, 0xff, 0x0a, 0x42]) });
    await using http = open();
    expect((await http.send(request(sink.url))).head).toBe('A[�\nB');
  });

  test('none in time is a failure, and a body that never ends is not', async () => {
    await using http = open(300);
    sink.answer('hang');
    const started = performance.now();
    expect(await http.send(request(sink.url))).toMatchObject({ status: null, error: 'no answer within 0.3 s' });
    expect(performance.now() - started).toBeLessThan(atMost(2_000));
    sink.answer('drip');
    expect(await http.send(request(sink.url))).toMatchObject({ status: 200 });
  });

  test('a name server or a peer that hangs costs no more than the time of a call', async () => {
    const silent = createServer((socket) => void socket.on('error', () => undefined).resume());
    await new Promise<void>((done) => silent.listen(0, '127.0.0.1', done));
    const address = silent.address();
    const port = address !== null && typeof address === 'object' ? address.port : 0;
    await using http = open(300);
    expect(await http.send(request(`https://127.0.0.1:${port}/`))).toMatchObject({ status: null });
    await new Promise<void>((done) => silent.close(() => done()));

    const hanging = { addresses: () => new Promise<AddressAnswer>(() => undefined) };
    await using waiting = createHttpClient({
      dns: hanging,
      clock: systemClock,
      allowPrivateNetworks: false,
      timeoutMs: 300,
    });
    expect(await waiting.send(request('https://hooks.example/'))).toMatchObject({
      error: expect.stringMatching(/^no (answer|connection)/),
    });
  });

  test('failures have words, and give away nothing of the address', async () => {
    await using http = open();
    sink.answer('reset');
    expect((await http.send(request(sink.url))).error).toBe('the connection was closed before an answer came');
    const gone = await startSink();
    await gone[Symbol.asyncDispose]();
    expect((await http.send(request(gone.url))).error).toBe('the connection was refused');
    await using nowhere = client(dnsOf({ kind: 'failed', reason: 'ESERVFAIL' }));
    expect((await nowhere.send(request('https://hooks.example/'))).error).toBe('DNS lookup failed: ESERVFAIL');
    expect(await nowhere.flawOf('https://hooks.example/')).toBeNull();
  });

  test('connections are used again, and calls of one origin do not stand in line', async () => {
    await using http = open();
    for (let call = 0; call < 20; call++) await http.send(request(sink.url));
    // The answer may be here a moment before its connection is free again.
    expect(sink.connections).toBeLessThan(4);
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    sink.answer(() => held.then(() => 200));
    const calls = Array.from({ length: 30 }, () => http.send(request(sink.url)));
    while (sink.open < 30) await systemClock.sleep(2);
    release();
    expect((await Promise.all(calls)).every(({ status }) => status === 200)).toBe(true);
  });
});
