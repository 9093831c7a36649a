// A listening SMTP server: sessions of connection.ts, their number, their deadlines, and their end. What a session is for
// stands in its handlers (submission, inbound).
import type { SMTPServerAddress, SMTPServerDataStream, SMTPServerSession } from 'smtp-server';
import { SMTPServer } from 'smtp-server';
import type { Clock, Log } from '#/runtime/ports.ts';
import { Connection } from './connection.ts';
import type { ListenerLimits } from './limits.ts';
import { SmtpRefusal, temporaryFailure } from './refusal.ts';

export interface TlsPair {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
}

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

/** Each fails with an SmtpRefusal; anything else is a defect, logged, and a temporary failure to the peer. */
export interface SessionHandlers {
  /** Without it there is no AUTH. What it gives is kept as the session's user. */
  authenticate?(credentials: Credentials, connection: Connection): Promise<object>;
  mail(sender: SMTPServerAddress, connection: Connection): Promise<void>;
  recipient(recipient: SMTPServerAddress, connection: Connection): Promise<void>;
  /** Resolves with the text of 250 when the message is durable, and never before. */
  message(stream: SMTPServerDataStream, connection: Connection): Promise<string>;
}

export interface SmtpMetrics {
  sessions(count: number): void;
  message(outcome: 'accepted' | 'refused' | 'deferred'): void;
  refused(code: number): void;
}

export const noSmtpMetrics: SmtpMetrics = { sessions() {}, message() {}, refused() {} };

export interface ListenerOptions {
  /** Said in the greeting. */
  readonly name: string;
  readonly tls: TlsPair;
  /** TLS from the first byte. */
  readonly implicitTls: boolean;
  /** AUTH also without TLS. */
  readonly plaintextAuth?: boolean;
  readonly limits: ListenerLimits;
  readonly handlers: SessionHandlers;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics?: SmtpMetrics;
}

/** Figures nobody needs, or doors that only a proxy of ours might use. */
const DISABLED = ['WIZ', 'SHELL', 'KILL', 'XCLIENT', 'XFORWARD'];
/** Those that are announced, and AUTH= (RFC 4954 §5), which says nothing here. */
const MAIL_PARAMETERS: ReadonlySet<string> = new Set(['SIZE', 'BODY', 'SMTPUTF8', 'AUTH']);
const RCPT_PARAMETERS: ReadonlySet<string> = new Set();
const SWEEP_MS = 1_000;
const DRAIN_CHECK_MS = 25;

/**
 * Each process takes connections of its own from the system, where that spreads them: handing each over from one process
 * to another takes a tenth of the time of a connection with one mail.
 */
const SHARING = process.platform === 'linux' ? { exclusive: true, reusePort: true } : {};

type Reply = (error?: Error | null, message?: string) => void;

export class SmtpListener extends SMTPServer {
  readonly clock: Clock;
  readonly limits: ListenerLimits;
  readonly plaintextAuth: boolean;
  readonly #log: Log;
  readonly #handlers: SessionHandlers;
  readonly #metrics: SmtpMetrics;
  readonly #open = new Set<Connection>();
  readonly #bySession = new WeakMap<SMTPServerSession, Connection>();
  readonly #ofNetwork = new Map<string, number>();
  readonly #acceptedAt = new WeakMap<object, number>();
  readonly #closing = new AbortController();

