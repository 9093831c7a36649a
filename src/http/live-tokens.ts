// What lives longer than a request and must not outlive its token or session: sockets and SSE streams end when that
// expires, is revoked, or gives other rights than it did.
import { encodeId } from '#/domain/ids.ts';
import type { Clock, Log } from '#/runtime/ports.ts';
import { type AuthenticatedCaller, type Credentials, credentialIdOf } from './types.ts';

/** `dead`: for good. `changed`: whoever comes back with the same, or a renewed, credential may find other rights. */
export type Ending = 'dead' | 'changed';
type End = (how: Ending) => void;

export interface TokenSource {
  /** Null: no such live token or session. Never throws for bad input. */
  authenticate(credentials: Credentials): Promise<AuthenticatedCaller | null>;
  /** The caller as it is now, for an operation on a connection that was opened earlier; null: not any more. */
  renew?(caller: AuthenticatedCaller): Promise<AuthenticatedCaller | null>;
  /** Told the ids of tokens that died, in any process, so that what they opened ends. Returns the way to stop. */
  onRevocation?(listener: (tokenIds: readonly string[]) => void): () => void;
  /** For a session: `end` is called once, when it ends or its rights change. Returns the way to stop. */
  follow?(caller: AuthenticatedCaller, end: End): () => void;
}

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
          log.info({ tokenId: encodeId('token', id), connections: ends.size }, 'a revoked token ends its connections');
          for (const end of ends) end('dead');
        }
      }) ?? (() => undefined);
  }

  async authenticate(credentials: Credentials): Promise<AuthenticatedCaller | null> {
    const revoked = new Set<string>();
    this.#revokedMeanwhile.add(revoked);
    try {
      const caller = await this.#source.authenticate(credentials);
      const id = credentialIdOf(caller);
      if (caller === null || (id !== null && revoked.has(id))) return null;
      return caller.expiresAt !== null && caller.expiresAt <= this.#clock.now() ? null : caller;
    } finally {
      this.#revokedMeanwhile.delete(revoked);
    }
  }

  /** Before each operation on a connection: what people may do is asked again; tokens are what they were, or it ends. */
  async renew(caller: AuthenticatedCaller | null): Promise<AuthenticatedCaller | null> {
    return caller === null || this.#source.renew === undefined ? caller : this.#source.renew(caller);
  }

  connectionsOf(caller: AuthenticatedCaller): number {
    return this.#ends.get(credentialIdOf(caller) ?? '')?.size ?? 0;
  }

  /** `end` is called at most once. Returns the way to stop watching. */
  watch(caller: AuthenticatedCaller | null, end: End): () => void {
    const id = credentialIdOf(caller);
    if (caller === null || id === null) return () => undefined;
    const stop = new AbortController();
    const ends = this.#ends.get(id) ?? new Set<End>();
    this.#ends.set(id, ends);
    const once: End = (how) => {
      release();
      end(how);
    };
    const unfollow = this.#source.follow?.(caller, once);
    const release = () => {
      stop.abort();
      unfollow?.();
      ends.delete(once);
      if (ends.size === 0 && this.#ends.get(id) === ends) this.#ends.delete(id);
    };
    ends.add(once);
    if (caller.expiresAt !== null) {
      const left = caller.expiresAt.getTime() - this.#clock.now().getTime();
      void this.#clock.sleep(Math.max(left, 0), stop.signal).then(() => {
        // A session may be renewed by signing in again; a token that expired stays dead.
        if (!stop.signal.aborted) once('person' in caller ? 'changed' : 'dead');
      });
    }
    return release;
  }

  close(): void {
    this.#stopListening();
  }
}
