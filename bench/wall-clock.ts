// The time of day in fractions of a millisecond, to compare moments of two processes or of PostgreSQL.

/** The moment of a tick of the wall clock; what has passed since is added. */
const tick = (() => {
  const before = Date.now();
  let now = before;
  while (now === before) now = Date.now();
  return { wall: now, monotonic: performance.now() };
})();

export function wallClock(): number {
  return tick.wall + (performance.now() - tick.monotonic);
}
