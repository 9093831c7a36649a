// The newest events of the servers that somebody follows, once for all who do: whoever is caught up reads here, each from
// its own place, and costs no memory of its own however slowly it reads. What it has not read when it leaves here, it finds
// in the log.
import type { LoggedEvent } from './catalogue.ts';

/** In all: some MB. A page of the follower is a thousand, and all who keep up have it before the next is read. */
const MOST = 4_000;

/** The newest events of one server, numbered from when the first follower came. */
export class Tail {
  readonly #events = new Map<number, LoggedEvent>();
  #start = 0;

  /** Number of the oldest that is here. */
  get start(): number {
    return this.#start;
  }

  /** Number of the next to come. */
  get end(): number {
    return this.#start + this.#events.size;
  }

  at(number: number): LoggedEvent | undefined {
    return this.#events.get(number);
  }

  push(event: LoggedEvent): void {
    this.#events.set(this.end, event);
  }

  dropOldest(): void {
    if (this.#events.delete(this.#start)) this.#start++;
  }

  clear(): void {
    this.#start = this.end;
    this.#events.clear();
  }
}

export class RecentEvents {
  readonly #tails = new Map<string, Tail>();
  readonly #most: number;
  /** Whose event each is, oldest first: a ring. */
  readonly #order: (Tail | undefined)[] = [];
  #oldest = 0;

  constructor(most = MOST) {
    this.#most = most;
  }

  tailOf(serverId: string): Tail {
    const known = this.#tails.get(serverId) ?? new Tail();
    this.#tails.set(serverId, known);
    return known;
  }

  /** Nobody follows the server any more. */
  forget(serverId: string): void {
    this.#tails.get(serverId)?.clear();
    this.#tails.delete(serverId);
  }

  /** Answers whether anybody follows its server. */
  add(event: LoggedEvent): boolean {
    const tail = this.#tails.get(event.serverId);
    if (tail === undefined) return false;
    tail.push(event);
    this.#order[this.#oldest]?.dropOldest();
    this.#order[this.#oldest] = tail;
    this.#oldest = (this.#oldest + 1) % this.#most;
    return true;
  }
}
