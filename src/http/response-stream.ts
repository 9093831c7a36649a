// A running subscription, for WebSocket and SSE alike. Each event is executed in a fresh cache of the context: Pothos keeps
// loaded rows and decisions about scopes there, and with those of the first event a revoked right would keep streaming.
//
// Waiting → executing → waiting … → ended. `return()` ends it in every state and at once: a pending `next()` is settled and
// the source released, even while the source waits for an event (an async generator could do neither).
import { initContextCache } from '@pothos/core';
import {
  type ExecutionResult,
  executeSubscriptionEvent,
  type GraphQLError,
  type ValidatedSubscriptionArgs,
} from 'graphql';

type Step = IteratorResult<ExecutionResult, void>;

export interface StreamOptions {
  readonly args: ValidatedSubscriptionArgs & { readonly contextValue: object };
  readonly source: AsyncIterable<unknown>;
  readonly mask: (errors: readonly GraphQLError[]) => readonly GraphQLError[];
  maskThrown(error: unknown): readonly GraphQLError[];
  /** Once. */
  onEnd(): void;
}

export class ResponseStream implements AsyncGenerator<ExecutionResult, void, void> {
  readonly #options: StreamOptions;
  readonly #source: AsyncIterator<unknown>;
  #ended = false;
  #settle: ((step: Step) => void) | null = null;

  constructor(options: StreamOptions) {
    this.#options = options;
    this.#source = options.source[Symbol.asyncIterator]();
  }

  next(): Promise<Step> {
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => {
      this.#settle = resolve;
      void this.#advance();
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
    if (this.#ended) return;
    this.#ended = true;
    this.#answer({ done: true, value: undefined });
    this.#options.onEnd();
    void this.#release();
  }

  /** Not waited for, and its failure is nobody's: the subscriber has gone. */
  async #release(): Promise<void> {
    try {
      await this.#source.return?.();
    } catch {}
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.end();
  }

  async #advance(): Promise<void> {
    try {
      const step = await this.#source.next();
      if (this.#ended) return;
      if (step.done === true) return this.end();
      const { args, mask } = this.#options;
      Object.assign(args.contextValue, initContextCache());
      const result = await executeSubscriptionEvent({ ...args, rootValue: step.value });
      const value = result.errors === undefined ? result : { ...result, errors: mask(result.errors) };
      this.#answer({ done: false, value });
    } catch (error) {
      if (this.#ended) return;
      // The source failed: its last word is the error, then it ends.
      this.#answer({ done: false, value: { errors: this.#options.maskThrown(error) } });
      this.end();
    }
  }

  #answer(step: Step): void {
    const settle = this.#settle;
    this.#settle = null;
    settle?.(step);
  }
}
