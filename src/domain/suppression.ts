// Suppressions are kept under a hash of the address, which stays when the address itself must be forgotten.
import { hash } from 'node:crypto';

/** Of one call. Twenty times Postmark's 50: each is a row and an event, and the transaction stays below some 100 ms. */
export const MAX_ADDRESSES_AT_ONCE = 1_000;
export const MAX_SUPPRESSION_NOTE = 400;

/** `key`: Mailbox.key, so that spellings of one address share it. */
export function addressHash(key: string): Buffer {
  return hash('sha256', key, 'buffer');
}

/** Mailbox.key of an address as we have stored it. */
export function keyOfAddress(address: string): string {
  return address.normalize('NFC').toLowerCase();
}
