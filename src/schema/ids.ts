// Ids as they come in.
import { decodeIdOf, type IdKind } from '#/domain/ids.ts';

/** Nobody's UUID: what is no id of the kind is answered like one that never existed. */
export const NOWHERE = '00000000-0000-0000-0000-000000000000';

export function uuidOf(kind: IdKind, id: string): string {
  return decodeIdOf(kind, id) ?? NOWHERE;
}
