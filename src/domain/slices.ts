// Octets some at a time: what goes through megabytes at once keeps everybody else of the process waiting.

/** A millisecond's worth of hashing, encrypting or copying, more or less. */
export const SLICE = 1024 * 1024;

/** Views, not copies. */
export function* slicesOf(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += SLICE) yield bytes.subarray(at, at + SLICE);
}

/** Lets whatever waits have its turn. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
