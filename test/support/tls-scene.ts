// A receiver with everything that TLS policies are made of: its mail exchanger, its DNS, its policy host, and an authority
// that the sending side trusts.
import { createDns } from '#/runtime/dns.ts';
import { systemClock } from '#/runtime/clock.ts';
import type { Clock } from '#/runtime/ports.ts';
import { createTrust } from '#/runtime/trust.ts';
import { type DeliveryWorld, deliveryWorld } from './delivery-world.ts';
import { type FakeClock, turn } from './fake-clock.ts';
import { type DnsRecords, type DnsServer, type DnsZone, startDnsServer } from './dns-server.ts';
import { type PolicyServer, startPolicyServer, stsPolicy } from './policy-server.ts';
import { type PrivateCa, privateCa } from './private-ca.ts';
import { type PeerScript, type SmtpPeer, startSmtpPeer } from './smtp-peer.ts';

export interface TlsScene extends AsyncDisposable {
  readonly ca: PrivateCa;
  readonly dns: DnsServer;
  readonly peer: SmtpPeer;
  readonly policies: PolicyServer;
  readonly world: DeliveryWorld;
  /**
   * Those of the message that have ended, the last first, as soon as there are so many. A clock that is given goes on
   * while they are waited for: a worker that read the time just before it was moved sleeps until it moves again.
   */
  attempts(
    messageId: string,
    least?: number,
    clock?: FakeClock,
  ): Promise<
    readonly {
      readonly outcome: string | null;
      readonly remoteHost: string | null;
      readonly tls: string | null;
      readonly tlsVerification: string | null;
      readonly tlsPolicy: string | null;
      readonly response: string | null;
    }[]
  >;
}

/** Mail to `domain` goes to `hosts`, all of them the one peer. */
export function receiver(
  domain: string,
  hosts: readonly string[],
  more: Partial<Record<string, DnsRecords>> = {},
): DnsZone {
  const exchangers = hosts.map((host, index) => `${(index + 1) * 10} ${host}`);
  const addresses = hosts.map((host) => [host, { A: ['127.0.0.1'], ...more[host] }] as const);
  return { [domain]: { MX: exchangers, ...more[domain] }, ...Object.fromEntries(addresses) };
}

/** The domain says that it has a policy. */
export function withPolicy(domain: string, id: string): DnsZone {
  return { [`_mta-sts.${domain}`]: { TXT: [`v=STSv1; id=${id};`] }, [`mta-sts.${domain}`]: { A: ['127.0.0.1'] } };
}

export async function tlsScene(
  options: {
    readonly peer?: Partial<PeerScript>;
    readonly dane?: boolean;
    readonly reports?: boolean;
    readonly clock?: Clock;
    readonly policy?: string;
  } = {},
): Promise<TlsScene> {
  await using stack = new AsyncDisposableStack();
  const ca = privateCa();
  const dns = stack.use(await startDnsServer());
  const peer = stack.use(
    await startSmtpPeer({
      startTls: 'offer',
      certificate: ca.issue({ names: ['mx.receiver.example'] }),
      ...options.peer,
    }),
  );
  const policies = stack.use(
    await startPolicyServer(
      ca.issue({ names: ['mta-sts.receiver.example', 'mta-sts.other.example'] }),
      options.policy ?? stsPolicy('enforce', ['mx.receiver.example']),
    ),
  );
  const clock = options.clock ?? systemClock;
  const world = stack.use(
    await deliveryWorld({
      outbound: { kind: 'mx', port: peer.port },
      dns: createDns({ servers: [dns.address], clock }),
      clock,
      tls: {
        trust: createTrust(ca.certificate.cert),
        mtaStsPort: policies.port,
        reports: options.reports ?? false,
        ...(options.dane === true ? { validatingResolver: dns.address } : {}),
      },
    }),
  );
  const everything = stack.move();
  return {
    ca,
    dns,
    peer,
    policies,
    world,
    async attempts(messageId, least = 1, clock) {
      for (let looks = 0; ; looks++) {
        const rows = await world.deps.db
          .selectFrom('deliveryAttempts')
          .select(['outcome', 'remoteHost', 'tls', 'tlsVerification', 'tlsPolicy', 'response'])
          .where('messageId', '=', messageId)
          .where('endedAt', 'is not', null)
          .orderBy('startedAt', 'desc')
          .execute();
        if (rows.length >= least) return rows;
        await new Promise((resolve) => setTimeout(resolve, 20));
        if (looks >= 10 && clock !== undefined) await turn(clock, 500, () => world.inFlight);
      }
    },
    [Symbol.asyncDispose]: () => everything.disposeAsync(),
  };
}
