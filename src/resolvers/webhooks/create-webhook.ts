// Makes a webhook: tried with each of its events first, and then followed by the log from that moment on.
import { lockServer, findServer } from '#/db/servers.ts';
import { insertWebhook, listWebhooks, type NewWebhook, type WebhookRow } from '#/db/webhooks.ts';
import { collectIssues } from '#/domain/email/issues.ts';
import { Forbidden, InvalidInput, LimitReached, NotFound, WebhookUnreachable } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { shownUrl } from '#/domain/webhooks/callable-url.ts';
import { sealPurpose, sealTarget, type Target } from '#/domain/webhooks/endpoint.ts';
import { MAX_WEBHOOKS } from '#/domain/webhooks/rules.ts';
import { makeEd25519, makeSecret, publicKeyOf } from '#/domain/webhooks/signature.ts';
import type { EventType } from '#/events/catalogue.ts';
import { readHorizon } from '#/events/log.ts';
import { command } from '../define.ts';
import { type BasicAuth, checkEvents, checkStreams, checkTarget, checkUrl, type OwnHeader } from './check-webhook.ts';
import { flawOfTrial, tryEndpoint } from './trial-calls.ts';

export interface CreateWebhookRequest {
  readonly serverId: string;
  readonly url: string;
  readonly events: readonly EventType[];
  /** Slugs; none: all. */
  readonly streams: readonly string[];
  readonly headers: readonly OwnHeader[];
  readonly basicAuth: BasicAuth | null;
  /** Sign with Ed25519 too. */
  readonly ed25519: boolean;
  readonly skipVerification: boolean;
}

export interface IssuedWebhook {
  readonly webhook: WebhookRow;
  readonly secret: string;
}

export const createWebhook = command({
  permission: 'webhook.write',
  errors: [InvalidInput, LimitReached, WebhookUnreachable, NotFound],
  announces: ['webhooks'],
  audit: ({ skipVerification }: CreateWebhookRequest, { webhook }: IssuedWebhook) => ({
    action: 'webhook.create',
    subjectIds: [encodeId('webhook', webhook.id), encodeId('server', webhook.serverId)],
    changes: { url: webhook.urlShown, events: webhook.events, skipVerification },
  }),
  async prepare({ scope, deps, fail }, input) {
    if (scope.streamId !== null) throw new Forbidden('the token is bound to one stream');
    const server = (await findServer(scope, input.serverId)) ?? fail(new NotFound());
    const issues = collectIssues();
    const target: Target = { url: input.url, headers: input.headers, basicAuth: input.basicAuth };
    const events = checkEvents(input.events, issues);
    const streamIds = await checkStreams(scope, server.id, input.streams, issues);
    checkTarget(target, issues);
    await checkUrl(deps.http, input.url, issues);
    if (issues.found.length > 0) fail(new InvalidInput(issues.found));
    // Before any call: who is at the limit has no business making us call somebody.
    if ((await listWebhooks(scope, [server.id])).length >= MAX_WEBHOOKS) fail(tooMany());

    const bytes = (length: number) => deps.random.bytes(length);
    const secret = makeSecret(bytes);
    const ed25519 = input.ed25519 ? makeEd25519(bytes) : null;
    const horizon = await readHorizon(deps.db);
    if (!input.skipVerification) {
      const results = await tryEndpoint(deps, { target, secrets: [secret], ed25519 }, server.id, events);
      const flaw = flawOfTrial(results);
      if (flaw !== null) fail(flaw);
    }
    const { accountId } = scope;
    const id = deps.ids.next();
    const seal = (plain: Buffer, part: Parameters<typeof sealPurpose>[1]) =>
      deps.secrets.seal(plain, sealPurpose({ accountId, id }, part));
    const webhook: Omit<NewWebhook, 'createdAt' | 'verifiedAt'> = {
      accountId,
      id,
      serverId: server.id,
      urlShown: shownUrl(new URL(input.url)),
      targetEncrypted: seal(sealTarget(target), 'target'),
      headerNames: input.headers.map(({ name }) => name),
      hasBasicAuth: input.basicAuth !== null,
      secretEncrypted: seal(Buffer.from(secret), 'secret'),
      signingKeyEncrypted: ed25519 === null ? null : seal(ed25519, 'signing_key'),
      publicKey: ed25519 === null ? null : publicKeyOf(ed25519),
      events: [...events],
      streamIds: [...streamIds],
      cursorXact: horizon.xact,
      cursorId: horizon.id,
    };
    return { webhook, secret };
  },
  async run({ scope, prepared, fail }, input) {
    if ((await lockServer(scope, input.serverId)) === undefined) fail(new NotFound());
    if ((await listWebhooks(scope, [input.serverId])).length >= MAX_WEBHOOKS) fail(tooMany());
    const dates = { createdAt: scope.now, verifiedAt: input.skipVerification ? null : scope.now };
    return { webhook: await insertWebhook(scope, { ...prepared.webhook, ...dates }), secret: prepared.secret };
  },
});

function tooMany(): LimitReached {
  return new LimitReached('webhooks on a server', MAX_WEBHOOKS);
}
