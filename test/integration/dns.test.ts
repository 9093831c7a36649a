// DNS answers as delivery must understand them, from a scripted server.

import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { createDns } from '#/runtime/dns.ts';
import type { Dns } from '#/runtime/ports.ts';
import { startDnsServer } from '../support/dns-server.ts';
import { FakeClock } from '../support/fake-clock.ts';

const server = await startDnsServer();
afterAll(() => server.close());

let clock: FakeClock;
let dns: Dns;
let before: number;
beforeEach(() => {
  clock = new FakeClock();
  dns = createDns({ servers: [server.address], timeoutMs: 100, clock });
  before = server.queries();
  server.setZone({
    'two.example': { MX: ['20 Backup.two.example', '10 mx.two.example'] },
    'null.example': { MX: ['0 .'] },
    'mixed.example': { MX: ['0 .', '10 mx.two.example'] },
    'bare.example': { A: ['192.0.2.1'] },
    'broken.example': 'SERVFAIL',
    'refused.example': 'REFUSED',
    'silent.example': 'hang',
    'alias.example': { CNAME: 'two.example' },
    'both.example': { A: ['192.0.2.1', '192.0.2.2'], AAAA: ['2001:db8::1'], ttl: 120 },
    'four.example': { A: ['192.0.2.1'], ttl: 0 },
    'many.example': { MX: Array.from({ length: 80 }, (_, n) => `${n} mx${n}.a-rather-long-label.many.example`) },
  });
});

const asked = () => server.queries() - before;

describe('mx', () => {
  test.each([
    ['broken.example', 'ESERVFAIL'],
    ['refused.example', 'EREFUSED'],
    ['silent.example', 'ETIMEOUT'],
  ])('%s: failed, which says nothing about the domain', async (domain, reason) => {
    expect(await dns.mx(domain)).toEqual({ kind: 'failed', reason });
  });

  test('no server at all: failed', async () => {
    const gone = await startDnsServer();
    await gone.close();
    const lost = createDns({ servers: [gone.address], timeoutMs: 100, clock });
    expect(await lost.mx('two.example')).toMatchObject({ kind: 'failed' });
  });

  test('NXDOMAIN, NODATA and null MX are three different things', async () => {
    expect(await dns.mx('missing.example')).toEqual({ kind: 'no-such-domain' });
    expect(await dns.mx('bare.example')).toEqual({ kind: 'none' });
    expect(await dns.mx('null.example')).toEqual({ kind: 'null-mx' });
  });

  test.each(['a..example', `${'a'.repeat(64)}.example`, 'nul\0.example', 'spa ce.example', '', 'x'.repeat(300)])(
    'a name that cannot exist: %j',
    async (name) => {
      expect(await dns.mx(name)).toEqual({ kind: 'no-such-domain' });
      expect(asked()).toBe(0);
    },
  );

  test('hosts by preference, in small letters; a null MX among others does not count', async () => {
    expect(await dns.mx('two.example')).toEqual({
      kind: 'hosts',
      hosts: [
        { exchange: 'mx.two.example', preference: 10 },
        { exchange: 'backup.two.example', preference: 20 },
      ],
    });
    expect(await dns.mx('mixed.example')).toEqual({
      kind: 'hosts',
      hosts: [{ exchange: 'mx.two.example', preference: 10 }],
    });
  });

  test('of an alias: followed where the server does not, never in a circle, gone with its end', async () => {
    server.set({
      'curt.example': { CNAME: 'two.example', chase: false },
      'to-bare.example': { CNAME: 'bare.example' },
      'ring.example': { CNAME: 'gnir.example' },
      'gnir.example': { CNAME: 'ring.example', chase: false },
      'slow-ring.example': { CNAME: 'wols.example', chase: false },
      'wols.example': { CNAME: 'slow-ring.example', chase: false },
      'dangling.example': { CNAME: 'missing.example' },
    });
    expect(await dns.mx('two.example.')).toMatchObject({ kind: 'hosts' });
    expect(await dns.mx('curt.example')).toMatchObject({ kind: 'hosts', hosts: [{ preference: 10 }, {}] });
    expect(await dns.mx('to-bare.example')).toEqual({ kind: 'none' });
    expect(await dns.mx('ring.example')).toEqual({ kind: 'failed', reason: 'ELOOP' });
    expect(await dns.mx('slow-ring.example')).toEqual({ kind: 'failed', reason: 'ELOOP' });
    expect(await dns.mx('dangling.example')).toEqual({ kind: 'no-such-domain' });
  });

  test('through a CNAME, and over TCP where the answer is long', async () => {
    expect(await dns.mx('alias.example')).toMatchObject({
      kind: 'hosts',
      hosts: [{ preference: 10 }, { preference: 20 }],
    });
    const many = await dns.mx('many.example');
    expect(many.kind === 'hosts' && many.hosts.length).toBe(80);
  });
});