  constructor(options: ListenerOptions) {
    const { handlers, limits } = options;
    super({
      name: options.name,
      ...options.tls,
      secure: options.implicitTls,
      size: limits.messageBytes,
      heloResponse: '%s',
      authMethods: ['PLAIN', 'LOGIN'],
      authRequiredMessage: '5.7.0 Authentication required: AUTH PLAIN or LOGIN with a server token',
      allowInsecureAuth: options.plaintextAuth === true,
      disabledCommands: handlers.authenticate === undefined ? [...DISABLED, 'AUTH'] : DISABLED,
      hideENHANCEDSTATUSCODES: false,
      disableReverseLookup: true,
      logger: false,
      // Of handshakes under way; sessions are counted by ourselves.
      maxClients: limits.sessions,
      socketTimeout: limits.idleMs,
      maxCommandLength: limits.commandBytes,
    });
    this.clock = options.clock;
    this.limits = limits;
    this.plaintextAuth = options.plaintextAuth === true;
    this.#log = options.log;
    this.#handlers = handlers;
    this.#metrics = options.metrics ?? noSmtpMetrics;
    this.on('error', (error) => this.#log.debug({ error }, 'an SMTP session failed'));
  }

  /** Resolves with the port, which the system chose when `port` is 0. */
  start(port: number, host: string): Promise<number> {
    void this.#sweep();
    return new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.listen({ port, host, ...SHARING }, () => {
        this.server.off('error', reject);
        const address = this.server.address();
        resolve(typeof address === 'object' && address !== null ? address.port : port);
      });
    });
  }

  /** Messages that are under way are finished; all else ends now. */
  async stop(): Promise<void> {
    this.#closing.abort();
    this.server.close();
    for (const top of this._pendingSockets.values()) top.destroy();
    const until = this.clock.monotonic() + this.limits.drainMs;
    while (this.#open.size > 0 && this.clock.monotonic() < until) {
      for (const connection of this.#open)
        if (!connection.busy) connection.end(421, '4.3.2 This server is being stopped; try again');
      await this.clock.sleep(DRAIN_CHECK_MS);
    }
    for (const connection of this.#open) connection.abandon();
  }

  get openSessions(): ReadonlySet<Connection> {
    return this.#open;
  }

  override _acceptSocket(...[socket, handshake]: Parameters<SMTPServer['_acceptSocket']>): (() => void) | false {
    this.#acceptedAt.set(socket, this.clock.monotonic());
    return super._acceptSocket(socket, handshake);
  }

  override connect(...[socket, options]: Parameters<SMTPServer['connect']>): void {
    const connection = new Connection(this, socket, options);
    this.connections.add(connection);
    connection.on('error', (error: Error) => this._onError(error));
    connection.init();
  }

  // ── what sessions tell ──

  began(connection: Connection): void {
    this.#open.add(connection);
    this.#bySession.set(connection.session, connection);
    this.#ofNetwork.set(connection.network, (this.#ofNetwork.get(connection.network) ?? 0) + 1);
    this.#metrics.sessions(1);
  }

  ended(connection: Connection): void {
    if (!this.#open.delete(connection)) return;
    const left = (this.#ofNetwork.get(connection.network) ?? 1) - 1;
    if (left === 0) this.#ofNetwork.delete(connection.network);
    else this.#ofNetwork.set(connection.network, left);
    this.#metrics.sessions(-1);
  }

  refused(code: number): void {
    this.#metrics.refused(code);
  }

  /** Null: the session may begin. */
  refusalOf(connection: Connection): SmtpRefusal | null {
    if (this.#closing.signal.aborted) return new SmtpRefusal(421, '4.3.2', 'This server is being stopped');
    if (this.#open.size > this.limits.sessions)
      return new SmtpRefusal(421, '4.7.0', 'Too many sessions here; try again later');
    if ((this.#ofNetwork.get(connection.network) ?? 0) > this.limits.sessionsOfNetwork)
      return new SmtpRefusal(421, '4.7.0', `Too many sessions from ${connection.network}; use fewer at once`);
    return null;
  }

  // ── smtp-server's hooks ──

  override onConnect(_session: SMTPServerSession, callback: Reply): void {
    callback();
  }

  override onSecure(...[, , callback]: Parameters<SMTPServer['onSecure']>): void {
    callback();
  }

  override onAuth(...[auth, session, callback]: Parameters<SMTPServer['onAuth']>): void {
    const { username = '', authzid = '', password } = auth;
    const { authenticate } = this.#handlers;
    this.#run(session, callback, async (connection) => {
      if (authenticate === undefined || (authzid !== '' && authzid !== username))
        throw new SmtpRefusal(535, '5.7.8', 'Acting as somebody else is not possible');
      const user = await authenticate({ user: username, password: password ?? '' }, connection);
      callback(null, { user });
    });
  }

  override onMailFrom(...[address, session, callback]: Parameters<SMTPServer['onMailFrom']>): void {
    this.#run(session, callback, async (connection) => {
      refuseParameters(address, MAIL_PARAMETERS);
      await this.#handlers.mail(address, connection);
      callback();
    });
  }

  override onRcptTo(...[recipient, session, callback]: Parameters<SMTPServer['onRcptTo']>): void {
    this.#run(session, callback, async (connection) => {
      if (connection.refusedRecipients >= this.limits.refusedRecipients)
        throw new SmtpRefusal(421, '4.7.0', 'Too many recipients were refused');
      connection.refusedRecipients++;
      refuseParameters(recipient, RCPT_PARAMETERS);
      await this.#handlers.recipient(recipient, connection);
      connection.refusedRecipients--;
      callback();
    });
  }

  override onData(...[stream, session, callback]: Parameters<SMTPServer['onData']>): void {
    const connection = this.#bySession.get(session);
    if (connection === undefined) throw new Error('a message of no session');
    // Who hangs up amid it is not answered, and must not end the process.
    stream.on('error', () => {});
    connection.busy = true;
    connection.incoming = { stream, startedAt: this.clock.monotonic() };
    const received = () => (connection.incoming = null);
    stream.once('end', received);
    stream.once('close', received);
    const answer: Reply = (error, text) => {
      connection.busy = false;
      connection.lastCommandAt = this.clock.monotonic();
      this.#metrics.message(error ? (isPermanent(error) ? 'refused' : 'deferred') : 'accepted');
      callback(error, text);
    };
    this.#run(session, answer, async () => {
      const text = await this.#handlers.message(stream, connection);
      connection.idleCommands = 0;
      connection.refusedRecipients = 0;
      answer(null, text);
    });
  }

  #run(
    session: SMTPServerSession,
    refuse: (refusal: SmtpRefusal) => void,
    handle: (connection: Connection) => Promise<void>,
  ): void {
    const connection = this.#bySession.get(session);
    if (connection === undefined) return refuse(temporaryFailure());
    handle(connection).catch((error: unknown) => {
      const refusal = error instanceof SmtpRefusal ? error : temporaryFailure();
      if (refusal !== error) this.#log.error({ error }, 'an SMTP command failed on our side');
      refuse(refusal);
      if (refusal.closes && refusal.responseCode !== 421) connection.close();
    });
  }

  /** Ends sessions that are too slow: smtp-server's own timer begins anew with every octet. */
  async #sweep(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      await this.clock.sleep(SWEEP_MS, this.#closing.signal);
      const now = this.clock.monotonic();
      for (const connection of this.#open) this.#judge(connection, now);
      // The TLS socket, never the one below it: node 24 does not survive that amid a handshake.
      for (const [socket, top] of this._pendingSockets)
        if (now - (this.#acceptedAt.get(socket) ?? 0) > this.limits.handshakeMs) top.destroy();
    }
  }

  #judge(connection: Connection, now: number): void {
    const { idleMs, dataMs, dataGraceMs, dataBytesPerSecond } = this.limits;
    const { incoming } = connection;
    if (incoming === null) {
      if (!connection.busy && now - connection.lastCommandAt > idleMs)
        connection.end(421, '4.4.2 No command for too long');
      return;
    }
    const took = now - incoming.startedAt;
    const { byteLength } = incoming.stream;
    const slow = took > dataGraceMs && byteLength < (took / 1_000) * dataBytesPerSecond;
    if (slow || took > dataMs) connection.end(421, '4.4.2 The message comes too slowly');
    // Whoever goes on after twice as much as was announced will never stop.
    else if (byteLength > 2 * this.limits.messageBytes)
      connection.end(552, '5.3.4 This is far larger than any message that is taken');
  }
}

/** RFC 5321 §4.1.1.11. smtp-server takes any, and what somebody has hidden behind an address, for one. */
function refuseParameters({ args }: SMTPServerAddress, known: ReadonlySet<string>): void {
  const unknown = args === false ? undefined : Object.keys(args).find((key) => !known.has(key));
  if (unknown !== undefined) throw new SmtpRefusal(555, '5.5.4', 'This parameter is not known here');
}

function isPermanent(error: Error): boolean {
  return error instanceof SmtpRefusal && error.responseCode >= 500;
}
