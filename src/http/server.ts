// The HTTP server of a process: routes, addresses, what every answer carries, and its end.
import { readFileSync } from 'node:fs';
import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerOptions,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Duplex } from 'node:stream';
import type { GraphQLSchema } from 'graphql';
import type { Registry } from 'prom-client';
import type { Config } from '#/runtime/config.ts';
import type { Clock, Log, Random } from '#/runtime/ports.ts';
import { answerAttachment, ATTACHMENT_PATH, type OpenAttachment } from './attachment.ts';
import { clientAddress } from './client-address.ts';
import { answerConfirmation, type Confirmations, confirmationSecret } from './confirm-sender.ts';
import { refuseTokenInUrl } from './credentials.ts';
import { createGraphqlEndpoint, type Exchange } from './graphql-endpoint.ts';
import { setSecurityHeaders } from './headers.ts';
import { answerHealth, plain } from './health.ts';
import { createRateLimiter } from './limits/rate-limit.ts';
import { listenOn } from './listen.ts';
import { createLeakEndpoint, LEAK_PATH, type ReportLeaks } from './leaked-tokens.ts';
import { LiveTokens, type TokenSource } from './live-tokens.ts';
import { createHttpMetrics, noMetrics } from './metrics.ts';
import { createMetricsServer } from './metrics-server.ts';
import { Operations } from './operations.ts';
import { isForeignWithCookie } from './own-origin.ts';
import { answerLinkPage } from './pages/answer-link-page.ts';
import type { LinkActions } from './pages/link-pages.ts';
import { answerSuppressionFile, isSuppressionFile, type SuppressionFiles } from './suppression-files.ts';
import { answerStart } from './start-page.ts';
import type { AuthenticatedCaller, RequestInfo } from './types.ts';
import { WebSocketEndpoint } from './websocket.ts';

export type { TokenSource } from './live-tokens.ts';
export type { AuthenticatedCaller, Credentials, RequestInfo } from './types.ts';

export type HttpConfig = Pick<
  Config,
  | 'httpHost'
  | 'httpPort'
  | 'httpTls'
  | 'publicUrl'
  | 'trustedProxies'
  | 'rateLimit'
  | 'maxCost'
  | 'workers'
  | 'metricsPort'
  | 'leakReportKeys'
>;

export interface HttpServerOptions extends TokenSource {
  readonly schema: GraphQLSchema;
  readonly config: HttpConfig;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  /** The context of one operation; a subscription keeps it, with Pothos' caches renewed for each event. */
  createContext(caller: AuthenticatedCaller | null, request: RequestInfo): object;
  ready(): Promise<boolean>;
  /** Behind the links that ask to confirm an address; without it there are none. */
  readonly confirmations?: Confirmations;
  /** Behind the links that people get by mail; without it there are none. */
  readonly linkActions?: LinkActions;
  /** Behind the links to attachments of inbound messages; without it there are none. */
  readonly openAttachment?: OpenAttachment;
  /** Behind the links to files of suppressions; without it there are none. */
  readonly suppressionFiles?: SuppressionFiles;
  /** Takes what was found in the open; without it nobody can report it. */
  readonly reportLeaks?: ReportLeaks;
  readonly metrics?: Registry;
  readonly timeouts?: Partial<Timeouts>;
}

export interface HttpServer {
  listen(): Promise<{ readonly port: number; readonly metricsPort: number | null }>;
  close(): Promise<void>;
}

/** Milliseconds. */
const TIMEOUTS = {
  /** Line and headers; a client that trickles them holds a connection no longer. */
  headers: 10_000,
  /** The whole request: 60 MB at 4 Mbit/s. */
  request: 120_000,
  /** Longer than load balancers keep idle connections (60 s), so that they close first. */
  keepAlive: 65_000,
  /** How often the first two are looked at. */
  checkInterval: 2_000,
  /** How long running requests may take when the process ends. */
  drain: 10_000,
};
type Timeouts = Readonly<typeof TIMEOUTS>;

const DRAIN_CHECK_MS = 25;

