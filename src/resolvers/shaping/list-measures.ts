// What was done about the pace of sending, by rules and by the staff, newest first. For the staff of the installation:
// receivers and their replies are no single account's.
import { listMeasures, type MeasureRow } from '#/db/shaping.ts';
import { Forbidden } from '#/domain/errors.ts';
import type { Deps } from '../deps.ts';
import type { Visitor } from '../visitor.ts';

export const MAX_MEASURES = 500;

export function listShaping(
  { db }: Deps,
  { person }: Visitor,
  { site, limit }: { readonly site: string | null; readonly limit: number },
): Promise<MeasureRow[]> {
  if (person?.staff !== true) throw new Forbidden('the pace of sending is for the staff of the installation');
  return listMeasures(db, site, Math.min(limit, MAX_MEASURES));
}
