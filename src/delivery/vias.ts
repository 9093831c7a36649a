// What is stored of a transport, made ready to send: credentials opened, limits filled in.
import type { RelayRow, TransportRows } from '#/db/transports.ts';
import {
  relaySealPurpose,
  sourceKey,
  subjectOfRelay,
  subjectOfSource,
  usualRelayLimits,
} from '#/domain/delivery/transports.ts';
import type { Log, SecretBox } from '#/runtime/ports.ts';
import type { RelayMember, SourceMember, Via } from './way.ts';

interface Deps {
  readonly secrets: SecretBox;
  readonly log: Log;
}

const tlsModes = { OPPORTUNISTIC: 'opportunistic', REQUIRED: 'required', IMPLICIT: 'implicit' } as const;

/** Relays whose credentials cannot be opened are left out: without them the relay would refuse, or count us as strangers. */
export function viasOf({ transport, relays, sources }: TransportRows, deps: Deps): readonly Via[] {
  if (transport.kind === 'MX') {
    return sources.map(
      ({ ipv4, ipv6, heloName, weight }): SourceMember => ({
        kind: 'MX',
        transport: transport.name,
        version: transport.changedAt.toISOString(),
        subject: subjectOfSource({ ipv4, ipv6 }),
        priority: 0,
        weight,
        source: { key: sourceKey({ ipv4, ipv6 }), ipv4, ipv6, heloName },
      }),
    );
  }
  const limits = {
    connections: transport.connections ?? usualRelayLimits.connections,
    messagesPerConnection: transport.messagesPerConnection ?? usualRelayLimits.messagesPerConnection,
    messagesPerSecond: transport.messagesPerSecond ?? usualRelayLimits.messagesPerSecond,
  };
  return relays.flatMap((row): RelayMember[] => {
    const auth = opened(row, deps);
    if (auth === undefined) return [];
    const { host, port, tls, priority, weight } = row;
    return [
      {
        kind: 'RELAY',
        transport: transport.name,
        version: transport.changedAt.toISOString(),
        subject: subjectOfRelay(transport.name, row),
        priority,
        weight,
        relay: { host, port, tls: tlsModes[tls], auth },
        limits,
        recipientsPerTransaction: transport.recipientsPerTransaction,
      },
    ];
  });
}

/** Undefined: they cannot be opened. */
function opened(
  { transportId, id, credentialsEncrypted }: RelayRow,
  { secrets, log }: Deps,
): { readonly user: string; readonly password: string } | null | undefined {
  if (credentialsEncrypted === null) return null;
  try {
    const text = secrets.open(credentialsEncrypted, relaySealPurpose({ transportId, id })).toString('utf8');
    const at = text.indexOf('\0');
    return { user: text.slice(0, at), password: text.slice(at + 1) };
  } catch (error) {
    log.error({ error }, 'the credentials of a relay cannot be opened: is a key missing from VEREDUS_SECRET_KEY?');
    return undefined;
  }
}
