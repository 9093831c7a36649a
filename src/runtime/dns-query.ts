// DNS in packets of our own, for what node's resolver does not tell: whether an answer is secure, and how long it may be
// kept. To the same servers as node's. UDP first, TCP for what is cut off; who is silent or fails is asked again.
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { getServers } from 'node:dns';
import { connect, isIPv6 } from 'node:net';
import { AUTHENTIC_DATA, type Decoded, decode, DNSSEC_OK, encode, type Packet, RECURSION_DESIRED } from 'dns-packet';

/** DNS Flag Day 2020: what no path breaks into fragments. */
const UDP_PAYLOAD = 1_232;
const MAX_TCP_ANSWER = 65_535;
/** Why there is no answer, where nobody said anything. */
export const SILENCE = 'no answer in time';

export interface QueryOptions {
  /** As `createDns` takes them. */
  readonly servers: readonly string[];
  /** Of one try. */
  readonly timeoutMs: number;
  readonly tries: number;
  /** The AD bit is asked for. */
  readonly secure: boolean;
}

/** Answers with what some server said (NOERROR or NXDOMAIN), or why none did: a response code, or words. */
export type Query = (name: string, type: string) => Promise<Decoded | string>;

interface Server {
  readonly address: string;
  readonly port: number;
}

interface Question {
  readonly query: Packet;
  readonly bytes: Buffer;
}

export function createQuery({ servers: named, timeoutMs, tries, secure }: QueryOptions): Query {
  const servers = (named.length > 0 ? named : getServers()).map(serverOf);
  return async (name, type) => {
    let failure = 'no resolver is known';
    for (let round = 0; round < tries; round++) {
      for (const server of servers) {
        try {
          const response = await exchange(server, { name, type, secure }, timeoutMs);
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
}

/** RFC 1035 §2.3.4; the encoder would write another name, or a broken packet. */
export function isEncodable(name: string): boolean {
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

interface Asked {
  readonly name: string;
  readonly type: string;
  readonly secure: boolean;
}

async function exchange(server: Server, { name, type, secure }: Asked, timeoutMs: number): Promise<Decoded> {
  const query: Packet = {
    type: 'query',
    id: randomInt(65_536),
    // RFC 6840 §5.7: with AD in the query, the answer has it where it is deserved.
    flags: RECURSION_DESIRED | (secure ? AUTHENTIC_DATA : 0),
    questions: [{ type, name, class: 'IN' }],
    additionals: [{ type: 'OPT', name: '.', udpPayloadSize: UDP_PAYLOAD, flags: secure ? DNSSEC_OK : 0 }],
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
    const silent = () => end(() => reject(new Error(SILENCE)));
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
