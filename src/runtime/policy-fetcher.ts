// Gets the policy file of MTA-STS (RFC 8461 §3.3) from a host that a stranger's domain names: HTTPS with a certificate that
// verifies, public addresses alone, no redirects, plain text, bounded in size and time. Each call has a connection of its own.
import { Agent } from 'undici';
import { createJudge, lookupThrough } from './judged-lookup.ts';
import type { Dns, PolicyAnswer, PolicyFetcher } from './ports.ts';
import { type Trust, usualTrust } from './trust.ts';

/** The RFC suggests a minute; mail waits for it, and a policy host that is well needs no tenth of this. */
const TIMEOUT_MS = 10_000;
const MAX_HEADER_BYTES = 16 * 1024;

export interface PolicyFetcherOptions {
  readonly dns: Pick<Dns, 'addresses'>;
  readonly allowPrivateNetworks: boolean;
  readonly maxBytes: number;
  /** 443, but in test networks. */
  readonly port?: number;
  readonly timeoutMs?: number;
  readonly trust?: Trust;
}

export interface RunningPolicyFetcher extends PolicyFetcher, AsyncDisposable {}

class Unfit extends Error {}

export function createPolicyFetcher(options: PolicyFetcherOptions): RunningPolicyFetcher {
  const { maxBytes, port = 443, timeoutMs = TIMEOUT_MS, trust = usualTrust } = options;
  const agent = new Agent({
    connections: null,
    // None is kept: a policy is fetched once a day.
    pipelining: 0,
    allowH2: false,
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    connect: { timeout: timeoutMs, lookup: lookupThrough(createJudge(options)), secureContext: trust.strict },
  });

  const get = async (domain: string): Promise<string> => {
    const host = `mta-sts.${domain}`;
    const answer = await agent.request({
      origin: `https://${host}${port === 443 ? '' : `:${port}`}`,
      path: '/.well-known/mta-sts.txt',
      method: 'GET',
      headers: { host, accept: 'text/plain' },
      signal: AbortSignal.timeout(timeoutMs),
    });
    // What is given up below ends with an error, which nobody else would hear: and that ends the process.
    answer.body.on('error', () => {});
    try {
      if (answer.statusCode !== 200) throw new Unfit(`${host} answers ${answer.statusCode}`);
      const type = String(answer.headers['content-type'] ?? '');
      if (!/^text\/plain[ \t]*(?:;|$)/i.test(type)) throw new Unfit(`the policy at ${host} is not text/plain`);
      return await textOf(answer.body, maxBytes);
    } catch (error) {
      answer.body.destroy();
      throw error;
    }
  };

  return {
    async fetch(domain): Promise<PolicyAnswer> {
      try {
        return { kind: 'text', text: await get(domain) };
      } catch (error) {
        return { kind: 'failed', ...failureOf(error, timeoutMs) };
      }
    },
    [Symbol.asyncDispose]: () => agent.destroy(),
  };
}

async function textOf(body: AsyncIterable<Buffer>, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > maxBytes) throw new Unfit(`the policy is longer than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function failureOf(error: unknown, timeoutMs: number): Omit<Extract<PolicyAnswer, { kind: 'failed' }>, 'kind'> {
  if (!(error instanceof Error)) return { flaw: 'sts-policy-fetch-error', reason: 'the call failed' };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (error.name === 'TimeoutError' || error.name === 'AbortError' || /TIMEOUT/.test(code))
    return { flaw: 'sts-policy-fetch-error', reason: `no answer within ${timeoutMs / 1_000} s` };
  const certificate = /CERT|SELF_SIGNED|UNABLE_TO|ALTNAME/.test(code);
  return {
    flaw: certificate ? 'sts-webpki-invalid' : 'sts-policy-fetch-error',
    reason: certificate ? `the certificate of the policy host does not verify: ${code}` : error.message.slice(0, 200),
  };
}
