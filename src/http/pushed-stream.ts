// A running subscription whose answers are shared and written to its socket by us. For the protocol it is a stream that
// never says anything until it ends: a promise for each step of each delivery would cost more than the delivery.
//
// Waiting → asks for a turn → takes what waits → executes → writes while there is room → waiting for events or for room …
// → ended. `return()` ends it in every state and at once, and releases the source.
import type { ExecutionResult, GraphQLError } from 'graphql';
import type { LiveSource } from '#/events/live-source.ts';
import type { Group } from './shared-executions.ts';
import type { Turn, Turns } from './turns.ts';

type Step = IteratorResult<ExecutionResult, void>;

/** Where the answers of one subscription go. */
export interface Sink {
  /** Answers how many it has taken: fewer than all when there is no room for more. */
  send(bodies: readonly Buffer[]): number;
  /** Calls back, once, when there is room again. */
  onRoom(callback: () => void): void;
}

export interface PushOptions {
  readonly source: LiveSource<unknown>;
  readonly group: Group;
  readonly sink: Sink;
  readonly turns: Turns;
  maskThrown(error: unknown): readonly GraphQLError[];
  /** Once. */
  onEnd(): void;
}

export class PushedStream implements AsyncGenerator<ExecutionResult, void, void>, Turn {
  readonly #options: PushOptions;
  /** Executed, and not yet written. */
  #bodies: readonly Buffer[] | null = null;
  #state: 'idle' | 'executing' | 'blocked' | 'ended' = 'idle';
  #lastWord: ExecutionResult | null = null;
  #settle: ((step: Step) => void) | null = null;

  constructor(options: PushOptions) {
    this.#options = options;
    options.source.onReady(() => (this.#state === 'idle' ? options.turns.ask(this) : null));
    void options.turns.ask(this);
  }

  /** From Turns. */
  take(): boolean {
    if (this.#state !== 'idle') return false;
    try {
      return this.#handOn();
    } catch (error) {
      this.#fail(error);
      return false;
    }
  }

  next(): Promise<Step> {
    const last = this.#lastWord;
    this.#lastWord = null;
    if (last !== null) return Promise.resolve({ done: false, value: last });
    if (this.#state === 'ended') return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  return(): Promise<Step> {
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  throw(error: unknown): Promise<Step> {
    this.end();
    return Promise.reject(error);
  }

  end(): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#bodies = null;
    const { source, group, turns, onEnd } = this.#options;
    turns.cancel(this);
    group.leave();
    this.#answer({ done: true, value: undefined });
    onEnd();
    // Not waited for, and its failure is nobody's: the subscriber has gone.
    source.return().catch(() => undefined);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.end();
  }

  #handOn(): boolean {
    const { source, group } = this.#options;
    if (this.#bodies !== null && !this.#write(this.#bodies)) return false;
    const events = source.take(group.atOnce);
    if (events === null) this.end();
    if (events === null || events.length === 0) return false;
    const bodies = group.bodiesOf(events.map(asObject));
    if (!(bodies instanceof Promise)) return this.#write(bodies);
    void this.#await(bodies);
    return false;
  }

  /** False: there is no room for more. */
  #write(bodies: readonly Buffer[]): boolean {
    const { sink, turns } = this.#options;
    const taken = sink.send(bodies);
    this.#bodies = taken === bodies.length ? null : bodies.slice(taken);
    if (this.#bodies === null) return true;
    this.#state = 'blocked';
    sink.onRoom(() => {
      if (this.#state !== 'blocked') return;
      this.#state = 'idle';
      void turns.ask(this);
    });
    return false;
  }

  async #await(bodies: Promise<readonly Buffer[]>): Promise<void> {
    this.#state = 'executing';
    try {
      this.#bodies = await bodies;
    } catch (error) {
      return this.#fail(error);
    }
    if (this.#ended) {
      this.#bodies = null;
      return;
    }
    this.#state = 'idle';
    void this.#options.turns.ask(this);
  }

  get #ended(): boolean {
    return this.#state === 'ended';
  }

  /** Its last word is the error, then it ends. */
  #fail(error: unknown): void {
    if (this.#ended) return;
    const value = { errors: this.#options.maskThrown(error) };
    if (this.#settle === null) this.#lastWord = value;
    else this.#answer({ done: false, value });
    this.end();
  }

  #answer(step: Step): void {
    const settle = this.#settle;
    this.#settle = null;
    settle?.(step);
  }
}

function asObject(event: unknown): object {
  if (typeof event !== 'object' || event === null) throw new Error('an event is not an object');
  return event;
}
