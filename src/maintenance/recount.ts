// Counts again what is still in the log, and compares. Without repair it changes nothing and stops nobody: it reads counters,
// cursor and log in one view of the database, in which they agree at any moment.
import { listBuckets } from '#/db/partitions.ts';
import { holdCounting } from '#/db/counters.ts';
import { type SystemScope, writeInSystemScope } from '#/db/scope.ts';
import { firstHourKept } from '#/domain/statistics.ts';
import {
  beginProof,
  compareCounters,
  type ComparedPart,
  correctCounters,
  type CounterUnit,
  type Difference,
} from '#/events/counter-proof.ts';
import type { Clock } from '#/runtime/ports.ts';

/** Differences that are put right at once. */
const CORRECTED = 10_000;
const units: readonly CounterUnit[] = ['day', 'hour'];
const EVER = new Date(0);

export interface Recounted {
  readonly bucket: number;
  readonly unit: CounterUnit;
  /** Rows of the log. */
  readonly rows: number;
  readonly differences: readonly Difference[];
}

interface Deps {
  readonly system: SystemScope;
  readonly clock: Clock;
}

/** Partition by partition, each in days and in hours; `shown` differences of each at most. */
export async function* recount({ system, clock }: Deps, shown: number, repair: boolean): AsyncGenerator<Recounted> {
  for (const bucket of [...(await listBuckets(system.db))].toSorted((a, b) => a - b)) {
    for (const unit of units) {
      const since = unit === 'day' ? EVER : firstHourKept(clock.now());
      const part = { bucket, unit, since };
      yield { bucket, unit, ...(await compare({ system, clock }, part, shown)) };
      if (repair) await correct({ system, clock }, part);
    }
  }
}

function compare({ system, clock }: Deps, part: ComparedPart, limit: number) {
  return writeInSystemScope(system, clock.now(), async (scope) => {
    await beginProof(scope);
    return compareCounters(scope, part, limit);
  });
}

/** What is not counted yet waits until it is done. */
async function correct({ system, clock }: Deps, part: ComparedPart): Promise<void> {
  await writeInSystemScope(system, clock.now(), async (scope) => {
    await holdCounting(scope);
    for (;;) {
      const { differences } = await compareCounters(scope, part, CORRECTED);
      await correctCounters(scope, differences);
      if (differences.length < CORRECTED) return;
    }
  });
}
