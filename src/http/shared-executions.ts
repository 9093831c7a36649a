// What is executed for one subscriber is sent to all who ask the same with the same rights: subscribers of equal document,
// variables and rights are a group, and an event is executed once for each group, into the bytes that all of them get.
//
// Rights are asked for at each execution, with those that the members had when they came: a member whose rights change
// loses its socket (live-tokens.ts), and with it its place here.
import { initContextCache } from '@pothos/core';
import {
  type ExecutionResult,
  executeSubscriptionEvent,
  type GraphQLError,
  type ValidatedSubscriptionArgs,
} from 'graphql';

/** Of answers that are kept for those who have not taken them yet, in all groups together. */
const KEPT_BYTES = 16 * 1_024 * 1_024;
/** What an answer takes besides its text. */
const OVERHEAD_BYTES = 300;
/** What is executed together: many events of an ordinary document, one where each answer holds a whole email. */
const AT_ONCE = { events: 100, bytes: 64 * 1_024 } as const;
/** Believed of an answer until one is known. */
const FIRST_GUESS_BYTES = 4_096;

export interface ExecutionOptions {
  readonly args: ValidatedSubscriptionArgs & { readonly contextValue: object };
  readonly mask: (errors: readonly GraphQLError[]) => readonly GraphQLError[];
}

/** An event's place in a group. */
interface Answer {
  readonly group: Group;
  readonly event: object;
  body: Buffer | null;
  pending: Promise<Buffer> | null;
  bytes: number;
}

export class SharedExecutions {
  readonly #groups = new Map<string, Group>();
  /** Oldest first. */
  readonly #kept = new Set<Answer>();
  readonly #mostBytes: number;
  #bytes = 0;

  constructor(mostBytes = KEPT_BYTES) {
    this.#mostBytes = mostBytes;
  }

  get groups(): number {
    return this.#groups.size;
  }

  /** `key` null: a group of its own. `make` is called for the first of a group. */
  join(key: string | null, make: () => ExecutionOptions): Group {
    const group = (key === null ? undefined : this.#groups.get(key)) ?? new Group(this, key, make());
    if (key !== null) this.#groups.set(key, group);
    group.members++;
    return group;
  }

  leave(group: Group): void {
    if (--group.members > 0) return;
    if (group.key !== null) this.#groups.delete(group.key);
    for (const answer of [...group.answers.values()]) this.drop(answer);
  }

  keep(answer: Answer): void {
    answer.group.answers.set(answer.event, answer);
    this.#kept.add(answer);
    this.#bytes += answer.bytes;
  }

  /** Its length is known now. */
  settle(answer: Answer, bytes: number): void {
    if (!this.#kept.has(answer)) return;
    this.#bytes += bytes;
    answer.bytes += bytes;
    for (const oldest of this.#kept) {
      if (this.#bytes <= this.#mostBytes) break;
      this.drop(oldest);
    }
  }

  drop(answer: Answer): void {
    if (!this.#kept.delete(answer)) return;
    this.#bytes -= answer.bytes;
    answer.group.answers.delete(answer.event);
  }
}

export class Group {
  readonly key: string | null;
  readonly answers = new Map<object, Answer>();
  members = 0;
  readonly #all: SharedExecutions;
  readonly #options: ExecutionOptions;
  /** Of late answers, by and by. */
  #usualBytes = FIRST_GUESS_BYTES;

  constructor(all: SharedExecutions, key: string | null, options: ExecutionOptions) {
    this.#all = all;
    this.key = key;
    this.#options = options;
  }

  /** Events that a member may ask for at once. */
  get atOnce(): number {
    return Math.min(AT_ONCE.events, Math.max(1, Math.floor(AT_ONCE.bytes / this.#usualBytes)));
  }

  /** The results of these events as JSON, in their order. */
  bodiesOf(events: readonly object[]): readonly Buffer[] | Promise<readonly Buffer[]> {
    // One context for all that is executed now, so that their rows are loaded together; a fresh one each time, or rows and
    // decisions about rights would be those of the first event.
    let context: object | null = null;
    const answers = events.map((event) => {
      const known = this.answers.get(event);
      if (known !== undefined) return known;
      context ??= { ...this.#options.args.contextValue, ...initContextCache() };
      return this.#execute(event, context);
    });
    const bodies = answers.map(({ body }) => body);
    if (bodies.every((body) => body !== null)) return bodies;
    return Promise.all(answers.map(settled));
  }

  leave(): void {
    this.#all.leave(this);
  }

  #execute(event: object, contextValue: object): Answer {
    const answer: Answer = { group: this, event, body: null, pending: null, bytes: OVERHEAD_BYTES };
    // Alone, nobody will ask for it again.
    if (this.members > 1) this.#all.keep(answer);
    try {
      const result = executeSubscriptionEvent({ ...this.#options.args, contextValue, rootValue: event });
      if (result instanceof Promise) answer.pending = this.#finish(answer, result);
      else this.#settle(answer, result);
      return answer;
    } catch (error) {
      this.#all.drop(answer);
      throw error;
    }
  }

  async #finish(answer: Answer, result: Promise<ExecutionResult>): Promise<Buffer> {
    try {
      return this.#settle(answer, await result);
    } catch (error) {
      this.#all.drop(answer);
      throw error;
    }
  }

  #settle(answer: Answer, { data, errors }: ExecutionResult): Buffer {
    const masked = errors === undefined ? {} : { errors: this.#options.mask(errors) };
    answer.body = Buffer.from(JSON.stringify({ data, ...masked }));
    answer.pending = null;
    this.#usualBytes = Math.max(answer.body.length, (this.#usualBytes * 3 + answer.body.length) / 4);
    this.#all.settle(answer, answer.body.length);
    return answer.body;
  }
}

async function settled({ body, pending }: Answer): Promise<Buffer> {
  const settledBody = body ?? (await pending);
  if (settledBody === null) throw new Error('an event was not executed');
  return settledBody;
}
