// /graphql over WebSocket: the graphql-transport-ws protocol of graphql-ws on sockets of our own, so that payload, message
// rate, operations and sockets have bounds. Tokens are checked in connection_init and watched for as long as the socket is
// open.
//
// Opened → (connection_init within 5 s, else 4408) → acknowledged (4403 when refused) → … → closed by the client, by us
// (4401 token dead, 4429 too much, 1001 going away), or terminated when it has not answered a ping by the next one (pulse.ts).
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ExecutionArgs, GraphQLSchema } from 'graphql';
import { handleProtocols, makeServer, type Server, type SubscribePayload } from 'graphql-ws';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import type { Clock, Log, Random } from '#/runtime/ports.ts';
import { sessionInCookie } from './cookies.ts';
import { tokenInHeaders, tokenInParams } from './credentials.ts';
import { codeOf, overloaded, RequestFault } from './errors.ts';
import { limitMessages, SOCKET_LIMITS } from './limits/socket.ts';
import type { LiveTokens } from './live-tokens.ts';
import type { HttpMetrics } from './metrics.ts';
import type { Admitted, Call, Operations } from './operations.ts';
import { Outlet } from './outlet.ts';
import { readParams } from './params.ts';
import { Pulse } from './pulse.ts';
import { PushedStream } from './pushed-stream.ts';
import type { AuthenticatedCaller } from './types.ts';

/** Beside the protocol's own: the token is dead, and a client must not come back with it; rights are others or a session is to be renewed, and it should; too much of something. */
const TOKEN_DEAD = 4401;
const RIGHTS_CHANGED = 4403;
const TOO_MUCH = 4429;
const INTERNAL = 4500;
const GOING_AWAY = 1001;

const tooManyOperations = overloaded('Too many operations on one socket: end one, or open another socket.', 1).errors;

export interface WebSocketOptions {
  readonly schema: GraphQLSchema;
  readonly operations: Operations;
  readonly tokens: LiveTokens;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: HttpMetrics;
  newRequestId(): string;
}

interface Extra {
  readonly connection: Connection;
}

interface Connection {
  readonly socket: WebSocket;
  readonly outlet: Outlet;
  readonly userAgent: string | null;
  readonly ipAddress: string;
  /** Of the upgrade, until the socket is let in. */
  headers: IncomingHttpHeaders;
  caller: AuthenticatedCaller | null;
  release: () => void;
  readonly pulse: Pulse;
  readonly streams: Set<PushedStream>;
}

/** What onSubscribe admitted, for the execution of the same message. */
interface Accepted {
  readonly admitted: Admitted;
  readonly connection: Connection;
  /** Of the operation, as the client named it. */
  readonly id: string;
}

