// What the answer to a call for an inbound message means for it. Postmark's schedule and rules (docs/inbound.md): each
// message for itself, ten more tries in ten and a half hours, then FAILED until somebody takes it up again.
//
//   QUEUED ── 2xx ──────────▶ PROCESSED
//      ├───── 403, 410 ─────▶ FAILED     (it is not wanted)
//      └───── anything else ▶ QUEUED, later; after the last try FAILED
import type { BasicAuth } from './own-headers.ts';
import { type CallOutcome, retryAfterMs, type Verdict } from './verdict.ts';

const MINUTE = 60_000;
/** After the first, second, … call. */
export const INBOUND_PAUSES_MS: readonly number[] = [1, 5, 10, 10, 10, 15, 30, 60, 120, 360].map((min) => min * MINUTE);
/** Later only, so that none comes before its time and what failed together does not come back together. */
const JITTER = 0.1;
/** In all: a message may have 50 MB. */
export const INBOUND_CALL_TIMEOUT_MS = 60_000;
/** Octets of attachments that go with a call, as Postmark has it. What is more is listed without its content, to be read by its links. */
export const MAX_INLINE_ATTACHMENTS = 35 * 1024 * 1024;

export interface InboundJudged {
  readonly verdict: Verdict;
  readonly status: 'QUEUED' | 'PROCESSED' | 'FAILED';
  readonly attempts: number;
  readonly nextAttemptAt: Date | null;
}

/** `attempts`: before this call. */
export function judgeInboundCall(attempts: number, call: CallOutcome, now: Date, uniform: number): InboundJudged {
  const ended = { attempts: attempts + 1, nextAttemptAt: null };
  const { status } = call;
  if (status !== null && status >= 200 && status < 300) return { ...ended, verdict: 'taken', status: 'PROCESSED' };
  if (status === 403 || status === 410) return { ...ended, verdict: 'refused', status: 'FAILED' };
  const pause = INBOUND_PAUSES_MS[attempts];
  if (pause === undefined) return { ...ended, verdict: 'later', status: 'FAILED' };
  const wait = Math.max(pause * (1 + JITTER * uniform), retryAfterMs(call.retryAfter, now));
  return { ...ended, verdict: 'later', status: 'QUEUED', nextAttemptAt: new Date(now.getTime() + wait) };
}

/** Credentials in the address are Postmark's way to tell who calls; they go as Basic authentication and into no log. */
export function inboundTarget(text: string): { readonly url: string; readonly basicAuth: BasicAuth | null } {
  const url = new URL(text);
  const { username, password } = url;
  url.username = '';
  url.password = '';
  const basicAuth =
    username === '' && password === ''
      ? null
      : { username: decodeURIComponent(username), password: decodeURIComponent(password) };
  return { url: url.href, basicAuth };
}

export function inboundSecretPurpose({ accountId, serverId }: { accountId: string; serverId: string }): string {
  return `inbound/${accountId}/${serverId}/secret`;
}
