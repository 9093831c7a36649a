// Changes a webhook, turns it off and on, and resumes it after a pause. An absent field stays.
import { failPending, restartPending } from '#/db/webhook-deliveries.ts';
import { findWebhook, lockWebhook, updateWebhook as updateRow, type WebhookRow } from '#/db/webhooks.ts';
import type { WriteScope } from '#/db/scope.ts';
import { collectIssues } from '#/domain/email/issues.ts';
import { Conflict, InvalidInput, NotFound, WebhookUnreachable } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { shownUrl } from '#/domain/webhooks/callable-url.ts';
import { openEndpoint, openTarget, sealPurpose, sealTarget, type Target } from '#/domain/webhooks/endpoint.ts';
import type { EventType, LogPosition } from '#/events/catalogue.ts';
import { readHorizon } from '#/events/log.ts';
import { command } from '../define.ts';
import type { Deps } from '../deps.ts';
import { type BasicAuth, checkEvents, checkStreams, checkTarget, checkUrl, type OwnHeader } from './check-webhook.ts';
import { flawOfTrial, tryEndpoint } from './trial-calls.ts';

export interface UpdateWebhookRequest {
  readonly id: string;
  readonly url?: string | null | undefined;
  readonly events?: readonly EventType[] | null | undefined;
  /** Slugs; none, or null: all. */
  readonly streams?: readonly string[] | null | undefined;
  /** Null: none any more, as of the next. */
  readonly headers?: readonly OwnHeader[] | null | undefined;
  readonly basicAuth?: BasicAuth | null | undefined;
  readonly enabled?: boolean | null | undefined;
  /** When it is turned on: what gathered meanwhile is not sent. */
  readonly skipMissed: boolean;
  readonly skipVerification: boolean;
}

interface Prepared {
  readonly changes: Partial<WebhookRow>;
  /** Its revision when it was tried: what was changed meanwhile was not. */
  readonly revision: number;
  readonly horizon: LogPosition;
}

export const updateWebhook = command({
  permission: 'webhook.write',
  errors: [InvalidInput, Conflict, WebhookUnreachable, NotFound],
  announces: ['webhooks'],
  audit: (input: UpdateWebhookRequest, webhook: WebhookRow) => ({
    action: 'webhook.update',
    subjectIds: [encodeId('webhook', webhook.id), encodeId('server', webhook.serverId)],
    changes: {
      ...(input.url === undefined ? {} : { url: webhook.urlShown }),
      ...(input.events === undefined ? {} : { events: webhook.events }),
      ...(input.streams === undefined ? {} : { streams: input.streams }),
      ...(input.headers === undefined ? {} : { headers: webhook.headerNames }),
      ...(input.basicAuth === undefined ? {} : { basicAuth: webhook.hasBasicAuth }),
      ...(input.enabled === undefined ? {} : { enabled: input.enabled, skipMissed: input.skipMissed }),
    },
  }),
  async prepare({ scope, deps, fail }, input): Promise<Prepared> {
    const webhook = (await findWebhook(scope, input.id)) ?? fail(new NotFound());
    const horizon = await readHorizon(deps.db);
    const issues = collectIssues();
    const before = openTarget(webhook, deps.secrets);
    const target: Target = {
      url: input.url ?? before.url,
      headers: input.headers === undefined ? before.headers : (input.headers ?? []),
      basicAuth: input.basicAuth === undefined ? before.basicAuth : input.basicAuth,
    };
    for (const field of ['url', 'events', 'enabled'] as const)
      if (input[field] === null) issues.add([field], 'cannot be null: leave it out to keep what it is');
    const events = input.events ? checkEvents(input.events, issues) : undefined;
    const streamIds =
      input.streams === undefined
        ? undefined
        : await checkStreams(scope, webhook.serverId, input.streams ?? [], issues);
    checkTarget(target, issues);
    if (typeof input.url === 'string') await checkUrl(deps.http, input.url, issues);
    if (issues.found.length > 0) fail(new InvalidInput(issues.found));

    const moved = input.url !== undefined || input.headers !== undefined || input.basicAuth !== undefined;
    const untried = (events ?? []).filter((type) => moved || !webhook.events.includes(type));
    if (!input.skipVerification) {
      const flaw = await tryChange(deps, webhook, target, moved ? (events ?? knownEvents(webhook)) : untried);
      if (flaw !== null) fail(flaw);
    }
    const changes = {
      ...(moved ? targetChanges(deps, webhook, target) : {}),
      ...(moved && !input.skipVerification ? { verifiedAt: deps.clock.now() } : {}),
      // Another address was not tried; it is not the one that was verified.
      ...(input.url !== undefined && input.skipVerification ? { verifiedAt: null } : {}),
      ...(events === undefined ? {} : { events: [...events] }),
      ...(streamIds === undefined ? {} : { streamIds: [...streamIds] }),
      ...(typeof input.enabled === 'boolean' ? { enabled: input.enabled } : {}),
    };
    return { changes, revision: webhook.revision, horizon };
  },
  async run({ scope, prepared, fail }, input) {
    const webhook = (await lockWebhook(scope, input.id)) ?? fail(new NotFound());
    if (webhook.revision !== prepared.revision)
      fail(new Conflict('The webhook was changed at the same moment: try again.'));
    const on = input.enabled === true && (!webhook.enabled || webhook.pausedAt !== null);
    const resumed = on ? await resume(scope, webhook, prepared.horizon, input.skipMissed) : {};
    return updateRow(scope, input.id, { ...prepared.changes, ...resumed });
  },
});

function knownEvents({ events }: WebhookRow): readonly EventType[] {
  return checkEvents(events as readonly EventType[], collectIssues());
}

async function tryChange(
  deps: Deps,
  webhook: WebhookRow,
  target: Target,
  types: readonly EventType[],
): Promise<WebhookUnreachable | null> {
  if (types.length === 0) return null;
  const endpoint = { ...openEndpoint(webhook, deps.secrets, deps.clock.now()), target };
  return flawOfTrial(await tryEndpoint(deps, endpoint, webhook.serverId, types));
}

function targetChanges(deps: Deps, webhook: WebhookRow, target: Target): Partial<WebhookRow> {
  return {
    urlShown: shownUrl(new URL(target.url)),
    targetEncrypted: deps.secrets.seal(sealTarget(target), sealPurpose(webhook, 'target')),
    headerNames: target.headers.map(({ name }) => name),
    hasBasicAuth: target.basicAuth !== null,
  };
}

/** What waits goes at once, and with what the log has gathered one after the other; or none of it does. */
async function resume(
  scope: WriteScope,
  webhook: WebhookRow,
  horizon: LogPosition,
  skipMissed: boolean,
): Promise<Partial<WebhookRow>> {
  const healthy = {
    failures: 0,
    refusals: 0,
    failingSince: null,
    pausedAt: null,
    pauseReason: null,
    notBefore: null,
    notice: null,
  };
  if (skipMissed) {
    await failPending(scope, webhook.id, 'skipped when the webhook was turned on');
    return horizon.xact > webhook.cursorXact ? { ...healthy, cursorXact: horizon.xact, cursorId: horizon.id } : healthy;
  }
  await restartPending(scope, webhook.id);
  return { ...healthy, catchUpXact: horizon.xact };
}
