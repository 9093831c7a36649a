// Who a token is. In the steady state without the database: what is known is kept for a moment, thrown away when any
// token changes anywhere (`tokens`), and looked up again after MAX_AGE_MS, so that a revoked token is dead everywhere
// within two seconds even if the notification was lost.
import { hash as digest } from 'node:crypto';
import ipaddr from 'ipaddr.js';
import { findTokenBySecret, listDeadTokens, recordTokenUses, type TokenRow } from '#/db/api-tokens.ts';
import type { Database } from '#/db/client.ts';
import type { Actor } from '#/domain/actor.ts';
import { isWellFormedToken } from '#/domain/token.ts';
import type { Channel, Clock, Log } from '#/runtime/ports.ts';

const MAX_AGE_MS = 1_500;
/** How often tokens behind open sockets are looked at, whatever notifications say. */
const SWEEP_MS = 1_000;
/** `lastUsedAt` is right to a minute. */
const RECORD_MS = 30_000;
/** Far more than an installation has; a flood of well-formed nonsense empties the cache and no more. */
const MAX_ENTRIES = 50_000;

export interface CheckedToken {
  readonly actor: Actor & { readonly kind: 'SERVER_TOKEN' | 'ACCOUNT_TOKEN' };
  readonly expiresAt: Date | null;
  /** The token was rotated: it ends at `sunset`, and its user should hear of it. */
  readonly deprecation: { readonly sunset: Date } | null;
}

export interface TokenCheck extends AsyncDisposable {
  /** Null when there is no such live token, or not from this address. Never throws for bad input. */
  check(secret: string, ipAddress: string): Promise<CheckedToken | null>;
  /** Told the ids of tokens that died, of those that were checked since the start. Returns the way to stop. */
  onRevocation(listener: (tokenIds: readonly string[]) => void): () => void;
}

interface Known {
  readonly token: CheckedToken;
  readonly ranges: readonly [ipaddr.IPv4 | ipaddr.IPv6, number][];
}

interface Entry {
  readonly known: Promise<Known | null>;
  readonly staleAt: number;
}

export function createTokenCheck(deps: { db: Database; clock: Clock; channel: Channel; log: Log }): TokenCheck {
  const { db, clock, log } = deps;
  const entries = new Map<string, Entry>();
  const inUse = new Set<string>();
  const uses = new Map<string, Date>();
  const listeners = new Set<(tokenIds: readonly string[]) => void>();
  const closing = new AbortController();

  const lookUp = async (hash: Buffer): Promise<Known | null> => {
    const row = await findTokenBySecret(db, hash);
    return row === undefined || row.revokedAt !== null ? null : toKnown(row);
  };

  const recall = (secret: string): Promise<Known | null> => {
    const hash = digest('sha256', secret, 'buffer');
    const key = hash.toString('latin1');
    const now = clock.monotonic();
    const entry = entries.get(key);
    if (entry !== undefined && entry.staleAt > now) return entry.known;
    if (entries.size >= MAX_ENTRIES) entries.clear();
    const known = lookUp(hash);
    entries.set(key, { known, staleAt: now + MAX_AGE_MS });
    known.catch(() => entries.delete(key));
    return known;
  };

  /** Tells of dead tokens. Only those in use are asked for: the others are refused when they come. */
  const sweep = async (): Promise<void> => {
    const dead = await listDeadTokens(db, [...inUse], clock.now());
    if (dead.length === 0) return;
    entries.clear();
    for (const id of dead) inUse.delete(id);
    for (const listener of listeners) listener(dead);
  };

  const record = async (): Promise<void> => {
    const seen = new Map(uses);
    uses.clear();
    await recordTokenUses(db, seen);
  };

  const every = async (ms: number, run: () => Promise<void>): Promise<void> => {
    while (!closing.signal.aborted) {
      await clock.sleep(ms, closing.signal);
      await run().catch((error: unknown) => log.warn({ error }, 'tokens could not be looked at'));
    }
  };

  const stopListening = deps.channel.on('tokens', () => {
    entries.clear();
    void sweep().catch((error: unknown) => log.warn({ error }, 'tokens could not be looked at'));
  });
  const running = Promise.all([every(SWEEP_MS, sweep), every(RECORD_MS, record)]);

  return {
    async check(secret, ipAddress) {
      if (!isWellFormedToken(secret)) return null;
      const known = await recall(secret);
      if (known === null) return null;
      const { token, ranges } = known;
      const now = clock.now();
      if (token.expiresAt !== null && token.expiresAt <= now) return null;
      if (ranges.length > 0 && !isWithin(ipAddress, ranges)) return null;
      inUse.add(token.actor.tokenId);
      uses.set(token.actor.tokenId, now);
      return token;
    },
    onRevocation(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async [Symbol.asyncDispose]() {
      stopListening();
      closing.abort();
      await running;
    },
  };
}

function toKnown(row: TokenRow): Known {
  const common = { accountId: row.accountId, tokenId: row.id, label: row.hint };
  const actor: CheckedToken['actor'] =
    row.serverId === null
      ? { kind: 'ACCOUNT_TOKEN', ...common }
      : {
          kind: 'SERVER_TOKEN',
          ...common,
          serverId: row.serverId,
          streamId: row.streamId,
          scopes: new Set(row.scopes),
        };
  return {
    token: {
      actor,
      expiresAt: row.expiresAt,
      deprecation: row.replacedBy !== null && row.expiresAt !== null ? { sunset: row.expiresAt } : null,
    },
    ranges: row.allowedIps.map((range) => ipaddr.parseCIDR(range)),
  };
}

function isWithin(ipAddress: string, ranges: Known['ranges']): boolean {
  if (!ipaddr.isValid(ipAddress)) return false;
  // ::ffff:10.0.0.1 is 10.0.0.1.
  const address = ipaddr.process(ipAddress);
  return ranges.some(([network, bits]) => network.kind() === address.kind() && address.match([network, bits] as never));
}
