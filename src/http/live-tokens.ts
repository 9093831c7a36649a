// What lives longer than a request and must not outlive its token: sockets and SSE streams end when the token expires or
// is revoked.
import type { Clock, Log } from '#/runtime/ports.ts';
import { type AuthenticatedCaller, tokenIdOf } from './types.ts';

export interface TokenSource {
  authenticate(secret: string, ipAddress: string): Promise<AuthenticatedCaller | null>;
  onRevocation?(listener: (tokenIds: readonly string[]) => void): () => void;
}

type End = () => void;

export class LiveTokens {
  readonly #source: TokenSource;
  readonly #clock: Clock;
  readonly #ends = new Map<string, Set<End>>();
  /** Of authentications under way: a token revoked meanwhile must not come to life afterwards. */
  readonly #revokedMeanwhile = new Set<Set<string>>();
  readonly #stopListening: () => void;

  constructor(source: TokenSource, clock: Clock, log: Log) {
    this.#source = source;
    this.#clock = clock;
    this.#stopListening =
      source.onRevocation?.((tokenIds) => {
        for (const revoked of this.#revokedMeanwhile) for (const id of tokenIds) revoked.add(id);
        for (const id of tokenIds) {
          const ends = this.#ends.get(id);
          if (ends === undefined) continue;
          log.info({ tokenId: id, connections: ends.size }, 'a revoked token ends its connections');
          for (const end of ends) end();
        }
      }) ?? (() => undefined);
  }

  async authenticate(secret: string, ipAddress: string): Promise<AuthenticatedCaller | null> {
    const revoked = new Set<string>();
    this.#revokedMeanwhile.add(revoked);
    try {
      const caller = await this.#source.authenticate(secret, ipAddress);
      const tokenId = tokenIdOf(caller);
      if (caller === null || (tokenId !== null && revoked.has(tokenId))) return null;
      return caller.expiresAt !== null && caller.expiresAt <= this.#clock.now() ? null : caller;
    } finally {
      this.#revokedMeanwhile.delete(revoked);
    }
  }

  connectionsOf(caller: AuthenticatedCaller): number {
    return this.#ends.get(tokenIdOf(caller) ?? '')?.size ?? 0;
  }

  /** `end` is called at most once. Returns the way to stop watching. */
  watch(caller: AuthenticatedCaller | null, end: End): () => void {
    const tokenId = tokenIdOf(caller);
    if (caller === null || tokenId === null) return () => undefined;
    const stop = new AbortController();
    const ends = this.#ends.get(tokenId) ?? new Set<End>();
    this.#ends.set(tokenId, ends);
    const once = () => {
      release();
      end();
    };
    const release = () => {
      stop.abort();
      ends.delete(once);
      if (ends.size === 0 && this.#ends.get(tokenId) === ends) this.#ends.delete(tokenId);
    };
    ends.add(once);
    if (caller.expiresAt !== null) {
      const left = caller.expiresAt.getTime() - this.#clock.now().getTime();
      void this.#clock.sleep(Math.max(left, 0), stop.signal).then(() => {
        if (!stop.signal.aborted) once();
      });
    }
    return release;
  }

  close(): void {
    this.#stopListening();
  }
}
