// The mail exchangers of a domain, with the time for which the answer holds: node's resolver does not tell it for MX, nor for
// answers that say no.
import type { Decoded } from 'dns-packet';
import { isEncodable, type Query, SILENCE } from './dns-query.ts';
import type { MxAnswer } from './ports.ts';

/** Longer chains than this are mistakes or loops; resolvers give up at about as many. */
const MAX_HOPS = 8;

/** `ttl` in seconds; null: the answer does not say. */
export interface TimedMx {
  readonly answer: MxAnswer;
  readonly ttl: number | null;
}

export async function lookUpMx(query: Query, domain: string): Promise<TimedMx> {
  const ttls: number[] = [];
  let name = domain.replace(/\.$/, '');
  for (let hop = 0; hop <= MAX_HOPS; hop++) {
    if (!isEncodable(name)) return { answer: { kind: 'no-such-domain' }, ttl: null };
    const response = await query(name, 'MX');
    if (typeof response === 'string') return failed(codeOf(response));
    ttls.push(...response.answers.map(({ ttl }) => ttl));
    const answer = answerOf(response);
    const end = endOfChain(response, name);
    if (end === null) return failed('ELOOP');
    // An authoritative server gives an alias alone; of a resolver's answer this asks about the end of the chain once more.
    if (answer.kind === 'none' && end !== name) name = end;
    else return { answer, ttl: shortest([...ttls, ...(answer.kind === 'hosts' ? [] : negativeTtls(response))]) };
  }
  return failed('ELOOP');
}

function answerOf({ rcode, answers }: Decoded): MxAnswer {
  const records = answers.flatMap((answer) => (answer.type === 'MX' ? [answer.data] : []));
  const hosts = records
    .filter(({ exchange }) => exchange !== '' && exchange !== '.')
    .map(({ exchange, preference }) => ({ exchange: plain(exchange), preference }))
    .toSorted((left, right) => left.preference - right.preference);
  // RFC 7505 §3: a null MX stands alone; beside others it means nothing.
  if (hosts.length > 0) return { kind: 'hosts', hosts };
  if (rcode === 'NXDOMAIN') return { kind: 'no-such-domain' };
  return { kind: records.length > 0 ? 'null-mx' : 'none' };
}

/** What no host is called by is shown as such, and leads nowhere. */
function plain(name: string): string {
  return name
    .toLowerCase()
    .replace(/\.$/, '')
    .replace(/[^\x21-\x7e]/g, '?');
}

/** Null: it leads in a circle. */
function endOfChain({ answers }: Decoded, name: string): string | null {
  const aliases = new Map(
    answers.flatMap((answer) => (answer.type === 'CNAME' ? [[plain(answer.name), plain(answer.data)] as const] : [])),
  );
  const seen = new Set<string>();
  let at = plain(name);
  for (let next = aliases.get(at); next !== undefined; next = aliases.get(at)) {
    if (seen.has(at)) return null;
    seen.add(at);
    at = next;
  }
  return at === plain(name) ? name : at;
}

/** RFC 2308 §5. */
function negativeTtls({ authorities }: Decoded): number[] {
  return authorities.flatMap((record) => (record.type === 'SOA' ? [record.ttl, record.data.minimum] : []));
}

const shortest = (ttls: readonly number[]) => (ttls.length === 0 ? null : Math.min(...ttls));
const failed = (reason: string): TimedMx => ({ answer: { kind: 'failed', reason }, ttl: null });

/** As node names the same. */
function codeOf(failure: string): string {
  if (failure === SILENCE) return 'ETIMEOUT';
  return /^[A-Z]+$/.test(failure) ? `E${failure}` : failure;
}