export class WebSocketEndpoint {
  readonly #options: WebSocketOptions;
  readonly #sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: SOCKET_LIMITS.payloadBytes,
    handleProtocols,
  });
  readonly #connections = new Set<Connection>();
  readonly #protocol: Server<Extra>;
  readonly #accepted = new WeakMap<ExecutionArgs, Accepted>();
  readonly #closing = new AbortController();

  constructor(options: WebSocketOptions) {
    this.#options = options;
    this.#protocol = this.#createProtocol();
    void this.#pingLoop();
  }

  get openSockets(): number {
    return this.#connections.size;
  }

  upgrade(request: IncomingMessage, stream: Duplex, head: Buffer, ipAddress: string): void {
    this.#sockets.handleUpgrade(request, stream, head, (socket) => this.#open(socket, stream, { request, ipAddress }));
  }

  /** Resolves when all have been told and closed, or terminated. */
  async close(): Promise<void> {
    const { clock, random } = this.#options;
    this.#closing.abort();
    await Promise.all(
      [...this.#connections].map(async ({ socket }) => {
        await clock.sleep(random.uniform() * SOCKET_LIMITS.closeJitterMs);
        if (socket.readyState === socket.CLOSED) return;
        const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
        socket.close(GOING_AWAY, 'Going away');
        await Promise.race([closed, clock.sleep(SOCKET_LIMITS.closeJitterMs)]);
        socket.terminate();
      }),
    );
    this.#sockets.close();
  }

  #open(socket: WebSocket, stream: Duplex, from: { request: IncomingMessage; ipAddress: string }): void {
    const { headers } = from.request;
    const connection: Connection = {
      socket,
      outlet: new Outlet(socket, stream),
      userAgent: headers['user-agent'] ?? null,
      ipAddress: from.ipAddress,
      headers,
      caller: null,
      release: () => undefined,
      pulse: new Pulse(socket, stream),
      streams: new Set(),
    };
    this.#connections.add(connection);
    const { clock, log } = this.#options;
    const admitMessage = limitMessages(clock);
    // Without a listener a protocol error of the peer would end the process; 'close' follows.
    socket.on('error', (error) => log.debug({ error }, 'a WebSocket failed'));
    const closed = this.#protocol.opened(
      {
        protocol: socket.protocol,
        // Resolves when the bytes have left: graphql-ws asks for the next event only then, and a slow reader's events
        // wait in the source, which has bounds, instead of here.
        send: (data) =>
          new Promise((resolve, reject) => {
            if (socket.readyState !== socket.OPEN) return resolve();
            socket.send(data, (error) => (error ? reject(error) : resolve()));
          }),
        close: (code, reason) => socket.close(code, reason),
        onMessage: (receive) => {
          socket.on('message', (data: RawData) => {
            if (!admitMessage()) return socket.close(TOO_MUCH, 'Too many messages');
            receive(Buffer.isBuffer(data) ? data.toString() : '').catch((error: unknown) => {
              if (socket.readyState !== socket.OPEN) return;
              log.error({ error }, 'a WebSocket message failed unexpectedly');
              socket.close(INTERNAL, 'Internal server error');
            });
          });
        },
      },
      { connection },
    );
    socket.once('close', (code, reason) => {
      this.#connections.delete(connection);
      connection.release();
      closed(code, String(reason)).catch((error: unknown) => log.error({ error }, 'closing a WebSocket failed'));
    });
  }

  #createProtocol(): Server<Extra> {
    return makeServer<{ [key: string]: unknown }, Extra>({
      connectionInitWaitTimeout: SOCKET_LIMITS.initTimeoutMs,
      onConnect: ({ connectionParams, extra }) => this.#connect(extra.connection, connectionParams),
      onSubscribe: ({ subscriptions, extra }, id, payload) => {
        // Only this one: those that run are nobody's fault.
        if (Object.keys(subscriptions).length > SOCKET_LIMITS.operations) return tooManyOperations;
        return this.#subscribe(extra.connection, id, payload);
      },
      execute: async (args) => {
        const { admitted } = this.#acceptedOf(args);
        try {
          return await this.#options.operations.execute(admitted, null);
        } catch (error) {
          return { errors: this.#errorsOf(error, admitted.call, admitted.operation.name) };
        }
      },
      subscribe: (args) => this.#follow(this.#acceptedOf(args)),
    });
  }

  async #follow({ admitted, connection, id }: Accepted) {
    const { streams, outlet } = connection;
    const { operations } = this.#options;
    let pushed: PushedStream | null = null;
    const forget = () => {
      if (pushed !== null) streams.delete(pushed);
    };
    try {
      const stream = await operations.subscribe(admitted, forget, outlet.sinkFor(id));
      if (stream instanceof PushedStream) {
        pushed = stream;
        streams.add(stream);
      }
      return stream;
    } catch (error) {
      return { errors: this.#errorsOf(error, admitted.call, admitted.operation.name) };
    }
  }

  /** False: refused. Else what goes into connection_ack: a rotated token's end, which HTTP tells in headers. */
  async #connect(
    connection: Connection,
    params: Record<string, unknown> | undefined,
  ): Promise<boolean | { readonly deprecation: Date; readonly sunset: Date }> {
    const { tokens } = this.#options;
    const { socket, headers } = connection;
    connection.headers = {};
    let shown: string | null;
    try {
      shown = tokenInParams(params) ?? tokenInHeaders(headers);
    } catch {
      return false;
    }
    const secret = shown ?? sessionInCookie(headers);
    const { ipAddress } = connection;
    const caller = secret === null ? null : await tokens.authenticate({ secret, ipAddress, byCookie: shown === null });
    if (caller === null || socket.readyState !== socket.OPEN) return false;
    if (tokens.connectionsOf(caller) >= SOCKET_LIMITS.perToken) {
      socket.close(TOO_MUCH, 'Too many connections of this token');
      return false;
    }
    connection.caller = caller;
    connection.release = tokens.watch(caller, (how) => {
      if (how === 'dead') socket.close(TOKEN_DEAD, 'The token is not valid any more');
      else socket.close(RIGHTS_CHANGED, 'Rights have changed');
      // Now, and not when the client has answered.
      for (const stream of [...connection.streams]) stream.end();
    });
    if (caller.deprecation === null) return true;
    return { deprecation: caller.deprecation.since, sunset: caller.deprecation.sunset };
  }

  /** What a person may do may have changed since the socket was opened. */
  async #subscribe(connection: Connection, id: string, payload: SubscribePayload) {
    const { caller } = connection;
    const renewed = await this.#options.tokens.renew(caller);
    if (caller !== null && renewed === null) connection.socket.close(TOKEN_DEAD, 'The session has ended');
    return this.#admit(connection, renewed, id, payload);
  }

  #admit(connection: Connection, caller: AuthenticatedCaller | null, id: string, payload: SubscribePayload) {
    const call: Call = {
      caller,
      requestId: this.#options.newRequestId(),
      ipAddress: connection.ipAddress,
      userAgent: connection.userAgent,
      transport: 'websocket',
      cookies: null,
    };
    try {
      const admitted = this.#options.operations.admit(readParams(payload), call, 'POST');
      const { document, name } = admitted.operation;
      const args = { schema: this.#options.schema, document, operationName: name };
      this.#accepted.set(args, { admitted, connection, id });
      return args;
    } catch (error) {
      return this.#errorsOf(error, call, null);
    }
  }

  #acceptedOf(args: ExecutionArgs): Accepted {
    const accepted = this.#accepted.get(args);
    if (accepted === undefined) throw new Error('an operation was not admitted');
    return accepted;
  }

  #errorsOf(error: unknown, call: Call, operationName: string | null) {
    const errors = this.#options.operations.errorsOf(error, call, operationName);
    if (error instanceof RequestFault) this.#options.metrics.refused(codeOf(errors));
    return errors;
  }

  async #pingLoop(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      await this.#options.clock.sleep(SOCKET_LIMITS.pingMs, signal);
      for (const { pulse } of this.#connections) pulse.beat();
    }
  }
}
