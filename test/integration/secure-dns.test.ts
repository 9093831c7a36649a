// Lookups that tell whether DNSSEC vouches for the answer, against a real name server.
import { createSocket } from 'node:dgram';
import { describe, expect, test } from 'vitest';
import { createSecureDns } from '#/runtime/secure-dns.ts';
import { startDnsServer } from '../support/dns-server.ts';

const NAME = '_25._tcp.mx.example';
const digest = (n: number) => n.toString(16).padStart(64, '0');

describe('no answer is a failure, and nothing else comes of it', () => {
  test.each([['SERVFAIL'], ['REFUSED'], ['hang']] as const)('%s', async (record) => {
    await using server = await startDnsServer({ [NAME]: record });
    const dns = createSecureDns({ servers: [server.address], timeoutMs: 100 });
    expect(await dns.tlsa(NAME)).toMatchObject({ kind: 'failed' });
    expect(server.queries(NAME)).toBe(2);
  });

  test('nobody listens', async () => {
    const dns = createSecureDns({ servers: ['127.0.0.1:1'], timeoutMs: 100 });
    expect(await dns.probe('mx.example', 'MX')).toMatchObject({ kind: 'failed' });
  });

  test('nonsense, and answers to other questions', async () => {
    const socket = createSocket('udp4');
    socket.on('message', (query, { port, address }) => {
      const other = Buffer.from(query);
      other.writeUInt16BE((other.readUInt16BE(0) + 1) & 0xffff, 0);
      other[2] = 0x80;
      for (const bytes of [Buffer.from('nonsense'), Buffer.alloc(0), other]) socket.send(bytes, port, address);
    });
    await new Promise<void>((done) => socket.bind(0, '127.0.0.1', done));
    const dns = createSecureDns({ servers: [`127.0.0.1:${socket.address().port}`], timeoutMs: 100 });
    expect(await dns.tlsa(NAME)).toEqual({ kind: 'failed', reason: 'no answer in time' });
    socket.close();
  });

  test.each([['a'.repeat(64)], ['a..b'], [`${'a.'.repeat(200)}b`]])(
    'a name that a packet cannot hold: %s',
    async (name) => {
      await using server = await startDnsServer({});
      const dns = createSecureDns({ servers: [server.address], timeoutMs: 200 });
      expect(await dns.tlsa(name)).toEqual({ kind: 'failed', reason: 'not a name' });
      expect(server.queries()).toBe(0);
    },
  );
});

describe('an answer', () => {
  test('is secure when the resolver says so', async () => {
    await using server = await startDnsServer({
      [NAME]: { TLSA: [`3 1 1 ${digest(1)}`], secure: true, ttl: 120 },
      '_25._tcp.plain.example': { TLSA: [`3 1 1 ${digest(1)}`] },
      'mx.example': { A: ['192.0.2.1'], secure: true },
    });
    const dns = createSecureDns({ servers: [server.address] });
    expect(await dns.tlsa(NAME)).toEqual({
      kind: 'records',
      records: [{ usage: 3, selector: 1, matchingType: 1, data: Buffer.from(digest(1), 'hex') }],
      secure: true,
      ttl: 120_000,
    });
    expect(await dns.tlsa('_25._tcp.plain.example')).toMatchObject({ kind: 'records', secure: false });
    expect(await dns.probe('mx.example', 'A')).toMatchObject({ kind: 'records', secure: true });
    expect(await dns.probe('mx.example', 'AAAA')).toMatchObject({ kind: 'none', secure: true });
    expect(await dns.probe('nowhere.example', 'A')).toMatchObject({ kind: 'none', secure: false });
  });

  test('that is cut off comes whole over TCP', async () => {
    const TLSA = Array.from({ length: 60 }, (_, n) => `3 1 1 ${digest(n)}`);
    await using server = await startDnsServer({ [NAME]: { TLSA, secure: true } });
    const answer = await createSecureDns({ servers: [server.address] }).tlsa(NAME);
    expect(answer).toMatchObject({ kind: 'records', secure: true });
    expect(answer.kind === 'records' && answer.records.length).toBe(60);
  });

  test('comes from the next server where the first has none', async () => {
    await using dead = await startDnsServer({ [NAME]: 'SERVFAIL' });
    await using server = await startDnsServer({ [NAME]: { TLSA: [`3 1 1 ${digest(1)}`], secure: true } });
    const dns = createSecureDns({ servers: [dead.address, server.address] });
    expect(await dns.tlsa(NAME)).toMatchObject({ kind: 'records' });
  });
});
