// One way for every operation, whatever brought it: find the document, price it, take its points, run it, mask what failed.
import {
  createSourceEventStream,
  type ExecutionResult,
  executeRootSelectionSet,
  type GraphQLError,
  type GraphQLSchema,
  type ValidatedSubscriptionArgs,
  validateExecutionArgs,
  validateSubscriptionArgs,
} from 'graphql';
import { isLiveSource } from '#/events/live-source.ts';
import type { Clock, Log } from '#/runtime/ports.ts';
import { networkOf } from '#/domain/network.ts';
import { type Deadline, Deadlines, timedOut } from './deadlines.ts';
import { createDocuments, type Operation } from './documents.ts';
import { maskErrors, maskThrown, overloaded, RequestFault, refused, withCode } from './errors.ts';
import { countObjects, type Points } from './limits/cost.ts';
import type { Balance, RateLimiter } from './limits/rate-limit.ts';
import type { HttpMetrics } from './metrics.ts';
import { GroupKeys } from './group-keys.ts';
import { PushedStream, type Sink } from './pushed-stream.ts';
import { ResponseStream } from './response-stream.ts';
import { type Group, SharedExecutions } from './shared-executions.ts';
import { Turns } from './turns.ts';
import { type AuthenticatedCaller, type Params, purseOf, type RequestInfo } from './types.ts';

export interface OperationsOptions {
  readonly schema: GraphQLSchema;
  readonly maxCost: number;
  readonly rateLimiter: RateLimiter | null;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: HttpMetrics;
  createContext(caller: AuthenticatedCaller | null, request: RequestInfo): object;
}

/** Who asks, and how; the signal is made when the operation runs. */
export interface Call extends Omit<RequestInfo, 'signal'> {
  readonly caller: AuthenticatedCaller | null;
}

/** An operation that may run: its points are taken. */
export interface Admitted {
  readonly operation: Operation;
  readonly params: Params;
  readonly call: Call;
  readonly points: Points;
  readonly bucket: string;
}

type SubscriptionArgs = ValidatedSubscriptionArgs & { readonly contextValue: object };

export class Operations {
  readonly #options: OperationsOptions;
  readonly #documents;
  readonly #deadlines: Deadlines;
  readonly #streams = new Set<ResponseStream | PushedStream>();
  readonly #executions = new SharedExecutions();
  readonly #groupKeys = new GroupKeys();
  readonly #turns: Turns;

  constructor(options: OperationsOptions) {
    this.#options = options;
    this.#documents = createDocuments(options.schema);
    this.#deadlines = new Deadlines(options.clock);
    this.#turns = new Turns(options.clock);
  }

  get runningSubscriptions(): number {
    return this.#streams.size;
  }

  /** Throws RequestFault. */
  admit(params: Params, call: Call, method: 'GET' | 'POST'): Admitted {
    const { maxCost, rateLimiter } = this.#options;
    const operation = this.#documents.find(params.query, params.operationName);
    if (operation.kind === 'mutation' && method === 'GET') {
      throw refused(405, 'BAD_REQUEST', 'A mutation must be sent by POST.', { allow: 'POST' });
    }
    const points = operation.costOf(params.variables);
    if (points.total > maxCost) {
      throw refused(
        400,
        'QUERY_TOO_COMPLEX',
        `The operation may cost ${points.total} points; at most ${maxCost} are allowed. Ask for shorter pages or fewer fields.`,
      );
    }
    const bucket = purseOf(call.caller) ?? networkOf(call.ipAddress);
    const wait = rateLimiter?.take(bucket, points.total) ?? null;
    if (wait !== null) throw outOfPoints(Math.max(Math.ceil(wait), 1));
    return { operation, params, call, points, bucket };
  }

  balance(bucket: string): Balance | null {
    return this.#options.rateLimiter?.balance(bucket) ?? null;
  }

