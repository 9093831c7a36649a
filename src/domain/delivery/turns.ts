// Whose turn it is: start-time fair queueing. Each recipient that becomes due draws a number, and the lowest is next. A
// flow's numbers lie apart by what a turn costs it and never before the front of the line, so that a mail of somebody who
// sends little comes before the thousands that somebody else still has waiting, however many they are. It costs one
// number a row, and no query looks at whose rows there are.
//
// The front is the highest number that was ever served. It only rises: with one that falls back, whoever drew a number
// meanwhile would stand behind everybody for as long as others keep the line from running empty. A flow's last number is
// remembered by each process for itself: somebody who sends through several processes gets as many shares as there are,
// and not more.

/** Of two who have both waiting, transactional mail goes four times as often. */
export const turnCosts = { TRANSACTIONAL: 1, BROADCAST: 4 } as const;

/** Accounts whose last numbers are remembered before those are forgotten that lie behind the front. */
const MAX_ACCOUNTS = 10_000;

export class Turns {
  readonly #accounts = new Map<string, Map<string, number>>();

  /** For one recipient. */
  next(accountId: string, streamId: string, kind: keyof typeof turnCosts, front: number): number {
    const streams = this.#streamsOf(accountId, front);
    // The streams of an account share what one account gets.
    let busy = 1;
    for (const [other, last] of streams) if (other !== streamId && last > front) busy++;
    const turn = Math.max(front, streams.get(streamId) ?? 0) + turnCosts[kind] * busy;
    streams.set(streamId, turn);
    return turn;
  }

  #streamsOf(accountId: string, front: number): Map<string, number> {
    let streams = this.#accounts.get(accountId);
    if (streams === undefined) {
      if (this.#accounts.size >= MAX_ACCOUNTS) this.#forget(front);
      this.#accounts.set(accountId, (streams = new Map<string, number>()));
    }
    return streams;
  }

  #forget(front: number): void {
    for (const [accountId, streams] of this.#accounts) {
      if ([...streams.values()].every((last) => last <= front)) this.#accounts.delete(accountId);
    }
  }
}
