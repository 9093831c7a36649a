// A browser without a network: keeps the two cookies, comes from an address, and calls the schema as whoever its session
// makes it. Also a program, which shows the session's secret by itself and keeps no cookies.
import { execute, GraphQLError, parse, validate } from 'graphql';
import { findSessionBySecret } from '#/db/sessions.ts';
import { RateLimited } from '#/domain/errors.ts';
import type { Person } from '#/domain/person.ts';
import { secretHashOf } from '#/resolvers/sessions/session-check.ts';
import { toPerson } from '#/resolvers/sessions/to-person.ts';
import { createContext, schema } from '#/schema/index.ts';
import type { World } from './world.ts';

export interface Reply {
  /** What was asked for is known where it is asked. */
  readonly data: any;
  readonly codes: readonly string[];
  /** Of RATE_LIMITED. */
  readonly retryAfter: number | null;
}

export class Browser {
  session: string | null = null;
  device: string | null = null;
  ipAddress: string;
  readonly userAgent = 'Firefox <test>';
  readonly #w: World;
  readonly #keepsCookies: boolean;

  constructor(w: World, { ipAddress = '198.51.100.7', program = false } = {}) {
    this.#w = w;
    this.ipAddress = ipAddress;
    this.#keepsCookies = !program;
  }

  async person(): Promise<Person | null> {
    if (this.session === null) return null;
    const { db, clock } = this.#w.deps;
    const now = clock.now();
    const facts = await findSessionBySecret(db, secretHashOf(this.session), now);
    return facts === undefined ? null : toPerson(facts, now, this.#keepsCookies);
  }

  async execute(document: string, variables: Readonly<Record<string, unknown>> = {}): Promise<Reply> {
    const parsed = parse(document);
    const [fault] = validate(schema, parsed);
    if (fault !== undefined) throw fault;
    const person = await this.person();
    const contextValue = createContext(this.#w.deps, person === null ? null : { person }, {
      requestId: 'test',
      ipAddress: this.ipAddress,
      userAgent: this.userAgent,
      cookies: this.#keepsCookies ? this.#cookies() : null,
      signal: new AbortController().signal,
    });
    const { data, errors = [] } = await execute({ schema, document: parsed, variableValues: variables, contextValue });
    const causes = errors.map(causeOf);
    const limited = causes.find((cause) => cause instanceof RateLimited);
    return { data, codes: causes.map(codeOf), retryAfter: limited?.retryAfter ?? null };
  }

  #cookies() {
    return {
      device: this.device,
      startSession: (secret: string) => {
        this.session = secret;
      },
      endSession: () => {
        this.session = null;
      },
      rememberDevice: (secret: string) => {
        this.device = secret;
      },
    };
  }
}

function causeOf(error: GraphQLError): Error {
  let cause: Error = error;
  while (cause instanceof GraphQLError && cause.cause instanceof Error) cause = cause.cause;
  return cause;
}

function codeOf(cause: Error): string {
  if ('code' in cause && typeof cause.code === 'string') return cause.code;
  return cause instanceof GraphQLError ? 'BAD_USER_INPUT' : `INTERNAL: ${cause.stack}`;
}

const SIGNED_IN = `__typename ... on Error { code } ... on InvalidCode { attemptsLeft }
  ... on SignedIn { token requirement user { id email } session { id expiresAt current ipAddress userAgent } }`;

export const SIGN_IN = `mutation ($input: SignInInput!) { signIn(input: $input) { ${SIGNED_IN.replace('... on InvalidCode { attemptsLeft }', '')} } }`;
export const VERIFY = `mutation ($input: VerifyTwoFactorInput!) { verifyTwoFactor(input: $input) { ${SIGNED_IN} } }`;
export const STEP_UP =
  'mutation ($input: StepUpInput!) { stepUp(input: $input) { __typename ... on Error { code } ... on SteppedUp { until token } } }';
export const VIEWER = '{ viewer { kind requirement user { email } } }';

export const signIn = (browser: Browser, email: string, password: string) =>
  browser.execute(SIGN_IN, { input: { email, password } });
export const verify = (browser: Browser, input: Readonly<Record<string, unknown>>) =>
  browser.execute(VERIFY, { input });
export const stepUp = (browser: Browser, input: Readonly<Record<string, unknown>>) =>
  browser.execute(STEP_UP, { input });
