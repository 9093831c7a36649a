// What each acceptance needs to know of its server and changes rarely: streams, whom it may send as, retention. Kept in
// memory, thrown away when anything of the kind changes anywhere (`config`), and at the latest after two seconds, which
// is how long a missed notification may leave a removed domain in use.
import { findAccount, listVerifiedDomains } from '#/db/accounts.ts';
import type { Database } from '#/db/client.ts';
import { readScope } from '#/db/scope.ts';
import { listServerDomains } from '#/db/domains.ts';
import { listSystemSenderDomains } from '#/db/installation.ts';
import { type ConfirmedSignature, listConfirmedSignatures } from '#/db/sender-signatures.ts';
import { listPauses, type SendingPauseRow } from '#/db/sending-pauses.ts';
import { findServer, listStreams, type ServerRow, type StreamRow } from '#/db/servers.ts';
import type { Channel, Clock } from '#/runtime/ports.ts';

const MAX_AGE_MS = 2_000;
const MAX_ENTRIES = 10_000;

export interface SendingProfile {
  readonly server: ServerRow;
  readonly streams: ReadonlyMap<string, StreamRow>;
  /** Verified domains of the account that this server may use. */
  readonly verifiedDomains: ReadonlySet<string>;
  /** By address key; none on a server that is limited to domains. */
  readonly signatures: ReadonlyMap<string, ConfirmedSignature>;
  readonly retentionDays: number;
  /** Of the server or of some of its streams. */
  readonly pauses: readonly SendingPauseRow[];
}

export interface SendingProfiles {
  /** Null when the account has no such server. */
  of(accountId: string, serverId: string): Promise<SendingProfile | null>;
}

interface Entry {
  readonly profile: Promise<SendingProfile | null>;
  readonly staleAt: number;
}

export function createSendingProfiles(deps: { db: Database; clock: Clock; channel: Channel }): SendingProfiles {
  const entries = new Map<string, Entry>();
  deps.channel.on('config', () => entries.clear());
  return {
    of(accountId, serverId) {
      const key = `${accountId}/${serverId}`;
      const now = deps.clock.monotonic();
      const known = entries.get(key);
      if (known !== undefined && known.staleAt > now) return known.profile;
      if (entries.size >= MAX_ENTRIES) entries.clear();
      const profile = load(deps.db, accountId, serverId);
      entries.set(key, { profile, staleAt: now + MAX_AGE_MS });
      profile.catch(() => entries.delete(key));
      return profile;
    },
  };
}

async function load(db: Database, accountId: string, serverId: string): Promise<SendingProfile | null> {
  const scope = readScope(db, { accountId, servers: [serverId], streamId: null });
  const [server, account, streams, domains, allowed, signatures, lent, pauses] = await Promise.all([
    findServer(scope, serverId),
    findAccount(scope),
    listStreams(scope, [serverId]),
    listVerifiedDomains(scope),
    listServerDomains(scope, [serverId]),
    listConfirmedSignatures(scope),
    listSystemSenderDomains(db, accountId),
    listPauses(scope, [serverId]),
  ]);
  if (server === undefined || account === undefined) return null;
  const own = new Set(allowed.map(({ name }) => name));
  const usable = server.domainsLimited ? domains.filter((name) => own.has(name)) : domains;
  // A limit to domains is a limit: a signature elsewhere must not widen it.
  const addresses = server.domainsLimited ? [] : signatures;
  return {
    server,
    streams: new Map(streams.map((stream) => [stream.slug, stream])),
    verifiedDomains: new Set([...usable, ...lent.map(({ name }) => name)]),
    signatures: new Map(addresses.map((signature) => [signature.addressKey, signature])),
    retentionDays: account.retentionDays,
    pauses,
  };
}
