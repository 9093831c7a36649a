// Delivery to many domains directly: a DNS zone in which each domain has a mail exchanger of its own, all of them one
// sink that answers each command after a while.
import { type DnsZone, startDnsServer } from '../test/support/dns-server.ts';
import { bodiesOf, domainName } from './batch.ts';
import { settle } from './database.ts';
import { relayRun, type RelayRun } from './relay-run.ts';
import type { Context } from './scenario.ts';
import { startServing } from './serving.ts';
import { startSlowSink } from './sink.ts';

const BYTES = 5_120;
const PER_REQUEST = 500;

export async function domainRuns(
  context: Context,
  options: { readonly domains: number; readonly delayMs: number; readonly messages: number },
): Promise<readonly RelayRun[]> {
  const { domains, delayMs, messages } = options;
  await using dns = await startDnsServer(zoneOf(domains));
  await using sink = await startSlowSink(delayMs);
  await using serving = await startServing(context, {
    settings: {
      VEREDUS_OUTBOUND: 'mx',
      VEREDUS_MX_PORT: String(sink.port),
      VEREDUS_DNS_SERVERS: dns.address,
      VEREDUS_ALLOW_PRIVATE_NETWORKS: 'true',
      VEREDUS_SIGNING: 'off',
    },
  });
  const bodies = bodiesOf(BYTES, PER_REQUEST, domains);
  const runs: RelayRun[] = [];
  await relayRun(serving, sink, { run: 'warm-up', first: 0, messages: Math.max(messages / 2, 2_000), bodies });
  for (let run = 1; run <= context.runs; run++) {
    await settle(serving.connectionString);
    runs.push(await relayRun(serving, sink, { run: `domains-${run}`, first: run * 10_000_000, messages, bodies }));
    context.say(`${domains} domains, ${delayMs} ms, ${run}: ${Math.round(runs.at(-1)?.delivered ?? 0)}/s`);
  }
  return runs;
}

function zoneOf(domains: number): DnsZone {
  const zone: Record<string, DnsZone[string]> = {};
  for (let number = 0; number < domains; number++) {
    const name = domainName(number);
    zone[name] = { MX: [`10 mx.${name}`], ttl: 3_600 };
    zone[`mx.${name}`] = { A: ['127.0.0.1'], ttl: 3_600 };
  }
  return zone;
}
