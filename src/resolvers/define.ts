// The only machinery of use-cases: `query`, `stream`, `command` and `groupCommand`. A use-case declares its permission and the
// errors it may fail with; the wrapper checks the one before anything else runs and asserts the other, opens the
// transaction, writes the audit row in it, and repeats what the database asks to repeat.
import { appendAudit, type AuditRecord } from '#/db/audit.ts';
import { type ReadScope, reachOf, readScope, type WriteScope, writeInScope } from '#/db/scope.ts';
import { type Actor, refusalOf } from '#/domain/actor.ts';
import { ExpectedError, Forbidden, StepUpRequired } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import type { Permission } from '#/domain/permissions.ts';
import type { LiveSource } from '#/events/live-source.ts';
import type { Clock, Ids, Log, Random, Topic } from '#/runtime/ports.ts';
import type { Deps } from './deps.ts';
import { commitInGroups } from './group-commit.ts';

/** Who asks, and with which request. */
export interface Caller {
  readonly actor: Actor;
  readonly requestId: string;
  readonly ipAddress: string | null;
}

export { like, type LiveSource } from '#/events/live-source.ts';

/** A class of expected errors; its literal code keeps other Errors out of a declaration. */
export type ErrorClass = new (...args: never[]) => ExpectedError;
type Fail<E extends readonly ErrorClass[]> = (error: InstanceType<E[number]>) => never;

/** What may be used inside a transaction: nothing here reaches the network. */
export interface Inside {
  readonly ids: Ids;
  readonly random: Random;
}

export interface UseCase<I, O> {
  (deps: Deps, caller: Caller, input: I): Promise<O>;
  readonly permission: Permission;
  readonly errors: readonly ErrorClass[];
  /** It asks for a fresh proof of identity. */
  readonly stepUp: boolean;
}

interface Declaration<E extends readonly ErrorClass[]> {
  readonly permission: Permission;
  /** All that it may fail with; the GraphQL union is made from this list. */
  readonly errors: E;
  /** A person must have proved who they are within the last minutes (domain/sign-in.ts). */
  readonly stepUp?: boolean;
}

/** A member's rights on a single server are held by the reach of the scope, which ends where the permission does. */
export function authorize({ actor }: Caller, permission: Permission, stepUp: boolean, clock: Clock): void {
  const refusal = refusalOf(actor, permission);
  if (refusal !== null) throw new Forbidden(refusal);
  if (stepUp && !isProved(actor, clock.now())) throw new StepUpRequired();
}

/** Programs have proved all they can with their token. */
export function isProved(actor: Actor, now: Date): boolean {
  return actor.kind !== 'USER' || (actor.provedUntil !== null && actor.provedUntil > now);
}

export function query<I, O, const E extends readonly ErrorClass[]>(
  declaration: Declaration<E> & {
    run(context: { scope: ReadScope; deps: Deps; fail: Fail<E> }, input: I): Promise<O>;
  },
): UseCase<I, O> {
  const { permission, errors, stepUp = false } = declaration;
  const run = async (deps: Deps, caller: Caller, input: I): Promise<O> => {
    authorize(caller, permission, stepUp, deps.clock);
    const scope = readScope(deps.db, reachOf(caller.actor, permission));
    return asserting(errors, () => declaration.run({ scope, deps, fail }, input));
  };
  return Object.assign(run, { permission, errors, stepUp });
}

/**
 * What a caller follows. The permission is checked before it opens; whoever hands the items on checks it again for each,
 * for a stream outlives the decision that let it begin.
 */
export function stream<I, T, const E extends readonly ErrorClass[]>(
  declaration: Declaration<E> & {
    open(context: { scope: ReadScope; deps: Deps; caller: Caller; fail: Fail<E> }, input: I): Promise<LiveSource<T>>;
  },
): UseCase<I, LiveSource<T>> {
  const { permission, errors, stepUp = false } = declaration;
  const run = async (deps: Deps, caller: Caller, input: I): Promise<LiveSource<T>> => {
    authorize(caller, permission, stepUp, deps.clock);
    const scope = readScope(deps.db, reachOf(caller.actor, permission));
    return asserting(errors, () => declaration.open({ scope, deps, caller, fail }, input));
  };
  return Object.assign(run, { permission, errors, stepUp });
}

