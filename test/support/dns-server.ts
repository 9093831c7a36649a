// A DNS server on loopback (UDP and TCP on one port) whose zone a test writes and changes as it goes.

import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createServer, type Server, type Socket } from 'node:net';
import {
  type Answer,
  AUTHENTIC_DATA,
  decode,
  encode,
  type Packet,
  RECURSION_AVAILABLE,
  streamDecode,
  streamEncode,
  TRUNCATED_RESPONSE,
} from 'dns-packet';

export interface DnsRecords {
  readonly A?: readonly string[];
  readonly AAAA?: readonly string[];
  /** `['10 mx.example']`; a null MX is `['0 .']`. */
  readonly MX?: readonly string[];
  readonly TXT?: readonly string[];
  readonly CNAME?: string;
  readonly PTR?: string;
  /** `['3 1 1 <hex>']`. */
  readonly TLSA?: readonly string[];
  /** Answers about this name have the AD bit, as those of a validating resolver about a signed zone. */
  readonly secure?: boolean;
  /** Answers with the CNAME alone and leaves the rest to who asks, as an authoritative server does. */
  readonly chase?: false;
  /** Types that are answered with SERVFAIL. */
  readonly fails?: readonly string[];
  /** Seconds; 60 unless told. */
  readonly ttl?: number;
  /** Seconds for which it holds that there are no other records: an SOA record goes with such answers. */
  readonly negativeTtl?: number;
}

/** A name that is not in the zone gives NXDOMAIN; a name without records of the type asked for gives NODATA. */
export type DnsZone = Readonly<Record<string, DnsRecords | 'SERVFAIL' | 'REFUSED' | 'NXDOMAIN' | 'hang'>>;

export interface DnsServer extends AsyncDisposable {
  /** `host:port`, as `createDns` and VEREDUS_DNS_SERVERS take it. */
  readonly address: string;
  readonly port: number;
  /** Replaces the zone. */
  setZone(zone: DnsZone): void;
  /** Adds to the zone, or changes it, name by name. */
  set(changes: DnsZone): void;
  /** Queries so far, of one name and type or of all. */
  queries(name?: string, type?: string): number;
  close(): Promise<void>;
}

const codes = { SERVFAIL: 2, NXDOMAIN: 3, REFUSED: 5 } as const;
const MAX_UDP = 1_232;

