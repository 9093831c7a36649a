// SMTP submission: customers' programs hand over whole messages. The rules are those of sendEmail, for it is the same
// acceptance; what will never be accepted is refused at once, and 250 follows the commit.
import type { SMTPServerAddress } from 'smtp-server';
import { MAX_RECIPIENTS } from '#/domain/email/limits.ts';
import { parseMailbox } from '#/domain/email-address.ts';
import { encodeId } from '#/domain/ids.ts';
import type { Deps } from '#/resolvers/deps.ts';
import { checkSender } from '#/resolvers/emails/check-sender.ts';
import { sendSource } from '#/resolvers/emails/send-source.ts';
import type { TokenCheck } from '#/resolvers/tokens/token-check.ts';
import { createBuckets } from '../protocol/buckets.ts';
import { collect, MemoryBudget } from '../protocol/collect.ts';
import type { Connection } from '../protocol/connection.ts';
import { type SessionHandlers, SmtpListener, type SmtpMetrics, type TlsPair } from '../protocol/listener.ts';
import { SmtpRefusal } from '../protocol/refusal.ts';
import { createAuthentication, type SubmissionUser } from './authenticate.ts';
import { SUBMISSION_LIMITS, type SubmissionLimits } from './limits.ts';
import { refusalFor } from './replies.ts';

export interface SubmissionOptions {
  readonly deps: Deps;
  readonly tokens: Pick<TokenCheck, 'check' | 'onRevocation'>;
  readonly name: string;
  readonly host: string;
  /** Null: off. 0: any free one. */
  readonly ports: { readonly startTls: number | null; readonly implicitTls: number | null };
  readonly tls: TlsPair;
  /** AUTH also without TLS, for networks that nobody listens in. */
  readonly plaintextAuth: boolean;
  /** Messages a second of one token in this process, with ten seconds' worth as burst; 0: no limit. */
  readonly messagesPerSecond: number;
  readonly limits?: Partial<SubmissionLimits>;
  readonly metrics?: SmtpMetrics;
}

export interface RunningSubmission extends AsyncDisposable {
  readonly ports: { readonly startTls: number | null; readonly implicitTls: number | null };
}

const BURST_SECONDS = 10;

export async function startSubmission(options: SubmissionOptions): Promise<RunningSubmission> {
  const { deps, tokens, host, ports } = options;
  const limits = { ...SUBMISSION_LIMITS, ...options.limits };
  const listeners: SmtpListener[] = [];
  const handlers = createHandlers(options, limits, () => listeners.flatMap((listener) => [...listener.openSessions]));
  const open = async (port: number | null, implicitTls: boolean): Promise<number | null> => {
    if (port === null) return null;
    const { clock, log } = deps;
    const { name, tls, plaintextAuth, metrics } = options;
    const common = { name, tls, implicitTls, plaintextAuth, limits, handlers, clock, log };
    const listener = new SmtpListener(metrics === undefined ? common : { ...common, metrics });
    listeners.push(listener);
    return listener.start(port, host);
  };
  const stopListening = tokens.onRevocation((ids) => endSessions(listeners, new Set(ids)));
  const stop = async () => {
    stopListening();
    await Promise.all(listeners.map((listener) => listener.stop()));
  };
  try {
    const startTls = await open(ports.startTls, false);
    const implicitTls = await open(ports.implicitTls, true);
    return { ports: { startTls, implicitTls }, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function endSessions(listeners: readonly SmtpListener[], tokenIds: ReadonlySet<string>): void {
  for (const listener of listeners)
    for (const connection of listener.openSessions) {
      const user = userOf(connection);
      if (user !== null && tokenIds.has(user.tokenId)) connection.end(421, '4.7.0 This token has ended');
    }
}

function userOf({ session }: Connection): SubmissionUser | null {
  return (session.user as SubmissionUser | false | undefined) || null;
}

function createHandlers(
  { deps, tokens, messagesPerSecond }: SubmissionOptions,
  limits: SubmissionLimits,
  sessions: () => readonly Connection[],
): SessionHandlers {
  const { clock } = deps;
  const authenticate = createAuthentication({ tokens, clock, limits });
  const budget = new MemoryBudget(limits.bytesInMemory);
  const buckets =
    messagesPerSecond > 0
      ? createBuckets(clock, { capacity: messagesPerSecond * BURST_SECONDS, perSecond: messagesPerSecond })
      : null;

  /** Also where smtp-server would let a session without AUTH pass. */
  const authenticated = (connection: Connection): SubmissionUser => {
    const user = userOf(connection);
    if (user === null) throw new SmtpRefusal(530, '5.7.0', 'Authentication required');
    return user;
  };

  return {
    async authenticate(credentials, connection) {
      const user = await authenticate(credentials, connection);
      const others = sessions().filter((other) => userOf(other)?.tokenId === user.tokenId);
      if (others.length >= limits.sessionsOfToken)
        throw new SmtpRefusal(421, '4.7.0', `Too many sessions of this token; at most ${limits.sessionsOfToken} here`);
      return user;
    },
    async mail({ address }, connection) {
      const user = authenticated(connection);
      if ((await tokens.check(user.secret, connection.remoteAddress)) === null)
        throw new SmtpRefusal(421, '4.7.0', 'This token has ended');
      if (buckets?.take(user.tokenId) === false)
        throw new SmtpRefusal(
          451,
          '4.7.0',
          `Too many messages; this token may send ${messagesPerSecond} a second here`,
        );
      // Auto-replies and reports have no sender in the envelope; their From is judged like any other.
      if (address !== '') await expected(() => checkSender(deps, user.caller, { serverId: user.serverId, address }));
    },
    async recipient({ address }, connection) {
      authenticated(connection);
      const { rcptTo } = connection.session.envelope;
      // RFC 5321 §4.5.3.1.10: a client that knows better than to give up takes 552 for "send these in another message".
      if (rcptTo.length >= MAX_RECIPIENTS && !isRepeated(rcptTo, address))
        throw new SmtpRefusal(552, '5.5.3', `At most ${MAX_RECIPIENTS} recipients a message: send several messages`);
      const parsed = parseMailbox(address);
      if (!parsed.ok) throw new SmtpRefusal(553, '5.1.3', `This address ${parsed.reason}`);
    },
    async message(stream, connection) {
      const { caller } = authenticated(connection);
      const recipients = connection.session.envelope.rcptTo.map(({ address }) => address);
      using collected = await collect(stream, { most: limits.messageBytes, budget, tooLarge });
      const source = collected.bytes;
      const message = await expected(() => sendSource(deps, caller, { serverId: null, recipients, source }));
      return `2.0.0 Accepted as ${encodeId('message', message.id)}`;
    },
  };

  function tooLarge(): SmtpRefusal {
    return new SmtpRefusal(
      552,
      '5.3.4',
      `The message is larger than ${limits.messageBytes} octets: send large files as links`,
    );
  }
}

function isRepeated(recipients: readonly SMTPServerAddress[], address: string): boolean {
  return recipients.some((known) => known.address.toLowerCase() === address.toLowerCase());
}

async function expected<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw refusalFor(error) ?? error;
  }
}
