// rspamd over HTTP: what it thinks of a message, asked as its own proxies ask (POST /checkv2).
import type { SpamFilter } from './ports.ts';

/** rspamd's own tasks end after 8 seconds unless set otherwise. */
const PATIENCE_MS = 10_000;
/** Its answer lists the rules that hit: some kilobytes. */
const MAX_ANSWER = 1024 * 1024;

/** `base`: with a password where rspamd wants one. */
export function createSpamFilter(base: URL): SpamFilter {
  const url = new URL('checkv2', `${base.origin}${base.pathname.replace(/\/*$/, '/')}`);
  const password: Record<string, string> = base.password === '' ? {} : { password: decodeURIComponent(base.password) };
  return {
    async score({ source, sender, recipient, peerAddress, helo }) {
      const headers = { ip: peerAddress, helo, from: sender, rcpt: recipient };
      const response = await fetch(url, {
        method: 'POST',
        headers: { ...inAscii(headers), ...password, 'content-type': 'application/octet-stream' },
        body: source as Uint8Array<ArrayBuffer>,
        redirect: 'error',
        signal: AbortSignal.timeout(PATIENCE_MS),
      });
      const text = await textOf(response);
      if (!response.ok) throw new Error(`rspamd answered ${response.status}`);
      const answer: unknown = JSON.parse(text);
      const score: unknown = typeof answer === 'object' && answer !== null ? Reflect.get(answer, 'score') : null;
      if (typeof score !== 'number' || !Number.isFinite(score)) throw new Error('rspamd answers without a score');
      return score;
    },
  };
}

/** What a header of HTTP cannot carry is left out rather than asked wrongly; so is what is empty. */
function inAscii(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([, value]) => /^[\x21-\x7e]+$/.test(value)));
}

async function textOf({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body ?? []) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER) throw new Error('rspamd answers without an end');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
