// A copy for another thread, which a buffer is handed over to: a view would take all of what it is a view of along.
import { nextTurn, SLICE, slicesOf } from '#/domain/slices.ts';

/** A message of 50 MB at once would keep the event loop for some 30 ms. */
export async function ownCopy(source: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  if (source.length <= SLICE) return new Uint8Array(source);
  const copy = new Uint8Array(source.length);
  let to = 0;
  for (const slice of slicesOf(source)) {
    copy.set(slice, to);
    to += slice.length;
    await nextTurn();
  }
  return copy;
}
