// POST /tokens/leaked: takes tokens that were found in the open and answers which were ours. Two forms:
// - a list as GitHub's secret scanning sends it to its partners, signed (ECDSA P-256 over the body as it came) with a key
//   that the operator has set;
// - one token by whoever found it, without a signature: having it is the proof.
import { createHash, type KeyObject, verify } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { LeakReport, LeakRequest } from '#/resolvers/tokens/report-leaks.ts';
import type { Clock, Log } from '#/runtime/ports.ts';
import { networkOf } from '#/domain/network.ts';
import { readBody } from './body.ts';
import { refuseTokenInUrl } from './credentials.ts';
import { RequestFault, refused } from './errors.ts';
import { plain } from './health.ts';
import { createRateLimiter } from './limits/rate-limit.ts';
import { parseJson } from './params.ts';

export const LEAK_PATH = '/tokens/leaked';

/** Whether each is, or was, a token of this installation. */
export type ReportLeaks = (reports: readonly LeakReport[], request: LeakRequest) => Promise<readonly boolean[]>;

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: string;
  readonly requestId: string;
  readonly ipAddress: string;
}

/** A scanner's list, and one token with the place where it was. */
const MAX_BYTES = { signed: 1_000_000, single: 8_000 } as const;
/** Fits the bytes above with the shortest of URLs; answered well within the 30 s that scanners wait. */
const MAX_REPORTS = 5_000;
/** For each network, in each process; ten times as many at once. */
const REQUESTS_PER_SECOND = { signed: 10, single: 1 } as const;

/** What a report without a type is answered with; scanners are given it with the pattern. */
const TOKEN_TYPE = 'veredus_api_token';
const MAX_TYPE = 100;

export function createLeakEndpoint(options: {
  readonly report: ReportLeaks;
  readonly keys: readonly KeyObject[];
  readonly clock: Clock;
  readonly log: Log;
}): (exchange: Exchange) => Promise<void> {
  const { keys, clock, log } = options;
  const limiters = {
    signed: createRateLimiter(clock, REQUESTS_PER_SECOND.signed),
    single: createRateLimiter(clock, REQUESTS_PER_SECOND.single),
  };

  const take = async ({ request, url, requestId, ipAddress }: Exchange): Promise<readonly object[]> => {
    refuseTokenInUrl(url);
    if (request.method !== 'POST') throw refused(405, 'BAD_REQUEST', 'Reports are sent by POST.', { allow: 'POST' });
    if (!/^application\/json *(?:;|$)/i.test(request.headers['content-type'] ?? '')) {
      throw refused(415, 'UNSUPPORTED_MEDIA_TYPE', 'The body must be application/json.');
    }
    const signature = signatureIn(request.headers);
    const kind = signature === null ? 'single' : 'signed';
    const wait = limiters[kind]?.take(networkOf(ipAddress), 1) ?? null;
    if (wait !== null) {
      throw refused(429, 'RATE_LIMITED', 'Too many reports.', { 'retry-after': String(Math.ceil(wait)) });
    }
    const text = await readBody(request, MAX_BYTES[kind]);
    // Before anything of it is looked at.
    if (signature !== null && !isSigned(text, signature, keys)) {
      throw refused(403, 'FORBIDDEN', 'The signature is of no key that is known here.');
    }
    const reports = readReports(parseJson(text), signature !== null);
    const known = await options.report(reports, { signed: signature !== null, requestId, ipAddress });
    log.info(
      { reports: reports.length, known: known.filter(Boolean).length, signed: kind === 'signed' },
      'leak report',
    );
    return reports.map((report, index) => verdictOf(report, known[index] === true));
  };

  return async (exchange) => {
    const { request, response } = exchange;
    try {
      const body = JSON.stringify(await take(exchange));
      response.writeHead(200, { 'Content-Type': 'application/json; charset=utf-8' });
      response.end(body);
    } catch (error) {
      if (!(error instanceof RequestFault)) throw error;
      for (const [name, value] of Object.entries(error.headers)) response.setHeader(name, value);
      if (!request.complete) response.setHeader('Connection', 'close');
      plain(response, error.status, error.message);
    }
  };
}

/** Null: the report is not signed. */
function signatureIn(headers: IncomingHttpHeaders): Buffer | null {
  const value = headers['github-public-key-signature'];
  return typeof value === 'string' ? Buffer.from(value, 'base64') : null;
}

/** There are few keys: which of them it is need not be told. Verification does not throw for what is no signature. */
function isSigned(text: string, signature: Buffer, keys: readonly KeyObject[]): boolean {
  const body = Buffer.from(text);
  return keys.some((key) => verify('sha256', body, key, signature));
}

interface TypedReport extends LeakReport {
  readonly type: string;
}

function readReports(body: unknown, signed: boolean): readonly TypedReport[] {
  if (!Array.isArray(body)) return [readReport(body)];
  if (!signed) {
    throw refused(401, 'UNAUTHENTICATED', 'A list must be signed: Github-Public-Key-Signature.', {
      'www-authenticate': 'Github-Public-Key-Signature',
    });
  }
  if (body.length > MAX_REPORTS) throw refused(413, 'PAYLOAD_TOO_LARGE', `At most ${MAX_REPORTS} reports at once.`);
  return body.map(readReport);
}

function readReport(entry: unknown): TypedReport {
  const fields: Readonly<Record<string, unknown>> = typeof entry === 'object' && entry !== null ? { ...entry } : {};
  const { token, url, source, type } = fields;
  if (typeof token !== 'string') throw refused(400, 'BAD_REQUEST', 'A report is an object with the text `token`.');
  return {
    token: token.trim(),
    url: typeof url === 'string' ? url : null,
    source: typeof source === 'string' ? source : null,
    type: typeof type === 'string' && type.length <= MAX_TYPE ? type : TOKEN_TYPE,
  };
}

/** As the scanners want it, who learn from it what to look for. By its hash: an answer is no place for a secret either. */
function verdictOf({ token, type }: TypedReport, known: boolean): object {
  return {
    token_hash: createHash('sha256').update(token).digest('hex'),
    token_type: type,
    label: known ? 'true_positive' : 'false_positive',
  };
}
