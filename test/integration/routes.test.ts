// Where mail goes by the word of DNS, and where it does not: on a real resolver and a DNS server that a test scripts.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Destination, inTurn, type Route, type RouteSettings, routeFor, targetsOf } from '#/delivery/route.ts';
import type { SourceMember } from '#/delivery/way.ts';
import { systemClock } from '#/runtime/clock.ts';
import { createDns } from '#/runtime/dns.ts';
import type { Dns } from '#/runtime/ports.ts';
import { type DnsServer, type DnsZone, startDnsServer } from '../support/dns-server.ts';

const hosts = (names: readonly string[], address = '93.184.215.7'): DnsZone =>
  Object.fromEntries(names.map((name) => [name, { A: [address] }]));
const many = Array.from({ length: 30 }, (_, n) => `m${n}.example`);

const zone: DnsZone = {
  ...hosts(['a.example', 'b.example', 'c.example', 'us.example', 'plain.example', ...many]),
  'ordered.example': { MX: ['20 b.example', '10 a.example', '20 c.example'] },
  'broken.example': 'SERVFAIL',
  'refused.example': 'REFUSED',
  'silent.example': 'hang',
  'gone.example': 'NXDOMAIN',
  'null.example': { MX: ['0 .'] },
  'literal.example': { MX: ['10 93.184.215.9'] },
  'alias.example': { MX: ['10 alias-of-a.example'] },
  'alias-of-a.example': { CNAME: 'a.example' },
  'aliased-domain.example': { CNAME: 'plain.example' },
  'private.example': { MX: ['10 inside.example'] },
  'inside.example': {
    A: ['127.0.0.1', '169.254.169.254', '10.1.2.3', '192.168.0.1', '100.64.0.1', '0.0.0.0'],
    AAAA: ['::1', 'fd00::1', 'fe80::1', '::ffff:127.0.0.1'],
  },
  'half-private.example': { MX: ['10 both.example'] },
  'both.example': { A: ['127.0.0.1', '93.184.215.7'] },
  'localhost.example': { MX: ['10 localhost'] },
  'loop.example': { MX: ['10 a.example', '20 us.example', '30 b.example'] },
  'only-us.example': { MX: ['10 us.example'] },
  'our-address.example': { MX: ['10 ours.example'] },
  'ours.example': { A: ['93.184.215.200'] },
  'many.example': { MX: many.map((name) => `10 ${name}`) },
  'shuffled.example': { MX: many.toReversed().map((name) => `10 ${name}`) },
  'twice.example': { MX: ['10 a.example', '20 b.example', '30 a.example', '10 A.example'] },
  'six.example': {
    AAAA: Array.from({ length: 9 }, (_, n) => `2001:db8::${n + 1}`),
    A: ['93.184.215.7', '93.184.215.8'],
  },
  'no-address.example': { MX: ['10 empty.example'] },
  'empty.example': { TXT: ['nothing'] },
};

const settings: RouteSettings = {
  outbound: { kind: 'mx', port: 25 },
  heloName: 'us.example',
  mxPort: 25,
  allowPrivateNetworks: false,
  allowMxAliases: false,
  ourselves: { hosts: new Set(['us.example']), addresses: new Set(['93.184.215.200']) },
};

let server: DnsServer;
let dns: Dns;
beforeAll(async () => {
  server = await startDnsServer(zone);
  dns = createDns({ servers: [server.address], timeoutMs: 100, clock: systemClock });
});
afterAll(() => server.close());

const route = (domain: string, changes: Partial<RouteSettings> = {}): Promise<Route> =>
  routeFor(domain, null, { ...settings, ...changes }, dns);

async function destination(domain: string, changes: Partial<RouteSettings> = {}): Promise<Destination> {
  const found = await route(domain, changes);
  if (found.kind !== 'destination') throw new Error(`${domain}: ${found.kind}`);
  return found;
}

async function targets(domain: string, changes: Partial<RouteSettings> = {}) {
  const to = await destination(domain, changes);
  const [host = ''] = to.hosts;
  const found = await targetsOf(host, to, { ...settings, ...changes }, dns);
  return { addresses: found.targets.map(({ address }) => address), reason: found.reason };
}

