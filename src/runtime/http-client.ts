// HTTP calls to URLs that strangers name. They must not lead into our own network: the URL's text is judged (domain/webhooks/
// callable-url.ts), and then every address that a connection is about to be made to, by the very lookup that the connection
// uses. So there is no moment between check and connect in which DNS could say something else.
import { Readable } from 'node:stream';
import { Agent } from 'undici';
import { callableUrl } from '#/domain/webhooks/callable-url.ts';
import { CALL_TIMEOUT_MS, MAX_ANSWER_BYTES, MAX_ANSWER_HEAD } from '#/domain/webhooks/rules.ts';
import { createJudge, lookupThrough, NoAddress } from './judged-lookup.ts';
import { SLICE, slicesOf } from '#/domain/slices.ts';
import type { Clock, Dns, HttpClient, HttpRequest, HttpResult } from './ports.ts';
import type { Trust } from './trust.ts';

/** As long as many servers keep idle connections; a busy endpoint never waits for a handshake. */
const KEEP_ALIVE_MS = 5_000;
const MAX_HEADER_BYTES = 16 * 1024;

export interface HttpClientOptions {
  readonly dns: Pick<Dns, 'addresses'>;
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly allowPrivateNetworks: boolean;
  readonly timeoutMs?: number;
  /** The usual roots unless told. */
  readonly trust?: Trust;
}

export interface RunningHttpClient extends HttpClient, AsyncDisposable {}

export function createHttpClient(options: HttpClientOptions): RunningHttpClient {
  const { clock } = options;
  const timeoutMs = options.timeoutMs ?? CALL_TIMEOUT_MS;

  const judge = createJudge(options);

  const agent = new Agent({
    // One process calls for many customers: those of one origin must not stand in line for each other.
    connections: null,
    pipelining: 1,
    allowH2: false,
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: KEEP_ALIVE_MS,
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    connect: {
      timeout: timeoutMs,
      lookup: lookupThrough(judge),
      ...(options.trust === undefined ? {} : { secureContext: options.trust.strict }),
    },
  });

  return {
    async flawOf(text) {
      const callable = callableUrl(text, options);
      if (!callable.ok) return callable.reason;
      const judged = await judge(bareHost(callable.url));
      return 'flaw' in judged && judged.lasting ? judged.flaw : null;
    },
    async send(request) {
      const start = clock.monotonic();
      const done = (result: Omit<HttpResult, 'latencyMs'>): HttpResult => ({
        ...result,
        latencyMs: Math.round(clock.monotonic() - start),
      });
      const callable = callableUrl(request.url, options);
      if (!callable.ok) return done({ status: null, error: `the URL ${callable.reason}`, retryAfter: null, head: '' });
      try {
        return done(await call(agent, callable.url, request, AbortSignal.timeout(timeoutMs)));
      } catch (error) {
        return done({ status: null, error: reasonOf(error, timeoutMs), retryAfter: null, head: '' });
      }
    },
    [Symbol.asyncDispose]: () => agent.destroy(),
  };
}

async function call(
  agent: Agent,
  url: URL,
  { method, headers, body }: HttpRequest,
  signal: AbortSignal,
): Promise<Omit<HttpResult, 'latencyMs'>> {
  const answer = await agent.request({
    origin: url.origin,
    path: `${url.pathname}${url.search}`,
    method,
    ...written(headers, body),
    signal,
  });
  // Said twice, the first counts.
  const [retryAfter] = [answer.headers['retry-after']].flat();
  return {
    status: answer.statusCode,
    error: null,
    retryAfter: retryAfter ?? null,
    head: await headOf(answer.body),
  };
}

/** Large ones are encrypted slice by slice: at once they would keep everybody else waiting. */
function written(headers: HttpRequest['headers'], body: HttpRequest['body']) {
  if (typeof body === 'string' || body.length <= SLICE) return { headers: { ...headers }, body };
  return { headers: { ...headers, 'content-length': String(body.length) }, body: Readable.from(slicesOf(body)) };
}

/** Reads so that the connection can be used again; of what is longer only its beginning, and then the connection goes. */
async function headOf(body: AsyncIterable<Buffer> & { destroy(): unknown }): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of body) {
      if (chunks.length === 0 || length < MAX_ANSWER_HEAD * 4) chunks.push(chunk);
      length += chunk.length;
      if (length >= MAX_ANSWER_BYTES) break;
    }
  } catch {
    // The status has come, and is what counts; a body that breaks off or never ends is the endpoint's own affair.
  }
  const text = new TextDecoder().decode(Buffer.concat(chunks).subarray(0, MAX_ANSWER_HEAD * 4));
  return text
    .replaceAll(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, '')
    .slice(0, MAX_ANSWER_HEAD)
    .toWellFormed();
}

function bareHost({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
}

/** In words that give away nothing but what the owner of the endpoint may know. */
function reasonOf(error: unknown, timeoutMs: number): string {
  if (!(error instanceof Error)) return 'the call failed';
  if (error.name === 'TimeoutError' || error.name === 'AbortError') return `no answer within ${timeoutMs / 1_000} s`;
  if (error instanceof NoAddress) return error.message;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  return reasons[code] ?? (code === '' ? 'the connection failed' : `the connection failed: ${code}`);
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was reset',
  EHOSTUNREACH: 'the host cannot be reached',
  ENETUNREACH: 'the network cannot be reached',
  UND_ERR_CONNECT_TIMEOUT: 'no connection in time',
  UND_ERR_HEADERS_TIMEOUT: 'no answer in time',
  UND_ERR_SOCKET: 'the connection was closed before an answer came',
  UND_ERR_HEADERS_OVERFLOW: 'the headers of the answer are too long',
  CERT_HAS_EXPIRED: 'the certificate has expired',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'the certificate is signed by itself',
  SELF_SIGNED_CERT_IN_CHAIN: 'the certificate is signed by itself',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'the certificate cannot be verified',
  ERR_TLS_CERT_ALTNAME_INVALID: 'the certificate is for another name',
};