export async function startDnsServer(zone: DnsZone = {}): Promise<DnsServer> {
  let current = zone;
  const counts = new Map<string, number>();
  const sockets = new Set<Socket>();

  function respond(query: Packet): Packet | null {
    const question = query.questions[0];
    if (question === undefined) return null;
    const key = `${question.name.toLowerCase()} ${question.type}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
    const name = question.name.toLowerCase();
    const { answers, code } = resolve(current, name, question.type);
    const records = current[name];
    const secure = typeof records === 'object' && records.secure === true && (query.flags & AUTHENTIC_DATA) !== 0;
    const flags = RECURSION_AVAILABLE | (secure ? AUTHENTIC_DATA : 0);
    return code === null
      ? null
      : {
          type: 'response',
          id: query.id,
          flags: flags | code,
          questions: query.questions,
          answers,
          authorities: authoritiesOf(records, name, answers),
        };
  }

  const tcp = createServer((socket) => {
    sockets.add(socket);
    let buffer = Buffer.alloc(0);
    socket.on('error', () => {}).once('close', () => sockets.delete(socket));
    socket.on('data', (chunk) => {
      buffer = Buffer.concat([buffer, chunk]);
      while (buffer.length >= 2 && buffer.length >= 2 + buffer.readUInt16BE(0)) {
        const end = 2 + buffer.readUInt16BE(0);
        const response = respond(streamDecode(buffer.subarray(0, end)));
        buffer = buffer.subarray(end);
        if (response !== null) socket.write(streamEncode(response));
      }
    });
  });
  const { udp, port } = await bindBoth(tcp);
  udp.on('message', (message, remote) => {
    const response = respond(decode(message));
    if (response === null) return;
    const bytes = encode(response);
    const cut =
      bytes.length > MAX_UDP ? encode({ ...response, flags: response.flags | TRUNCATED_RESPONSE, answers: [] }) : bytes;
    udp.send(cut, remote.port, remote.address);
  });

  const server: DnsServer = {
    address: `127.0.0.1:${port}`,
    port,
    setZone(next) {
      current = next;
    },
    set(changes) {
      current = { ...current, ...changes };
    },
    queries(name, type) {
      let total = 0;
      for (const [key, count] of counts) {
        const [of, kind] = key.split(' ');
        if ((name === undefined || name === of) && (type === undefined || type === kind)) total += count;
      }
      return total;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await Promise.all([
        new Promise<void>((done) => udp.close(done)),
        new Promise<void>((done) => tcp.close(() => done())),
      ]);
    },
    [Symbol.asyncDispose]: () => server.close(),
  };
  return server;
}

function authoritiesOf(records: DnsZone[string] | undefined, name: string, answers: readonly Answer[]): Answer[] {
  const minimum = typeof records === 'object' ? records.negativeTtl : undefined;
  if (minimum === undefined || answers.length > 0) return [];
  const times = { serial: 1, refresh: 3_600, retry: 600, expire: 86_400, minimum };
  return [{ name, type: 'SOA', ttl: 3_600, data: { mname: `ns.${name}`, rname: `hostmaster.${name}`, ...times } }];
}

/** `code` null: no response at all. */
function resolve(
  zone: DnsZone,
  name: string,
  type: string,
  hops = 0,
): { readonly answers: readonly Answer[]; readonly code: number | null } {
  const records = zone[name] ?? 'NXDOMAIN';
  if (records === 'hang') return { answers: [], code: null };
  if (typeof records === 'string') return { answers: [], code: codes[records] };
  if (records.fails?.includes(type) === true) return { answers: [], code: codes.SERVFAIL };
  const ttl = records.ttl ?? 60;
  if (records.CNAME !== undefined && type !== 'CNAME') {
    const alone = records.chase === false || hops > 12;
    const rest = alone ? { answers: [], code: 0 } : resolve(zone, records.CNAME, type, hops + 1);
    return { answers: [{ name, type: 'CNAME', ttl, data: records.CNAME }, ...rest.answers], code: rest.code };
  }
  return { answers: answersOf(records, name, type, ttl), code: 0 };
}

function answersOf(records: DnsRecords, name: string, type: string, ttl: number): readonly Answer[] {
  switch (type) {
    case 'A':
    case 'AAAA':
      return (records[type] ?? []).map((data) => ({ name, type, ttl, data }));
    case 'CNAME':
      return records.CNAME === undefined ? [] : [{ name, type, ttl, data: records.CNAME }];
    case 'PTR':
      return records.PTR === undefined ? [] : [{ name, type, ttl, data: records.PTR }];
    case 'TXT':
      // A character-string holds 255 bytes; longer texts are several, read as one.
      return (records.TXT ?? []).map((text) => ({ name, type, ttl, data: text.match(/[\s\S]{1,255}/g) ?? [''] }));
    case 'TLSA':
      return (records.TLSA ?? []).map((text) => {
        const [usage, selector, matchingType, hex = ''] = text.split(' ');
        const certificate = Buffer.from(hex, 'hex');
        const data = {
          usage: Number(usage),
          selector: Number(selector),
          matchingType: Number(matchingType),
          certificate,
        };
        return { name, type, ttl, data };
      });
    case 'MX':
      return (records.MX ?? []).map((text) => {
        const [preference = '0', exchange = '.'] = text.split(' ');
        return { name, type, ttl, data: { preference: Number(preference), exchange } };
      });
    default:
      return [];
  }
}

/** The system chooses the TCP port; the same UDP port may be taken, and then another is tried. */
async function bindBoth(tcp: Server): Promise<{ readonly udp: UdpSocket; readonly port: number }> {
  for (;;) {
    await new Promise<void>((done) => tcp.listen(0, '127.0.0.1', done));
    const address = tcp.address();
    if (address === null || typeof address === 'string') throw new TypeError('not listening on a port');
    const udp = createSocket('udp4');
    const bound = await new Promise<boolean>((done) => {
      udp.once('error', () => done(false));
      udp.bind(address.port, '127.0.0.1', () => done(true));
    });
    if (bound) return { udp, port: address.port };
    udp.close();
    await new Promise<void>((done) => tcp.close(() => done()));
  }
}
