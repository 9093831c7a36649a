// /graphql over HTTP. Plain queries and mutations are answered here; streams are written by Yoga. Before anything is read
// or run: no token in the URL, a live token or none, and a form of request that no HTML form can make.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ExecutionResult, GraphQLSchema } from 'graphql';
import type { Clock, Random } from '#/runtime/ports.ts';
import { MAX_ANONYMOUS_BODY_BYTES, MAX_BODY_BYTES, readBody } from './body.ts';
import { cookiesOf, sessionInCookie } from './cookies.ts';
import { refuseTokenInUrl, tokenInHeaders, unauthenticated } from './credentials.ts';
import { codeOf, overloaded, RequestFault, refused } from './errors.ts';
import { answerGraphiQL } from './graphiql.ts';
import { setBalanceHeaders, setDeprecationHeaders } from './headers.ts';
import { SOCKET_LIMITS } from './limits/socket.ts';
import type { LiveTokens } from './live-tokens.ts';
import type { HttpMetrics } from './metrics.ts';
import { type Accepted, type MediaType, negotiate } from './negotiation.ts';
import type { Admitted, Call, Operations } from './operations.ts';
import { isForeign } from './own-origin.ts';
import { parseJson, readParams, readQueryString } from './params.ts';
import { ResponseStream } from './response-stream.ts';
import type { AuthenticatedCaller, Params } from './types.ts';
import { createEventStreamHandler } from './yoga.ts';

export interface EndpointOptions {
  readonly schema: GraphQLSchema;
  readonly operations: Operations;
  readonly tokens: LiveTokens;
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: HttpMetrics;
  readonly publicUrl: string;
}

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: string;
  readonly requestId: string;
  readonly ipAddress: string;
}

export interface GraphqlEndpoint {
  answer(exchange: Exchange): Promise<void>;
  /** Cuts event streams off without the event that says they are complete: their clients come back, elsewhere. */
  cutStreams(): Promise<void>;
}

/** Over which streams are cut when the process ends: so many clients come back at once. */
const CUT_JITTER_MS = 1_000;
/** After which one of too many connections may have gone. */
const RETRY_SECONDS = 5;