export function createHttpServer(options: HttpServerOptions): HttpServer {
  const { schema, config, log, clock, random } = options;
  const timeouts: Timeouts = { ...TIMEOUTS, ...options.timeouts };
  const newRequestId = requestIds(random);
  const tls = config.httpTls !== null;
  let closing = false;

  const metrics =
    options.metrics === undefined
      ? noMetrics
      : createHttpMetrics(options.metrics, {
          sockets: () => sockets.openSockets,
          subscriptions: () => operations.runningSubscriptions,
        });
  const tokens = new LiveTokens(options, clock, log);
  const rateLimiter = createRateLimiter(clock, config.rateLimit / config.workers);
  const operations = new Operations({
    schema,
    maxCost: config.maxCost,
    rateLimiter,
    clock,
    log,
    metrics,
    createContext: (caller, request) => options.createContext(caller, request),
  });
  const graphql = createGraphqlEndpoint({
    schema,
    operations,
    tokens,
    clock,
    random,
    metrics,
    publicUrl: config.publicUrl,
  });
  const sockets = new WebSocketEndpoint({ schema, operations, tokens, clock, random, log, metrics, newRequestId });
  const leaks =
    options.reportLeaks === undefined
      ? null
      : createLeakEndpoint({ report: options.reportLeaks, keys: config.leakReportKeys, clock, log });
  const isReady = async () => !closing && (await options.ready());

  const server = createNodeServer(config, timeouts);
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    void answer(request, response).catch((error: unknown) => {
      log.error({ error }, 'a request failed unexpectedly');
      response.destroy();
    });
  });
  server.on('upgrade', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    // Until ws has taken the stream over, its errors are nobody's.
    stream.on('error', () => stream.destroy());
    const status = refuseUpgrade(request);
    if (status !== null) return refuseStream(stream, status);
    sockets.upgrade(request, stream, head, addressOf(request));
  });

  const metricsServer =
    config.metricsPort === null
      ? null
      : createMetricsServer(config.httpHost, config.metricsPort, isReady, options.metrics);

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = request.url ?? '/';
    const end = url.indexOf('?');
    const path = end === -1 ? url : url.slice(0, end);
    const requestId = newRequestId();
    setSecurityHeaders(response, tls, requestId);
    if (closing) response.setHeader('Connection', 'close');
    if (path === '/graphql') {
      response.once('finish', () => metrics.answered('/graphql', response.statusCode));
      const exchange: Exchange = { request, response, url, requestId, ipAddress: addressOf(request) };
      return graphql.answer(exchange);
    }
    response.once('finish', () => metrics.answered('other', response.statusCode));
    const secret = options.confirmations === undefined ? null : confirmationSecret(path);
    if (options.confirmations !== undefined && secret !== null) {
      const about = { requestId, ipAddress: addressOf(request) };
      return answerConfirmation(options.confirmations, secret, { request, response, about });
    }
    if (leaks !== null && path === LEAK_PATH) {
      return leaks({ request, response, url, requestId, ipAddress: addressOf(request) });
    }
    if (options.linkActions !== undefined) {
      const pages = { actions: options.linkActions, tokens, clock, log, publicUrl: config.publicUrl };
      const exchange = { request, response, requestId, ipAddress: addressOf(request) };
      if (await answerLinkPage(pages, path, exchange)) return;
    }
    if (options.suppressionFiles !== undefined && isSuppressionFile(path))
      return answerSuppressionFile(options.suppressionFiles, path, { request, response, clock });
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('Connection', 'close');
      return plain(response, path === '/' ? 405 : 404, path === '/' ? 'method not allowed' : 'not found');
    }
    if (options.openAttachment !== undefined && path.startsWith(ATTACHMENT_PATH))
      return answerAttachment(options.openAttachment, path, { request, response });
    if (await answerHealth(path, response, isReady)) return;
    if (path === '/') return answerStart(response);
    plain(response, 404, 'not found');
  }

  function addressOf(request: IncomingMessage): string {
    return clientAddress(request.socket.remoteAddress, request.headers['x-forwarded-for'], config.trustedProxies);
  }

  function refuseUpgrade(request: IncomingMessage): number | null {
    const url = request.url ?? '';
    if (closing) return 503;
    if (!/^\/graphql(\?|$)/.test(url)) return 404;
    if (isForeignWithCookie(request, config.publicUrl)) return 403;
    try {
      refuseTokenInUrl(url);
      return null;
    } catch {
      return 400;
    }
  }

  return {
    async listen() {
      const port = await listenOn(server, config.httpPort, config.httpHost);
      const metricsPort = (await metricsServer?.listen()) ?? null;
      log.info({ host: config.httpHost, port, metricsPort, tls }, 'HTTP listens');
      return { port, metricsPort };
    },
    async close() {
      closing = true;
      let drained = false;
      const closed = new Promise<void>((resolve) => {
        server.close(() => {
          drained = true;
          resolve();
        });
      });
      tokens.close();
      await Promise.all([sockets.close(), graphql.cutStreams()]);
      const end = clock.monotonic() + timeouts.drain;
      while (!drained && clock.monotonic() < end) {
        // Connections whose last answer was begun before the end was known stay open without being asked to close.
        server.closeIdleConnections();
        await clock.sleep(DRAIN_CHECK_MS);
      }
      server.closeAllConnections();
      await closed;
      await metricsServer?.close();
    },
  };
}

function createNodeServer({ httpTls }: HttpConfig, timeouts: Timeouts): Server {
  const nodeOptions: ServerOptions = {
    headersTimeout: timeouts.headers,
    requestTimeout: timeouts.request,
    keepAliveTimeout: timeouts.keepAlive,
    connectionsCheckingInterval: timeouts.checkInterval,
  };
  if (httpTls === null) return createServer(nodeOptions);
  return createTlsServer({ ...nodeOptions, cert: readFileSync(httpTls.cert), key: readFileSync(httpTls.key) });
}

function refuseStream(stream: Duplex, status: number): void {
  stream.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

/** Unique over processes and restarts; an id that a caller sends along is not taken over. */
function requestIds(random: Random): () => string {
  const process = random.bytes(6).toString('hex');
  let count = 0;
  return () => `${process}-${(++count).toString(36)}`;
}
