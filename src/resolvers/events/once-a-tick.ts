// One answer for many who ask the same at the same moment: all who listen to a topic are woken together, and thousands of
// followers must not become thousands of questions to the database.
import type { Database } from '#/db/client.ts';

/** Only of the same tick: an answer that began before whatever woke the others may not know of it. */
export function onceATick<T>(): (db: Database, key: string, ask: () => Promise<T>) => Promise<T> {
  const asked = new WeakMap<Database, Map<string, Promise<T>>>();
  return (db, key, ask) => {
    const now = asked.get(db) ?? new Map<string, Promise<T>>();
    asked.set(db, now);
    const known = now.get(key);
    if (known !== undefined) return known;
    const answer = ask();
    now.set(key, answer);
    queueMicrotask(() => now.delete(key));
    return answer;
  };
}
