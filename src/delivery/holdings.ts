// What a worker holds under its leases, and how much of it is of each account.
import type { ClaimedRecipient } from '#/db/delivery-queue.ts';

export class Holdings implements Iterable<ClaimedRecipient> {
  readonly #claims = new Set<ClaimedRecipient>();
  readonly #byAccount = new Map<string, number>();

  get size(): number {
    return this.#claims.size;
  }

  of(accountId: string): number {
    return this.#byAccount.get(accountId) ?? 0;
  }

  add(claim: ClaimedRecipient): void {
    this.#claims.add(claim);
    this.#byAccount.set(claim.accountId, (this.#byAccount.get(claim.accountId) ?? 0) + 1);
  }

  delete(claim: ClaimedRecipient): void {
    if (!this.#claims.delete(claim)) return;
    const left = (this.#byAccount.get(claim.accountId) ?? 0) - 1;
    if (left > 0) this.#byAccount.set(claim.accountId, left);
    else this.#byAccount.delete(claim.accountId);
  }

  /** Accounts of which more is held than `most`. */
  overShare(most: number): string[] {
    const over: string[] = [];
    for (const [accountId, held] of this.#byAccount) if (held >= most) over.push(accountId);
    return over;
  }

  [Symbol.iterator](): Iterator<ClaimedRecipient> {
    return this.#claims[Symbol.iterator]();
  }
}
