// Group commit. For each account: items wait while transactions of theirs are under way, and all that wait go into the
// next one. Under load a transaction carries many items; alone, an item waits for nobody.
import type { Deps } from './deps.ts';

/**
 * Transactions of one account that one process runs at once. One: while it is under way the next gathers, and larger
 * groups cost both sides less than a second transaction wins (32 clients, 2 processes: half as many again a second).
 */
const MAX_RUNNING = 1;
/** Items and bytes of one transaction: a commit stays short, and one statement's parameters stay far below 1 GB. */
const MAX_ITEMS = 500;
const MAX_WEIGHT = 16 * 1024 * 1024;

interface Waiting<P, R> {
  readonly item: P;
  readonly resolve: (result: R) => void;
  readonly reject: (error: unknown) => void;
}

interface Group<P, R> {
  running: number;
  scheduled: boolean;
  readonly waiting: Waiting<P, R>[];
}

type Run<P, R> = (items: readonly P[]) => Promise<readonly R[]>;

export function commitInGroups<P extends { readonly weight: number }, R>() {
  const groups = new WeakMap<Deps, Map<string, Group<P, R>>>();

  const groupOf = (deps: Deps, accountId: string): Group<P, R> => {
    let ofDeps = groups.get(deps);
    if (ofDeps === undefined) groups.set(deps, (ofDeps = new Map<string, Group<P, R>>()));
    let group = ofDeps.get(accountId);
    if (group === undefined) ofDeps.set(accountId, (group = { running: 0, scheduled: false, waiting: [] }));
    return group;
  };

  const pump = (deps: Deps, accountId: string, group: Group<P, R>, run: Run<P, R>): void => {
    group.scheduled = false;
    while (group.running < MAX_RUNNING && group.waiting.length > 0) {
      const batch = take(group.waiting);
      group.running++;
      void commit(batch, run).finally(() => {
        group.running--;
        if (group.waiting.length > 0) pump(deps, accountId, group, run);
        else if (group.running === 0) groups.get(deps)?.delete(accountId);
      });
    }
  };

  return {
    submit(deps: Deps, accountId: string, items: readonly P[], run: Run<P, R>): Promise<readonly R[]> {
      if (items.length === 0) return Promise.resolve([]);
      const group = groupOf(deps, accountId);
      const results = items.map(
        (item) => new Promise<R>((resolve, reject) => group.waiting.push({ item, resolve, reject })),
      );
      if (!group.scheduled) {
        group.scheduled = true;
        // After the requests that came in with this turn of the event loop, so that they share the first transaction.
        setImmediate(() => pump(deps, accountId, group, run));
      }
      return Promise.all(results);
    },
  };
}

function take<P extends { readonly weight: number }, R>(waiting: Waiting<P, R>[]): Waiting<P, R>[] {
  let count = 0;
  let weight = 0;
  for (const { item } of waiting) {
    weight += item.weight;
    if (count === MAX_ITEMS || (count > 0 && weight > MAX_WEIGHT)) break;
    count++;
  }
  return waiting.splice(0, count);
}

async function commit<P, R>(batch: readonly Waiting<P, R>[], run: Run<P, R>): Promise<void> {
  try {
    const results = await run(batch.map(({ item }) => item));
    batch.forEach(({ resolve, reject }, index) => {
      const result = results[index];
      if (result === undefined) reject(new Error('a group answered fewer items than it was given'));
      else resolve(result);
    });
  } catch (error) {
    for (const { reject } of batch) reject(error);
  }
}