describe('a route', () => {
  test.each(['broken.example', 'refused.example', 'silent.example'])(
    '%s: an MX lookup that fails defers, and never falls to the address',
    async (domain) => {
      expect(await route(domain)).toMatchObject({ kind: 'unresolved' });
      expect(server.queries(domain, 'A')).toBe(0);
    },
  );

  test('is refused for good where the domain is not, or says that it takes no mail', async () => {
    expect(await route('gone.example')).toMatchObject({ kind: 'refused', enhancedCode: '5.1.2' });
    expect(await route('empty.example')).toMatchObject({ kind: 'refused', enhancedCode: '5.4.4' });
    expect(await route('null.example')).toMatchObject({ kind: 'refused', enhancedCode: '5.1.10' });
  });

  test('goes by preference, and where there is no MX to the domain itself', async () => {
    const { tiers } = await destination('ordered.example');
    expect(tiers).toEqual([['a.example'], ['b.example', 'c.example']]);
    expect((await destination('plain.example')).hosts).toEqual(['plain.example']);
  });

  test('draws lots among equals, each dial anew', () => {
    const orders = [0.2, 0.8].map((first) => {
      const lots = [first, 0.5];
      return inTurn([['a'], ['b', 'c'], ['d']], () => lots.shift() ?? 0);
    });
    expect(orders).toEqual([
      ['a', 'b', 'c', 'd'],
      ['a', 'c', 'b', 'd'],
    ]);
  });

  test('has each exchanger once, and the same name however DNS orders them', async () => {
    expect((await destination('twice.example')).tiers).toEqual([['a.example'], ['b.example']]);
    expect((await destination('many.example')).key).toBe((await destination('shuffled.example')).key);
  });

  test('is unknown where the exchanger is an address', async () => {
    expect(await route('literal.example')).toMatchObject({ kind: 'unresolved' });
  });

  test('has at most ten hosts', async () => {
    expect((await destination('many.example')).hosts).toHaveLength(10);
  });

  test('leads only to exchangers that are preferred to ourselves', async () => {
    expect((await destination('loop.example')).hosts).toEqual(['a.example']);
    expect(await route('only-us.example')).toMatchObject({
      kind: 'unresolved',
      reason: expect.stringContaining('loop'),
    });
    const nobody = { ourselves: { hosts: new Set<string>(), addresses: new Set<string>() } };
    expect((await destination('only-us.example', nobody)).hosts).toEqual(['us.example']);
  });

  test('from another source shares no connection', async () => {
    const via = (key: string): SourceMember => {
      const source = { key, ipv4: key, ipv6: null, heloName: 'us.example' };
      return { kind: 'MX', transport: 't', version: '', subject: `source:${key}`, priority: 0, weight: 1, source };
    };
    const keyOf = async (member: SourceMember | null) => {
      const found = await routeFor('plain.example', member, settings, dns);
      return found.kind === 'destination' ? found.key : '';
    };
    const keys = await Promise.all([null, via('192.0.2.1'), via('192.0.2.2')].map(keyOf));
    expect(new Set(keys).size).toBe(3);
  });
});

describe('a host', () => {
  test('that is an alias is not dialled as a mail exchanger, unless that is allowed', async () => {
    const refused = await targets('alias.example');
    expect(refused.addresses).toEqual([]);
    expect(refused.reason).toContain('alias');
    expect((await targets('alias.example', { allowMxAliases: true })).addresses).toEqual(['93.184.215.7']);
  });

  test('without MX may be an alias: the record forbids it, not the domain', async () => {
    expect((await targets('aliased-domain.example')).addresses).toEqual(['93.184.215.7']);
  });

  test('in our own network is not dialled, unless that is allowed', async () => {
    const refused = await targets('private.example');
    expect(refused.addresses).toEqual([]);
    expect(refused.reason).toContain('no public address');
    expect((await targets('half-private.example')).addresses).toEqual(['93.184.215.7']);
    expect((await targets('localhost.example')).addresses).toEqual([]);
    expect((await targets('half-private.example', { allowPrivateNetworks: true })).addresses).toContain('127.0.0.1');
  });

  test('at an address of this node is not dialled', async () => {
    const refused = await targets('our-address.example');
    expect(refused.addresses).toEqual([]);
    expect(refused.reason).toContain('loop');
  });

  test('has all its addresses, IPv6 first, and many of one family do not hide the other', async () => {
    const { addresses } = await targets('six.example', { allowPrivateNetworks: true });
    expect(addresses).toHaveLength(6);
    expect(addresses.slice(0, 4).every((address) => address.includes(':'))).toBe(true);
    expect(addresses.slice(4)).toEqual(['93.184.215.7', '93.184.215.8']);
  });

  test('without an address says so', async () => {
    expect(await targets('no-address.example')).toEqual({ addresses: [], reason: 'empty.example has no address' });
  });
});