describe('addresses', () => {
  test('IPv6 before IPv4, whichever there are', async () => {
    expect(await dns.addresses('both.example')).toEqual({
      kind: 'addresses',
      addresses: ['2001:db8::1', '192.0.2.1', '192.0.2.2'],
    });
    expect(await dns.addresses('four.example')).toEqual({ kind: 'addresses', addresses: ['192.0.2.1'] });
  });

  test('none, and failed', async () => {
    expect(await dns.addresses('two.example')).toEqual({ kind: 'none' });
    expect(await dns.addresses('missing.example')).toEqual({ kind: 'none' });
    expect(await dns.addresses('nul\0.example')).toEqual({ kind: 'none' });
    expect(await dns.addresses('broken.example')).toEqual({ kind: 'failed', reason: 'ESERVFAIL' });
  });

  test('an IP address is itself, and the hosts file does not count', async () => {
    expect(await dns.addresses('192.0.2.9')).toEqual({ kind: 'addresses', addresses: ['192.0.2.9'] });
    expect(await dns.addresses('::1')).toEqual({ kind: 'addresses', addresses: ['::1'] });
    expect(asked()).toBe(0);
    expect(await dns.addresses('localhost')).toEqual({ kind: 'none' });
  });
});

describe('txt and cname', () => {
  beforeEach(() => {
    server.set({
      'long.example': { TXT: [`v=DKIM1; p=${'x'.repeat(600)}`] },
      'texts.example': { TXT: ['one', 'two'] },
      'empty.example': { TXT: [''] },
      'first.example': { CNAME: 'second.example' },
      'second.example': { CNAME: 'long.example' },
      'curt.example': { CNAME: 'curt2.example', chase: false },
      'curt2.example': { CNAME: 'texts.example', chase: false },
      'dangling.example': { CNAME: 'missing.example' },
      'failing.example': { CNAME: 'broken.example', chase: false },
      'loop.example': { CNAME: 'pool.example' },
      'pool.example': { CNAME: 'loop.example' },
      'upper.example': { CNAME: 'Mail.Example' },
    });
  });

  test.each([
    ['broken.example', 'ESERVFAIL'],
    ['refused.example', 'EREFUSED'],
    ['silent.example', 'ETIMEOUT'],
    ['failing.example', 'ESERVFAIL'],
    ['loop.example', 'ELOOP'],
  ])('%s: failed, which says nothing about the name', async (name, reason) => {
    expect(await dns.txt(name)).toEqual({ kind: 'failed', reason });
    const known = name === 'failing.example' ? 'broken.example' : name;
    expect(await dns.cname(known)).toEqual({ kind: 'failed', reason });
  });

  test('a name without such a record, and a name that is not there, are two things', async () => {
    expect(await dns.txt('bare.example')).toEqual({ kind: 'none' });
    expect(await dns.cname('bare.example')).toEqual({ kind: 'none' });
    expect(await dns.txt('missing.example')).toEqual({ kind: 'no-such-name' });
    expect(await dns.cname('missing.example')).toEqual({ kind: 'no-such-name' });
    expect(await dns.txt('dangling.example')).toEqual({ kind: 'no-such-name' });
    expect(await dns.txt('nul\0.example')).toEqual({ kind: 'no-such-name' });
  });

  test('strings of one record are one text; records stay apart', async () => {
    expect(await dns.txt('long.example')).toEqual({ kind: 'texts', texts: [`v=DKIM1; p=${'x'.repeat(600)}`] });
    const answer = await dns.txt('texts.example');
    expect(answer.kind === 'texts' && answer.texts.toSorted()).toEqual(['one', 'two']);
    expect(await dns.txt('empty.example')).toEqual({ kind: 'texts', texts: [''] });
  });

  test('aliases are followed, also where only the first is answered', async () => {
    expect(await dns.txt('first.example')).toMatchObject({ kind: 'texts', texts: [expect.stringMatching(/^v=DKIM1/)] });
    expect(await dns.txt('curt.example')).toMatchObject({ kind: 'texts' });
    expect(await dns.cname('first.example')).toEqual({ kind: 'chain', names: ['second.example', 'long.example'] });
    expect(await dns.cname('dangling.example')).toEqual({ kind: 'chain', names: ['missing.example'] });
    expect(await dns.cname('upper.example')).toEqual({ kind: 'chain', names: ['mail.example'] });
  });

  test('nothing is kept: what was just published is seen', async () => {
    expect(await dns.txt('missing.example')).toEqual({ kind: 'no-such-name' });
    server.set({ 'missing.example': { TXT: ['here'] } });
    expect(await dns.txt('missing.example')).toEqual({ kind: 'texts', texts: ['here'] });
  });
});

