// The balance of the installation, for those that only watch it.
import { type DeliveryBalance, readBalance as read } from '#/db/delivery-balance.ts';
import { type SystemScope, writeInSystemScope } from '#/db/scope.ts';

export function readBalance(system: SystemScope, now: Date): Promise<DeliveryBalance> {
  return writeInSystemScope(system, now, read);
}