  /** A query or mutation. `gone` aborts a query whose answer nobody waits for; a mutation is finished. */
  async execute(admitted: Admitted, gone: AbortSignal | null): Promise<ExecutionResult> {
    const { clock, metrics } = this.#options;
    const { operation } = admitted;
    const startedAt = clock.monotonic();
    const deadline = this.#deadlines.start();
    const abort = () => deadline.controller.abort(gone?.reason);
    if (operation.kind === 'query') gone?.addEventListener('abort', abort, { once: true });
    try {
      const result = await this.#run(admitted, deadline);
      return { ...result, extensions: this.#settle(admitted, result) };
    } finally {
      gone?.removeEventListener('abort', abort);
      this.#deadlines.done(deadline);
      metrics.executed(operation.name, operation.kind, (clock.monotonic() - startedAt) / 1_000);
    }
  }

  /** A subscription. `onEnd` is called once, however it ends. With a sink its answers go there, and the stream is silent. */
  async subscribe(
    admitted: Admitted,
    onEnd: () => void,
    sink: Sink | null = null,
  ): Promise<ResponseStream | PushedStream | ExecutionResult> {
    const ended = new AbortController();
    const masking = this.#masking(admitted);
    try {
      const args = this.#subscriptionArgs(admitted, ended.signal);
      const source = await createSourceEventStream(args);
      if (!(Symbol.asyncIterator in source)) {
        onEnd();
        return { errors: maskErrors(source.errors ?? [], masking) };
      }
      const common = {
        maskThrown: (error: unknown) => maskThrown(error, masking),
        onEnd: () => {
          this.#streams.delete(stream);
          ended.abort();
          onEnd();
        },
      };
      const stream: ResponseStream | PushedStream =
        sink !== null && isLiveSource(source)
          ? new PushedStream({ ...common, source, sink, group: this.#groupOf(admitted, args), turns: this.#turns })
          : new ResponseStream({ ...common, args, source, mask: (errors) => maskErrors(errors, masking) });
      this.#streams.add(stream);
      return stream;
    } catch (error) {
      onEnd();
      throw error;
    }
  }

  #groupOf(admitted: Admitted, own: SubscriptionArgs): Group {
    const key = this.#groupKeys.keyOf(admitted);
    return this.#executions.join(key, () => {
      const masking = this.#masking(admitted);
      // A context of its own: whoever founded the group may leave it.
      const args = key === null ? own : this.#subscriptionArgs(admitted, new AbortController().signal);
      return { args, mask: (errors) => maskErrors(errors, masking) };
    });
  }

  #subscriptionArgs(admitted: Admitted, signal: AbortSignal): SubscriptionArgs {
    const args = validateSubscriptionArgs(this.#args(admitted, signal));
    if (!('schema' in args)) throw coercionFault(args);
    const { contextValue } = args;
    if (typeof contextValue !== 'object' || contextValue === null) throw new Error('the context is not an object');
    return { ...args, contextValue };
  }

  /** What was thrown, as the answer's errors; a defect is logged. */
  errorsOf(thrown: unknown, call: Call, operationName: string | null): readonly GraphQLError[] {
    return maskThrown(thrown, { log: this.#options.log, requestId: call.requestId, operationName });
  }

  async #run(admitted: Admitted, deadline: Deadline): Promise<ExecutionResult> {
    const { signal } = deadline.controller;
    const args = validateExecutionArgs(this.#args(admitted, signal));
    if (!('schema' in args)) throw coercionFault(args);
    try {
      const result = await executeRootSelectionSet(args);
      if (result.errors === undefined) return result;
      return { ...result, errors: maskErrors(result.errors, this.#masking(admitted)) };
    } catch (error) {
      if (signal.reason === timedOut) throw refused(503, 'TIMEOUT', timedOut.message);
      if (signal.aborted) throw refused(499, 'ABORTED', 'The request was given up.');
      throw error;
    }
  }

  #args({ operation, params, call }: Admitted, signal: AbortSignal) {
    const { caller, ...request } = call;
    return {
      schema: this.#options.schema,
      document: operation.document,
      operationName: operation.name,
      variableValues: params.variables,
      contextValue: this.#options.createContext(caller, { ...request, signal }),
      abortSignal: operation.kind === 'subscription' ? null : signal,
    };
  }

  #masking({ call, operation }: Admitted) {
    return { log: this.#options.log, requestId: call.requestId, operationName: operation.name };
  }

  /** Gives back what was not used and tells what was. */
  #settle({ points, bucket }: Admitted, result: ExecutionResult) {
    const { rateLimiter } = this.#options;
    const actual = Math.min(points.total, Math.max(1, points.kept + countObjects(result.data) - 1));
    if (rateLimiter === null) return { cost: { requested: points.total, actual } };
    if (actual < points.total) rateLimiter.giveBack(bucket, points.total - actual);
    const { available, restoreRate } = rateLimiter.balance(bucket);
    return { cost: { requested: points.total, actual, available, restoreRate } };
  }
}

function coercionFault(errors: readonly GraphQLError[]): RequestFault {
  return new RequestFault(withCode(errors, 'BAD_USER_INPUT'), 400, { inDocument: true });
}

function outOfPoints(retryAfter: number): RequestFault {
  return overloaded(`Too many cost points; try again in ${retryAfter} s.`, retryAfter);
}