describe('the cache', () => {
  test('asks once for many that wait, and not again while the answer is good', async () => {
    await Promise.all(Array.from({ length: 20 }, (_, n) => dns.mx(n % 2 === 0 ? 'two.example' : 'TWO.example')));
    await clock.advance(59_000);
    await dns.mx('two.example');
    expect(asked()).toBe(1);
    await clock.advance(2_000);
    await dns.mx('two.example');
    expect(asked()).toBe(2);
  });

  test('keeps addresses for their TTL, but not less than 30 s', async () => {
    await dns.addresses('both.example');
    await dns.addresses('four.example');
    const first = asked();
    await clock.advance(29_000);
    await dns.addresses('both.example');
    await dns.addresses('four.example');
    expect(asked()).toBe(first);
    await clock.advance(2_000);
    await dns.addresses('both.example');
    expect(asked()).toBe(first);
    await dns.addresses('four.example');
    expect(asked()).toBe(first + 2);
  });

  test.each([
    ['exchangers for their TTL', { MX: ['10 mx.two.example'], ttl: 900 }, 900],
    ['exchangers not less than 30 s', { MX: ['10 mx.two.example'], ttl: 0 }, 30],
    ['exchangers not longer than an hour', { MX: ['10 mx.two.example'], ttl: 200_000 }, 3_600],
    ['a null MX alike', { MX: ['0 .'], ttl: 900 }, 900],
    ['that there are none for as long as the zone says', { A: ['192.0.2.1'], negativeTtl: 120 }, 120],
    ['that there are none for five minutes where nothing is said', { A: ['192.0.2.1'] }, 300],
  ])('keeps %s', async (_what, records, seconds) => {
    server.set({ 'kept.example': records });
    await dns.mx('kept.example');
    await clock.advance(seconds * 1_000 - 1_000);
    await dns.mx('kept.example');
    expect(asked()).toBe(1);
    await clock.advance(2_000);
    await dns.mx('kept.example');
    expect(asked()).toBe(2);
  });

  test('keeps what is behind an alias for the shorter of the two', async () => {
    server.set({
      'kept.example': { CNAME: 'hosting.example', ttl: 60 },
      'hosting.example': { MX: ['10 mx.two.example'], ttl: 900 },
    });
    await dns.mx('kept.example');
    await clock.advance(61_000);
    await dns.mx('kept.example');
    expect(asked()).toBe(2);
  });

  test('forgets a failure after 15 s and sees the recovery', async () => {
    expect(await dns.mx('broken.example')).toMatchObject({ kind: 'failed' });
    server.set({ 'broken.example': { MX: ['5 mx.two.example'] } });
    await clock.advance(14_000);
    expect(await dns.mx('broken.example')).toMatchObject({ kind: 'failed' });
    await clock.advance(2_000);
    expect(await dns.mx('broken.example')).toMatchObject({ kind: 'hosts' });
  });

  test('holds no more than its limit', async () => {
    const small = createDns({ servers: [server.address], timeoutMs: 100, clock, cacheEntries: 2 });
    for (const name of ['two.example', 'null.example', 'bare.example', 'two.example']) await small.mx(name);
    expect(asked()).toBe(4);
    await small.mx('bare.example');
    expect(asked()).toBe(4);
  });
});
