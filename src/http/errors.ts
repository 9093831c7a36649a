// What callers are told when something goes wrong: expected refusals with their code, defects as one opaque sentence and
// the request's id.
import { PothosValidationError } from '@pothos/core';
import { ForbiddenError } from '@pothos/plugin-scope-auth';
import { GraphQLError } from 'graphql';
import { CursorExpired, ExpectedError, RateLimited, Refusal } from '#/domain/errors.ts';
import { redactTokens } from '#/domain/token.ts';
import type { Log } from '#/runtime/ports.ts';

/** The request is refused before a field is run: the answer has no `data`. */
export class RequestFault extends Error {
  readonly errors: readonly GraphQLError[];
  /** HTTP status with application/graphql-response+json. */
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** A fault of the document: GraphQL over HTTP has status 200 for those with application/json (§6.4.1). */
  readonly inDocument: boolean;

  constructor(
    errors: readonly GraphQLError[],
    status: number,
    options: { readonly headers?: Readonly<Record<string, string>>; readonly inDocument?: boolean } = {},
  ) {
    const shown = errors.map(withoutTokens);
    super(shown[0]?.message ?? 'refused');
    this.errors = shown;
    this.status = status;
    this.headers = options.headers ?? {};
    this.inDocument = options.inDocument ?? false;
  }
}

export function refused(
  status: number,
  code: string,
  message: string,
  headers: Record<string, string> = {},
): RequestFault {
  return new RequestFault([new GraphQLError(message, { extensions: { code } })], status, { headers });
}

/** Too much of something at once; `retryAfter`: seconds. */
export function overloaded(message: string, retryAfter: number): RequestFault {
  const error = new GraphQLError(message, { extensions: { code: 'RATE_LIMITED', retryAfter } });
  return new RequestFault([error], 429, { headers: { 'retry-after': String(retryAfter) } });
}

export function refusedDocument(code: string, message: string): RequestFault {
  return new RequestFault([new GraphQLError(message, { extensions: { code } })], 400, { inDocument: true });
}

export function codeOf([error]: readonly GraphQLError[]): string {
  const code = error?.extensions['code'];
  return typeof code === 'string' ? code : 'INTERNAL';
}

/** Errors of graphql-js itself, which carry no code. */
export function withCode(errors: readonly GraphQLError[], code: string): readonly GraphQLError[] {
  return errors.map((error) => {
    if (typeof error.extensions['code'] === 'string') return error;
    return recoded(error, error.message, { ...error.extensions, code });
  });
}

/** An answer may hold thousands of failing fields; each of the first few is logged. */
const LOGGED_DEFECTS = 5;

export interface Masking {
  readonly log: Log;
  readonly requestId: string;
  readonly operationName: string | null;
}

export function maskErrors(errors: readonly GraphQLError[], masking: Masking): readonly GraphQLError[] {
  let logged = 0;
  return errors.map((error) => {
    const known = knownError(error);
    if (known !== null) return withoutTokens(known);
    if (logged++ < LOGGED_DEFECTS) logDefect(error.cause ?? error, masking, error.path);
    return recoded(error, 'Unexpected error.', { code: 'INTERNAL', requestId: masking.requestId });
  });
}

/** For what was thrown outside of any field. */
export function maskThrown(thrown: unknown, masking: Masking): readonly GraphQLError[] {
  if (thrown instanceof RequestFault) return thrown.errors;
  const located = thrown instanceof GraphQLError ? thrown : wrap(thrown);
  return maskErrors([located], masking);
}

function wrap(thrown: unknown): GraphQLError {
  const cause = thrown instanceof Error ? thrown : new Error(String(thrown));
  return new GraphQLError(cause.message, { cause });
}

function logDefect(error: unknown, { log, requestId, operationName }: Masking, path: GraphQLError['path']): void {
  log.error({ error, requestId, operation: operationName, path }, 'a field failed unexpectedly');
}

/** Pothos throws the same class for page sizes and ids that a caller got wrong, and for mistakes of a schema's author. */
const OF_ARGUMENTS = /^(?:Argument "|Invalid |ID: )/;

/** The error as the caller may see it, or null for a defect. */
function knownError(error: GraphQLError): GraphQLError | null {
  const cause = rootCause(error);
  if (cause instanceof CursorExpired) {
    return recoded(error, cause.message, { code: cause.code, oldestCursor: cause.oldestCursor });
  }
  if (cause instanceof RateLimited) {
    return recoded(error, cause.message, { code: cause.code, retryAfter: cause.retryAfter });
  }
  if (cause instanceof Refusal || cause instanceof ExpectedError) {
    return recoded(error, cause.message, { code: cause.code });
  }
  if (!(cause instanceof GraphQLError)) return null;
  if (typeof cause.extensions['code'] === 'string') return error;
  if (cause instanceof ForbiddenError) return recoded(error, cause.message, { code: 'FORBIDDEN' });
  if (cause instanceof PothosValidationError && OF_ARGUMENTS.test(cause.message)) {
    return recoded(error, cause.message, { code: 'BAD_USER_INPUT' });
  }
  // graphql-js gives arguments that do not coerce the place in the document; what fails to serialise has none: our defect.
  return cause.nodes !== undefined && cause === error
    ? recoded(error, error.message, { code: 'BAD_USER_INPUT' })
    : null;
}

function rootCause(error: GraphQLError): Error {
  let cause: Error = error;
  while (cause instanceof GraphQLError && cause.cause instanceof Error) cause = cause.cause;
  return cause;
}

/** graphql-js repeats what it could not read; an answer, which ends in logs of clients, is no place for a secret. */
function withoutTokens(error: GraphQLError): GraphQLError {
  const message = redactTokens(error.message);
  return message === error.message ? error : recoded(error, message, { ...error.extensions });
}

/** Without the cause, so that nothing of it can reach the answer. */
function recoded(error: GraphQLError, message: string, extensions: Record<string, unknown>): GraphQLError {
  return new GraphQLError(message, {
    nodes: error.nodes ?? null,
    source: error.source,
    positions: error.positions,
    path: error.path,
    extensions,
  });
}
