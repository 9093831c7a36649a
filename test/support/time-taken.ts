// Bounds on the time that something takes.

/**
 * By the clock on the wall: as long as is promised; in CI, whose machine may be busy with other things, several times that,
 * so that only what hangs fails.
 */
export const atMost = (ms: number): number => (process.env['CI'] === undefined ? ms : ms * 5);

/** Milliseconds of the processor that this process spends on it, however many others want the processor meanwhile. */
export function processorTime(work: () => unknown): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}