export function command<I, O, const E extends readonly ErrorClass[], P = undefined>(
  declaration: Declaration<E> & {
    /** What stands in the audit log of the account; without secrets. */
    audit(input: I, output: O): AuditRecord;
    /** Where only some inputs need the proof that `stepUp` asks for always. */
    stepUpFor?(input: I): boolean;
    /** Whom to tell after the commit. */
    readonly announces?: readonly Topic[];
    /** Before the transaction: hashing, DNS, whatever takes time. */
    prepare?(context: { scope: ReadScope; deps: Deps; caller: Caller; fail: Fail<E> }, input: I): Promise<P>;
    /** May run again from the start when the database asks for it. */
    run(
      context: { scope: WriteScope; inside: Inside; caller: Caller; prepared: P; fail: Fail<E> },
      input: I,
    ): Promise<O>;
    /** After the commit, once: mail and the like. What fails here undoes nothing. */
    afterwards?(context: { deps: Deps; caller: Caller; prepared: P }, input: I, output: O): Promise<void>;
  },
): UseCase<I, O> {
  const { permission, errors, stepUp = false } = declaration;
  const run = async (deps: Deps, caller: Caller, input: I): Promise<O> => {
    authorize(caller, permission, stepUp || declaration.stepUpFor?.(input) === true, deps.clock);
    const reach = reachOf(caller.actor, permission);
    const { output, prepared, record } = await asserting(errors, async () => {
      const scope = readScope(deps.db, reach);
      // Without `prepare`, P is its default: undefined.
      const prepared = (await declaration.prepare?.({ scope, deps, caller, fail }, input)) as P;
      const { output, record } = await repeating(() =>
        writeInScope(deps.db, reach, deps.clock.now(), async (scope) => {
          const inside = { ids: deps.ids, random: deps.random };
          const output = await declaration.run({ scope, inside, caller, prepared, fail }, input);
          const record = declaration.audit(input, output);
          await appendAudit(scope, deps.ids.next(), caller, record);
          return { output, record };
        }),
      );
      return { output, prepared, record };
    });
    logAudit(deps.log, caller, record);
    for (const topic of declaration.announces ?? []) deps.channel.nudge(topic);
    await declaration.afterwards?.({ deps, caller, prepared }, input, output);
    return output;
  };
  return Object.assign(run, { permission, errors, stepUp });
}

export interface GroupUseCase<I, O> extends UseCase<I, O> {
  /** Each succeeds or fails by itself; answers stand in the order of the inputs. */
  many(deps: Deps, caller: Caller, inputs: readonly I[]): Promise<readonly (O | ExpectedError)[]>;
}

/**
 * A command that is called very often: calls of one account that arrive while a transaction of theirs is under way are
 * committed together in the next one. Not audited: the rows it makes are their own record, with the token that made them.
 */
export function groupCommand<I, O, P extends { readonly weight: number }, const E extends readonly ErrorClass[]>(
  declaration: Declaration<E> & {
    readonly announces: readonly Topic[];
    /** Outside the transaction, for each input. `weight`: bytes that it brings into the transaction. */
    prepare(context: { scope: ReadScope; deps: Deps; caller: Caller; fail: Fail<E> }, input: I): Promise<P>;
    run(
      context: { scope: WriteScope; inside: Inside },
      prepared: readonly P[],
    ): Promise<readonly (O | ExpectedError)[]>;
  },
): GroupUseCase<I, O> {
  const { permission, errors, stepUp = false } = declaration;
  const groups = commitInGroups<P, O | ExpectedError>();

  const prepareAll = (deps: Deps, caller: Caller, inputs: readonly I[]) => {
    const scope = readScope(deps.db, reachOf(caller.actor, permission));
    return Promise.all(
      inputs.map((input) =>
        asserting(errors, () => declaration.prepare({ scope, deps, caller, fail }, input)).catch((error: unknown) => {
          if (error instanceof ExpectedError) return error;
          throw error;
        }),
      ),
    );
  };

  const many = async (deps: Deps, caller: Caller, inputs: readonly I[]): Promise<readonly (O | ExpectedError)[]> => {
    authorize(caller, permission, stepUp, deps.clock);
    const prepared = await prepareAll(deps, caller, inputs);
    const accepted = prepared.filter((item): item is Awaited<P> => !(item instanceof ExpectedError));
    const reach = reachOf(caller.actor, permission);
    const outputs = await groups.submit(deps, reach.accountId, accepted, async (all) => {
      const result = await repeating(() =>
        writeInScope(deps.db, { ...reach, servers: null, streamId: null }, deps.clock.now(), (scope) =>
          declaration.run({ scope, inside: { ids: deps.ids, random: deps.random } }, all),
        ),
      );
      for (const topic of declaration.announces) deps.channel.nudge(topic);
      return result;
    });
    let next = 0;
    return prepared.map((item) => {
      if (item instanceof ExpectedError) return item;
      const output = outputs[next++];
      if (output === undefined) throw new Error('a group answered fewer items than it was given');
      return output;
    });
  };

  const one = async (deps: Deps, caller: Caller, input: I): Promise<O> => {
    const [output] = await many(deps, caller, [input]);
    if (output === undefined) throw new Error('a group answered nothing');
    if (output instanceof ExpectedError) throw output;
    return output;
  };
  return Object.assign(one, { permission, errors, stepUp, many });
}

/** The operator's own record, beside the account's. */
export function logAudit(log: Log, { actor, requestId, ipAddress }: Caller, record: AuditRecord): void {
  const { kind, accountId, label } = actor;
  const { action, subjectIds } = record;
  const about = { accountId: encodeId('account', accountId), actor: kind, label, subjectIds, requestId, ipAddress };
  log.info({ audit: action, ...about }, 'audit');
}

export function fail(error: ExpectedError): never {
  throw error;
}

/** An expected error that was not declared is a defect: it must not reach a union that does not know it. */
export async function asserting<T>(errors: readonly ErrorClass[], run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof ExpectedError && !errors.some((known) => error instanceof known)) {
      throw new Error(`undeclared expected error ${error.code}`, { cause: error });
    }
    throw error;
  }
}

/** Serialisation failure, deadlock: PostgreSQL's way of saying "again". */
const REPEATABLE = new Set(['40001', '40P01']);
const MAX_TRIES = 4;

export async function repeating<T>(run: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await run();
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (attempt === MAX_TRIES || typeof code !== 'string' || !REPEATABLE.has(code)) throw error;
    }
  }
}
