// Trial calls: for each type of event one, with a made-up event that says `test: true`.
import { encodeId } from '#/domain/ids.ts';
import { WebhookUnreachable } from '#/domain/errors.ts';
import { type Endpoint, webhookRequest } from '#/domain/webhooks/endpoint.ts';
import { verdictOn } from '#/domain/webhooks/verdict.ts';
import type { EventType } from '#/events/catalogue.ts';
import { samplePayload } from '#/events/webhook-payload.ts';
import type { Clock, HttpClient, Ids } from '#/runtime/ports.ts';

export interface TrialResult {
  readonly type: EventType;
  readonly passed: boolean;
  readonly status: number | null;
  readonly error: string | null;
  readonly latencyMs: number;
  readonly responseHead: string | null;
}

interface TrialDeps {
  readonly http: HttpClient;
  readonly clock: Clock;
  readonly ids: Ids;
}

/** At once: together they take no longer than one that hangs. */
export function tryEndpoint(
  deps: TrialDeps,
  endpoint: Endpoint,
  serverId: string,
  types: readonly EventType[],
): Promise<readonly TrialResult[]> {
  return Promise.all(
    types.map(async (type): Promise<TrialResult> => {
      const now = deps.clock.now();
      const eventId = deps.ids.next();
      const body = samplePayload(type, { serverId, eventId, now, stream: 'outbound' });
      const result = await deps.http.send(webhookRequest(endpoint, encodeId('event', eventId), body, now));
      const { status, latencyMs } = result;
      const outcome = status === null ? ({ status, retryAfter: null } as const) : { status, retryAfter: null };
      const passed = verdictOn(outcome) === 'taken';
      const error = passed ? null : (result.error ?? `it answered ${status}`);
      return { type, passed, status, error, latencyMs, responseHead: status === null ? null : result.head };
    }),
  );
}

/** Null when all passed. */
export function flawOfTrial(results: readonly TrialResult[]): WebhookUnreachable | null {
  const failed = results.find(({ passed }) => !passed);
  if (failed === undefined) return null;
  return new WebhookUnreachable(`${failed.error} (${failed.type})`, failed.status);
}
