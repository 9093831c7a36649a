// AUTH with a server token: as user and password, or as the password of the user `token`. What is wrong is answered
// alike and late, whatever was wrong; only who holds a real token hears what it lacks.
import { refusalOf } from '#/domain/actor.ts';
import type { Caller } from '#/resolvers/define.ts';
import { sendSource } from '#/resolvers/emails/send-source.ts';
import type { CheckedToken, TokenCheck } from '#/resolvers/tokens/token-check.ts';
import type { Clock } from '#/runtime/ports.ts';
import type { Connection } from '../protocol/connection.ts';
import type { Credentials } from '../protocol/listener.ts';
import { SmtpRefusal } from '../protocol/refusal.ts';
import type { SubmissionLimits } from './limits.ts';

export interface SubmissionUser {
  readonly caller: Caller;
  readonly tokenId: string;
  readonly serverId: string;
  /** Asked again with each message. */
  readonly secret: string;
}

interface Failures {
  count: number;
  lastAt: number;
}

/** Networks that are remembered; a flood from more makes them all new. */
const MAX_NETWORKS = 10_000;

export function createAuthentication(options: {
  readonly tokens: Pick<TokenCheck, 'check'>;
  readonly clock: Clock;
  readonly limits: SubmissionLimits;
}) {
  const { tokens, clock, limits } = options;
  const ofNetwork = new Map<string, Failures>();
  const ofSession = new WeakMap<Connection, number>();

  const countFailure = (network: string): number => {
    const now = clock.monotonic();
    const known = ofNetwork.get(network);
    const count = known === undefined || now - known.lastAt > limits.authForgetMs ? 1 : known.count + 1;
    if (ofNetwork.size >= MAX_NETWORKS) ofNetwork.clear();
    ofNetwork.set(network, { count, lastAt: now });
    return count;
  };

  /** A network of many customers: its wrong tries make wrong ones wait, and never a right one. */
  const refuse = async (connection: Connection, text: string): Promise<never> => {
    const inSession = (ofSession.get(connection) ?? 0) + 1;
    ofSession.set(connection, inSession);
    const count = countFailure(connection.network);
    await clock.sleep(Math.min(limits.authDelayMs * 2 ** Math.min(count - 1, 20), limits.longestAuthDelayMs));
    throw new SmtpRefusal(535, '5.7.8', text, { closes: inSession >= limits.authFailures });
  };

  return async ({ user, password }: Credentials, connection: Connection): Promise<SubmissionUser> => {
    const asToken = user.toLowerCase() === 'token' || user === password;
    const token = asToken ? await tokens.check(password, connection.remoteAddress) : null;
    if (token === null) {
      const text = 'Not a valid server token for this address. The token is user and password; or the user is "token"';
      return refuse(connection, text);
    }
    const lack = lackOf(token);
    if (lack !== null) return refuse(connection, lack);
    const { actor } = token;
    if (actor.kind !== 'SERVER_TOKEN') throw new Error('a token of no server passed');
    return {
      caller: { actor, requestId: `smtp-${connection.id}`, ipAddress: connection.remoteAddress },
      tokenId: actor.tokenId,
      serverId: actor.serverId,
      secret: password,
    };
  };
}

function lackOf({ actor }: CheckedToken): string | null {
  if (actor.kind !== 'SERVER_TOKEN') return 'This is a token of the account: sending takes a token of a server';
  return refusalOf(actor, sendSource.permission) === null
    ? null
    : 'This token may not send: it needs the scope MESSAGES_SEND';
}
