// Use-cases that are about people and not about an account: the same machinery as in define.ts for whoever signs in, has
// signed in, or is on the way. What is done stands in the audit log of every account that the person is a member of.
import { appendAudit, type AuditRecord } from '#/db/audit.ts';
import { listMemberships } from '#/db/identity-memberships.ts';
import { scopeOfAccount, type SystemWriteScope, writeInSystemScope } from '#/db/scope.ts';
import {
  type ExpectedError,
  Forbidden,
  StepUpRequired,
  TwoFactorEnrollmentRequired,
  TwoFactorRequired,
  Unauthenticated,
} from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import type { Person } from '#/domain/person.ts';
import type { Ids, Topic } from '#/runtime/ports.ts';
import { asserting, type ErrorClass, fail, type Inside, repeating } from './define.ts';
import type { Deps } from './deps.ts';
import type { Visitor } from './visitor.ts';

/**
 * How far somebody must have come: SIGNED_IN with nothing left to do; ENROLLING: the same, or kept from everything else by
 * an account that demands a second factor; SECOND_STEP: the password was right, the second factor is still to be shown;
 * STAFF: signed in, and one of the staff of the installation; ANY: any of these.
 */
export type PersonalState = 'SIGNED_IN' | 'ENROLLING' | 'SECOND_STEP' | 'STAFF' | 'ANY';

type Fail<E extends readonly ErrorClass[]> = (error: InstanceType<E[number]>) => never;

/** The answer is an error, and what was written stays: a failed guess that is counted. */
export class Failed<E extends ExpectedError> {
  readonly error: E;
  constructor(error: E) {
    this.error = error;
  }
}

export interface PersonalUseCase<I, O> {
  (deps: Deps, visitor: Visitor, input: I): Promise<O>;
  readonly state: PersonalState | 'ANYBODY';
  readonly stepUp: boolean;
  readonly errors: readonly ErrorClass[];
}

interface PersonalContext<E extends readonly ErrorClass[]> {
  readonly deps: Deps;
  readonly visitor: Visitor;
  readonly person: Person;
  readonly fail: Fail<E>;
}

export function personalCommand<I, O, const E extends readonly ErrorClass[], P = undefined>(declaration: {
  readonly state: PersonalState;
  /** A fresh proof of identity is needed. */
  readonly stepUp?: boolean;
  readonly errors: E;
  readonly announces?: readonly Topic[];
  /** Null: nothing happened that needs to be on record. */
  audit(input: I, output: O): AuditRecord | null;
  prepare?(context: PersonalContext<E>, input: I): Promise<P>;
  /** May run again from the start when the database asks for it. */
  run(
    context: Omit<PersonalContext<E>, 'deps'> & { scope: SystemWriteScope; inside: Inside; prepared: P },
    input: I,
  ): Promise<O | Failed<InstanceType<E[number]>>>;
  /** After the commit, once. What fails here undoes nothing. */
  afterwards?(context: Omit<PersonalContext<E>, 'fail'> & { prepared: P }, input: I, output: O): Promise<void>;
}): PersonalUseCase<I, O> {
  const { state, errors, stepUp = false } = declaration;
  const run = async (deps: Deps, visitor: Visitor, input: I): Promise<O> => {
    const person = admit(visitor, state, stepUp, deps.clock.now());
    const { output, prepared } = await asserting(errors, async () => {
      const prepared = (await declaration.prepare?.({ deps, visitor, person, fail }, input)) as P;
      const output = await inTransaction(deps, async (scope) => {
        const inside = { ids: deps.ids, random: deps.random };
        const output = await declaration.run({ scope, inside, visitor, person, prepared, fail }, input);
        if (output instanceof Failed) return output;
        const record = declaration.audit(input, output);
        if (record !== null) await auditPerson(scope, deps.ids, identityOf(person), visitor, record);
        return output;
      });
      if (output instanceof Failed) {
        const failure: ExpectedError = output.error;
        throw failure;
      }
      return { output, prepared };
    });
    const record = declaration.audit(input, output);
    if (record !== null) logPerson(deps, identityOf(person), visitor, record);
    for (const topic of declaration.announces ?? []) deps.channel.nudge(topic);
    await declaration.afterwards?.({ deps, visitor, person, prepared }, input, output);
    return output;
  };
  return Object.assign(run, { state, stepUp, errors });
}

/** For anybody: what it takes to be let in is the use-case itself (a password, a link). It records what it does by itself. */
export function openCommand<I, O, const E extends readonly ErrorClass[]>(declaration: {
  readonly errors: E;
  run(
    context: {
      readonly deps: Deps;
      readonly visitor: Visitor;
      readonly fail: Fail<E>;
      transaction<T>(run: (scope: SystemWriteScope) => Promise<T>): Promise<T>;
    },
    input: I,
  ): Promise<O>;
}): PersonalUseCase<I, O> {
  const { errors } = declaration;
  const run = (deps: Deps, visitor: Visitor, input: I): Promise<O> =>
    asserting(errors, () =>
      declaration.run({ deps, visitor, fail, transaction: (inside) => inTransaction(deps, inside) }, input),
    );
  return Object.assign(run, { state: 'ANYBODY' as const, stepUp: false, errors });
}

export interface Identity {
  readonly userId: string;
  readonly email: string;
  readonly sessionId: string | null;
}

/** In the audit log of each account that the person is a member of. */
export async function auditPerson(
  scope: SystemWriteScope,
  ids: Ids,
  identity: Identity,
  { requestId, ipAddress }: Pick<Visitor, 'requestId' | 'ipAddress'>,
  record: AuditRecord,
): Promise<void> {
  const { userId, email, sessionId } = identity;
  for (const { accountId, role } of await listMemberships(scope, userId)) {
    const actor = {
      kind: 'USER' as const,
      accountId,
      userId,
      sessionId: sessionId ?? '',
      label: email,
      role,
      grants: new Map<string, never>(),
      provedUntil: null,
    };
    await appendAudit(scopeOfAccount(scope, accountId), ids.next(), { actor, requestId, ipAddress }, record);
  }
}

/** The operator's own record. */
export function logPerson(deps: Deps, { userId, email }: Identity, visitor: Visitor, record: AuditRecord): void {
  const { requestId, ipAddress } = visitor;
  const { action, subjectIds } = record;
  const about = { actor: 'USER', userId: encodeId('user', userId), label: email, subjectIds, requestId, ipAddress };
  deps.log.info({ audit: action, ...about }, 'audit');
}

function identityOf({ userId, email, session }: Person): Identity {
  return { userId, email, sessionId: session.id };
}

function inTransaction<T>(deps: Deps, run: (scope: SystemWriteScope) => Promise<T>): Promise<T> {
  return repeating(() => writeInSystemScope(deps.system, deps.clock.now(), run));
}

function admit({ person }: Visitor, state: PersonalState, stepUp: boolean, now: Date): Person {
  if (person === null) throw new Unauthenticated('Sign in first.');
  const { requirement } = person;
  if (state === 'ANY') return person;
  if (state === 'SECOND_STEP') {
    if (requirement !== 'VERIFY_TWO_FACTOR') throw new Unauthenticated('There is no second step to take.');
    return person;
  }
  if (requirement === 'VERIFY_TWO_FACTOR') throw new TwoFactorRequired();
  if (requirement === 'ENROLL_TWO_FACTOR' && state !== 'ENROLLING') throw new TwoFactorEnrollmentRequired();
  if (state === 'STAFF' && !person.staff) throw new Forbidden('only staff of the installation may');
  if (stepUp && (person.provedUntil === null || person.provedUntil <= now)) throw new StepUpRequired();
  return person;
}
