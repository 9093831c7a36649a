// Lookups for DANE: node's resolver does not tell whether an answer is secure, so these go out in packets of our own, to the
// same servers. The AD bit of the answer is taken at its word: whoever turns this on says that the resolver validates and
// that nobody stands between (VEREDUS_DNSSEC). UDP first, TCP for what is cut off; a resolver that is silent is asked twice.
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { getServers } from 'node:dns';
import { connect, isIPv6 } from 'node:net';
import {
  type Answer,
  AUTHENTIC_DATA,
  type Decoded,
  decode,
  DNSSEC_OK,
  encode,
  type Packet,
  RECURSION_DESIRED,
} from 'dns-packet';
import type { SecureAnswer, SecureDns } from './ports.ts';

const TRY_MS = 1_500;
const TRIES = 2;
/** DNS Flag Day 2020: what no path breaks into fragments. */
const UDP_PAYLOAD = 1_232;
const MAX_TCP_ANSWER = 65_535;
/** As runtime/dns.ts has it. */
const TTL = { floor: 30_000, ceiling: 3_600_000, unknown: 300_000 } as const;

export interface SecureDnsOptions {
  /** As `createDns` takes them. */
  readonly servers?: readonly string[];
  /** Of one try. */
  readonly timeoutMs?: number;
}

interface Server {
  readonly address: string;
  readonly port: number;
}

interface Question {
  readonly query: Packet;
  readonly bytes: Buffer;
}

export function createSecureDns(options: SecureDnsOptions = {}): SecureDns {
  const named = options.servers ?? [];
  const servers = (named.length > 0 ? named : getServers()).map(serverOf);
  const timeoutMs = options.timeoutMs ?? TRY_MS;

  const ask = async (name: string, type: string): Promise<Decoded | string> => {
    let failure = 'no resolver is known';
    for (let round = 0; round < TRIES; round++) {
      for (const server of servers) {
        try {
          const response = await exchange(server, name, type, timeoutMs);
          // Another resolver may be able to say what this one cannot.
          if (response.rcode === 'NOERROR' || response.rcode === 'NXDOMAIN') return response;
          failure = response.rcode;
        } catch (error) {
          failure = error instanceof Error ? error.message : String(error);
        }
      }
    }
    return failure;
  };

  const lookUp = async <T>(name: string, type: string, read: (answer: Answer) => T[]): Promise<SecureAnswer<T>> => {
    // The encoder would write another name, or a broken packet.
    if (!isName(name)) return { kind: 'failed', reason: 'not a name' };
    const response = await ask(name, type);
    if (typeof response === 'string') return { kind: 'failed', reason: response };
    const secure = response.flag_ad;
    const records = response.answers.flatMap((answer) => (answer.type === type ? read(answer) : []));
    if (records.length === 0) return { kind: 'none', secure, ttl: TTL.unknown };
    // Behind a CNAME the shortest-lived link counts.
    const ttl = Math.min(...response.answers.map((answer) => answer.ttl)) * 1_000;
    return { kind: 'records', records, secure, ttl: Math.min(Math.max(ttl, TTL.floor), TTL.ceiling) };
  };

  return {
    tlsa: (name) =>
      lookUp(name, 'TLSA', (answer) => {
        if (answer.type !== 'TLSA') return [];
        const { usage, selector, matchingType, certificate } = answer.data;
        return [{ usage, selector, matchingType, data: Buffer.from(certificate) }];
      }),
    probe: (name, type) => lookUp(name, type, () => [null]),
  };
}

/** RFC 1035 §2.3.4. */
function isName(name: string): boolean {
  return name.length <= 253 && /^(?:[\x21-\x2d\x2f-\x7e]{1,63}(?:\.|$))+$/.test(name) && !name.endsWith('.');
}

/** `address`, `address:port` or `[address]:port`, as node:dns takes and gives them. */
function serverOf(text: string): Server {
  const [, inBrackets, afterBrackets] = /^\[(.+)\](?::(\d+))?$/.exec(text) ?? [];
  if (inBrackets !== undefined) return { address: inBrackets, port: Number(afterBrackets ?? 53) };
  if (isIPv6(text)) return { address: text, port: 53 };
  const [address = '', port = '53'] = text.split(':');
  return { address, port: Number(port) };
}

async function exchange(server: Server, name: string, type: string, timeoutMs: number): Promise<Decoded> {
  const query: Packet = {
    type: 'query',
    id: randomInt(65_536),
    // RFC 6840 §5.7: with AD in the query, the answer has it where it is deserved.
    flags: RECURSION_DESIRED | AUTHENTIC_DATA,
    questions: [{ type, name, class: 'IN' }],
    additionals: [{ type: 'OPT', name: '.', udpPayloadSize: UDP_PAYLOAD, flags: DNSSEC_OK }],
  };
  const bytes = encode(query);
  const signal = AbortSignal.timeout(timeoutMs);
  const answer = await overUdp(server, { query, bytes }, signal);
  return answer.flag_tc ? overTcp(server, { query, bytes }, signal) : answer;
}

/** From a port of its own and connected, so that only the server's own packets come in; others' ids and names are passed over. */
function overUdp(server: Server, { query, bytes }: Question, signal: AbortSignal): Promise<Decoded> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(isIPv6(server.address) ? 'udp6' : 'udp4');
    let ended = false;
    const end = (settle: () => void) => {
      if (ended) return;
      ended = true;
      signal.removeEventListener('abort', silent);
      socket.close();
      settle();
    };
    const silent = () => end(() => reject(new Error('no answer in time')));
    const fail = (error: Error) => end(() => reject(error));
    signal.addEventListener('abort', silent, { once: true });
    socket.on('error', fail);
    socket.on('message', (message) => {
      const answer = answerTo(query, message);
      if (answer !== null) end(() => resolve(answer));
    });
    // node's types do not tell that the callback gets the error in place of the listener.
    socket.connect(server.port, server.address, (error?: Error) => {
      if (error !== undefined && error !== null) fail(error);
      else if (!ended) socket.send(bytes);
    });
  });
}

function overTcp(server: Server, { query, bytes }: Question, signal: AbortSignal): Promise<Decoded> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: server.address, port: server.port, signal });
    const length = Buffer.alloc(2);
    length.writeUInt16BE(bytes.length);
    let read = Buffer.alloc(0);
    const end = (settle: () => void) => {
      socket.destroy();
      settle();
    };
    socket.on('error', (error) => end(() => reject(error)));
    socket.once('close', () => reject(new Error('the connection was closed')));
    socket.on('data', (chunk) => {
      read = Buffer.concat([read, chunk]);
      const due = read.length < 2 ? MAX_TCP_ANSWER : 2 + read.readUInt16BE(0);
      if (read.length < due) return;
      const answer = answerTo(query, read.subarray(2, due));
      end(() => (answer === null ? reject(new Error('an answer to something else')) : resolve(answer)));
    });
    socket.write(Buffer.concat([length, bytes]));
  });
}

/** Null: none to this query. */
function answerTo(query: Packet, bytes: Buffer): Decoded | null {
  try {
    const answer = decode(bytes);
    const [asked] = query.questions;
    const [echoed] = answer.questions;
    const same = echoed?.type === asked?.type && echoed?.name.toLowerCase() === asked?.name.toLowerCase();
    return answer.type === 'response' && answer.id === query.id && same ? answer : null;
  } catch {
    return null;
  }
}