export function createGraphqlEndpoint(options: EndpointOptions): GraphqlEndpoint {
  const { operations, tokens, clock, metrics } = options;
  const answerEvents = createEventStreamHandler(options.schema);
  const streaming = new Set<ServerResponse>();

  return {
    answer: answerExchange,
    async cutStreams() {
      const cuts = [...streaming].map(async (response) => {
        await clock.sleep(options.random.uniform() * CUT_JITTER_MS);
        response.destroy();
      });
      await Promise.all(cuts);
    },
  };

  async function answerExchange(exchange: Exchange): Promise<void> {
    const { request, response } = exchange;
    const accepted = negotiate(request.headers.accept);
    let call: Call | null = null;
    try {
      if (isPageRequest(exchange, accepted)) return await answerGraphiQL(request, response);
      const caller = await authenticate(exchange);
      setDeprecationHeaders(response, caller);
      const params = await readRequest(exchange, caller);
      call = {
        caller,
        requestId: exchange.requestId,
        ipAddress: exchange.ipAddress,
        userAgent: request.headers['user-agent'] ?? null,
        transport: 'http',
        cookies: cookiesOf(request.headers, response, () => clock.now()),
      };
      await answerOperation(
        exchange,
        accepted,
        operations.admit(params, call, request.method === 'GET' ? 'GET' : 'POST'),
      );
    } catch (error) {
      answerFault(exchange, accepted, error, call);
    }
  }

  async function authenticate({ request, url, ipAddress }: Exchange): Promise<AuthenticatedCaller | null> {
    refuseTokenInUrl(url);
    const secret = tokenInHeaders(request.headers);
    if (secret === null) return byCookie(request, ipAddress);
    const caller = await tokens.authenticate({ secret, ipAddress, byCookie: false });
    if (caller === null) throw unauthenticated('The token is not valid, or not any more.');
    return caller;
  }

  /** A session that has ended makes nobody of its bearer: whoever signs in again still brings the old cookie. */
  async function byCookie(request: IncomingMessage, ipAddress: string): Promise<AuthenticatedCaller | null> {
    const secret = sessionInCookie(request.headers);
    if (secret === null) return null;
    if (isForeign(request, options.publicUrl)) {
      throw refused(403, 'FORBIDDEN', 'A page of another origin may not act with the cookies of this one.');
    }
    return tokens.authenticate({ secret, ipAddress, byCookie: true });
  }

  async function answerOperation(exchange: Exchange, accepted: Accepted, admitted: Admitted): Promise<void> {
    const { request, response } = exchange;
    if (admitted.operation.kind === 'subscription') return answerSubscription(exchange, accepted, admitted);
    if (accepted.json === null && !accepted.events) throw notAcceptable();
    const gone = new AbortController();
    const abort = () => gone.abort();
    response.once('close', abort);
    const result = await operations.execute(admitted, gone.signal);
    response.off('close', abort);
    setBalanceHeaders(response, operations.balance(admitted.bucket));
    if (accepted.json !== null) return writeResult(response, 200, accepted.json, result);
    await answerEvents(request, response, { params: admitted.params, result });
  }

  async function answerSubscription(exchange: Exchange, accepted: Accepted, admitted: Admitted): Promise<void> {
    if (!accepted.events) throw notAcceptable('A subscription over HTTP needs `Accept: text/event-stream`.');
    const { request, response } = exchange;
    const { caller } = admitted.call;
    if (caller !== null && tokens.connectionsOf(caller) >= SOCKET_LIMITS.perToken) {
      throw overloaded('Too many connections of this token.', RETRY_SECONDS);
    }
    const end = new AbortController();
    const release = tokens.watch(caller, () => end.abort());
    const result = await operations.subscribe({ ...admitted, call: { ...admitted.call, transport: 'sse' } }, release);
    if (result instanceof ResponseStream) {
      end.signal.addEventListener('abort', () => result.end());
      streaming.add(response);
      response.once('close', () => {
        streaming.delete(response);
        result.end();
      });
      // Either may have come before there was a stream to end.
      if (response.destroyed || end.signal.aborted) result.end();
    }
    setBalanceHeaders(response, operations.balance(admitted.bucket));
    // nginx gathers answers before it hands them on, unless told otherwise.
    response.setHeader('X-Accel-Buffering', 'no');
    await answerEvents(request, response, { params: admitted.params, result });
  }

  function answerFault(exchange: Exchange, accepted: Accepted, error: unknown, call: Call | null): void {
    const { request, response, requestId, ipAddress } = exchange;
    const fault = error instanceof RequestFault ? error : null;
    const errors = operations.errorsOf(
      error,
      call ?? { caller: null, requestId, ipAddress, userAgent: null, transport: 'http', cookies: null },
      null,
    );
    metrics.refused(codeOf(errors));
    if (response.headersSent || response.destroyed) return void response.destroy();
    for (const [name, value] of Object.entries(fault?.headers ?? {})) response.setHeader(name, value);
    // Node reads what is left of the body before the next request. That is worth it for a small one only.
    const declared = Number(request.headers['content-length'] ?? Number.POSITIVE_INFINITY);
    if (!request.complete && declared > MAX_ANONYMOUS_BODY_BYTES) response.setHeader('Connection', 'close');
    const mediaType = accepted.json ?? 'application/json';
    const status = fault?.inDocument === true && mediaType === 'application/json' ? 200 : (fault?.status ?? 500);
    writeResult(response, status, mediaType, { errors });
  }
}

function isPageRequest({ request, url }: Exchange, accepted: Accepted): boolean {
  return request.method === 'GET' && accepted.html && !/[?&]query=/.test(url);
}

async function readRequest({ request, url }: Exchange, caller: AuthenticatedCaller | null): Promise<Params> {
  if (request.method === 'GET') return readQueryString(new URLSearchParams(url.slice(url.indexOf('?') + 1)));
  if (request.method !== 'POST') {
    throw refused(405, 'BAD_REQUEST', 'GraphQL takes GET and POST.', { allow: 'GET, POST' });
  }
  const type = request.headers['content-type'] ?? '';
  // Forms of other sites can send every type that needs no preflight, but not this one.
  if (!/^application\/json *(?:; *charset="?utf-?8"? *)?;?$/i.test(type)) {
    throw refused(415, 'UNSUPPORTED_MEDIA_TYPE', 'The body must be application/json in UTF-8.', {
      'accept-post': 'application/json',
    });
  }
  if ((request.headers['content-encoding'] ?? 'identity') !== 'identity') {
    throw refused(415, 'UNSUPPORTED_MEDIA_TYPE', 'Compressed bodies are not taken.', { 'accept-encoding': 'identity' });
  }
  const text = await readBody(request, caller === null ? MAX_ANONYMOUS_BODY_BYTES : MAX_BODY_BYTES);
  return readParams(parseJson(text));
}

function notAcceptable(message = 'Answers are application/graphql-response+json or application/json.') {
  return refused(406, 'NOT_ACCEPTABLE', message);
}

function writeResult(response: ServerResponse, status: number, mediaType: MediaType, result: ExecutionResult): void {
  const body = JSON.stringify(result);
  response.writeHead(status, {
    'Content-Type': `${mediaType}; charset=utf-8`,
    'Content-Length': Buffer.byteLength(body),
  });
  response.end(body);
}
