// Who a session is. Asked of the database at every request, so that a changed right holds from the next one on; whoever
// keeps a connection open (WebSocket, SSE) follows the session, and hears within a second, or at once when it is told
// (`people`), that it ended or that its rights are others. A connection belongs to the secret that it was opened with: what
// renews that (a fresh proof, a new password) ends it, or whoever read the old secret would gain by the renewal.
import { hash as digest } from 'node:crypto';
import type { Database } from '#/db/client.ts';
import { findSessionBySecret, findSessionFacts, type SessionFacts, touchSession } from '#/db/sessions.ts';
import { SESSION_SEEN_SECONDS } from '#/domain/identity/rules.ts';
import type { Person } from '#/domain/person.ts';
import { isWellFormedSession } from '#/domain/token.ts';
import type { Channel, Clock, Log } from '#/runtime/ports.ts';
import { toPerson } from './to-person.ts';

const SWEEP_MS = 1_000;

/** `dead`: signed out or revoked, for good. `changed`: rights or secret are others, or its time is over. */
export type SessionEnd = 'dead' | 'changed';

export interface SessionCheck extends AsyncDisposable {
  /** Null when there is no such live session. Never throws for bad input. */
  check(secret: string, byCookie: boolean): Promise<Person | null>;
  /** The same session as it is now. Null: it is over, or has another secret, of which its followers are told. */
  renew(person: Person): Promise<Person | null>;
  /** `end` is called at most once. Returns the way to stop. */
  follow(person: Person, end: (how: SessionEnd) => void): () => void;
}

interface Follower {
  readonly person: Person;
  end(how: SessionEnd): void;
}

/** Each hears at most once: whoever is told is no follower any more. */
function tell(followers: readonly Follower[], facts: SessionFacts | undefined, now: Date): void {
  const person = facts === undefined ? null : toPerson(facts, now, false);
  for (const follower of followers) {
    if (facts === undefined) follower.end('dead');
    else if (person?.rights !== follower.person.rights || !hasSecretOf(facts, follower.person)) follower.end('changed');
  }
}

function hasSecretOf(facts: SessionFacts, { session }: Person): boolean {
  return facts.secretHash.equals(session.secretHash);
}

export function secretHashOf(secret: string): Buffer {
  return digest('sha256', secret, 'buffer');
}

export function createSessionCheck(deps: { db: Database; clock: Clock; channel: Channel; log: Log }): SessionCheck {
  const { db, clock, log } = deps;
  const followers = new Map<string, Set<Follower>>();
  const closing = new AbortController();

  const sweep = async (): Promise<void> => {
    const watched = [...followers];
    if (watched.length === 0) return;
    const now = clock.now();
    const ids = watched.map(([id]) => id);
    const known = new Map((await findSessionFacts(db, ids, now)).map((facts) => [facts.id, facts]));
    for (const [id, all] of watched) tell([...all], known.get(id), now);
  };
  const sweepSafely = () => sweep().catch((error: unknown) => log.warn({ error }, 'sessions could not be looked at'));

  const stopListening = deps.channel.on('people', () => void sweepSafely());
  const sweeping = (async () => {
    while (!closing.signal.aborted) {
      await clock.sleep(SWEEP_MS, closing.signal);
      await sweepSafely();
    }
  })();

  return {
    async check(secret, byCookie) {
      if (!isWellFormedSession(secret)) return null;
      const now = clock.now();
      const facts = await findSessionBySecret(db, secretHashOf(secret), now);
      const person = facts === undefined ? null : toPerson(facts, now, byCookie);
      if (facts === undefined || person === null) return null;
      if (now.getTime() - facts.lastSeenAt.getTime() >= SESSION_SEEN_SECONDS * 1_000) {
        await touchSession(db, facts.id, now);
      }
      return person;
    },
    async renew(person) {
      const now = clock.now();
      const { id } = person.session;
      const [facts] = await findSessionFacts(db, [id], now);
      if (facts === undefined) return null;
      if (hasSecretOf(facts, person)) return toPerson(facts, now, person.byCookie);
      tell([...(followers.get(id) ?? [])], facts, now);
      return null;
    },
    follow(person, end) {
      const { id } = person.session;
      const all = followers.get(id) ?? new Set();
      followers.set(id, all);
      const stop = () => {
        all.delete(follower);
        if (all.size === 0 && followers.get(id) === all) followers.delete(id);
      };
      const follower: Follower = {
        person,
        end(how) {
          stop();
          end(how);
        },
      };
      all.add(follower);
      return stop;
    },
    async [Symbol.asyncDispose]() {
      stopListening();
      closing.abort();
      await sweeping;
    },
  };
}
