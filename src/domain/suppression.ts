// Suppressions are kept under a hash of the address, which stays when the address itself must be forgotten.
import { hash } from 'node:crypto';

/** `key`: Mailbox.key, so that spellings of one address share it. */
export function addressHash(key: string): Buffer {
  return hash('sha256', key, 'buffer');
}
