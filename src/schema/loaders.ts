// Rows by id, each kind asked for once per tick: what keeps a page of messages from being a query per message. They live
// in Pothos' cache of the context, which a subscription empties for each event.
import { createContextCache } from '@pothos/core';
import DataLoader from 'dataloader';
import { findAccount } from '#/db/accounts.ts';
import { findAudit } from '#/db/audit.ts';
import { findTokens, listServerTokens } from '#/db/api-tokens.ts';
import { findBounces } from '#/db/bounces.ts';
import { listDkimKeys } from '#/db/dkim-keys.ts';
import { listDmarcTotals } from '#/db/domain-reports.ts';
import { listDomainRecords } from '#/db/domain-records.ts';
import { findDomains, listServerDomains } from '#/db/domains.ts';
import { findContacts } from '#/db/emergency-contacts.ts';
import { findInvitations, listInvitationGrants } from '#/db/invitations.ts';
import { findMembers, listGrants } from '#/db/memberships.ts';
import { findInboundMessages } from '#/db/inbound-messages.ts';
import { findInboundRules, findInboundSettings, listInboundRules } from '#/db/inbound-settings.ts';
import { findMessages } from '#/db/messages.ts';
import { listAttempts, listDueTimes, listRecipients } from '#/db/recipients.ts';
import type { ReadScope } from '#/db/scope.ts';
import { findSignatures } from '#/db/sender-signatures.ts';
import { findStaffAccess } from '#/db/staff-access.ts';
import { listPauses } from '#/db/sending-pauses.ts';
import { findServers, findStreams, listStreams } from '#/db/servers.ts';
import { findDeliveries } from '#/db/webhook-deliveries.ts';
import { findWebhooks, listWebhooks } from '#/db/webhooks.ts';
import { encodeId } from '#/domain/ids.ts';
import { findSuppressionImports } from '#/db/suppression-imports.ts';
import { findSuppressionRows, listSuppressionReasons } from '#/db/suppressions.ts';
import { readReturnedSources } from '#/resolvers/bounces/returned-source.ts';
import { listMessageEvents, type LoggedEvent, type MessageEventsKey } from '#/resolvers/events/message-events.ts';
import { dmarcSince } from '#/resolvers/domains/dmarc-sources.ts';
import { readInboundContents } from '#/resolvers/inbound/inbound-content.ts';
import { readContents } from '#/resolvers/messages/message-content.ts';
import { recordLook } from '#/resolvers/staff-access/record-look.ts';
import { type AccountContext, type Context, within } from './context.ts';

/** Content may be megabytes for each message. */
const CONTENTS_AT_ONCE = 10;
const ROWS_AT_ONCE = 500;

type Ids = readonly string[];

const made = createContextCache((_context: Context) => new Map<string, Loaders>());

/** The loaders of the account that `row` belongs to. */
export function loadersOf(context: Context, row: { readonly accountId: string }): Loaders {
  return loadersIn(context, within(context, row.accountId));
}

export function loadersIn(context: Context, at: AccountContext): Loaders {
  const known = made(context).get(at.accountId);
  if (known !== undefined) return known;
  const loaders = makeLoaders(at);
  made(context).set(at.accountId, loaders);
  return loaders;
}

export type Loaders = ReturnType<typeof makeLoaders>;

function makeLoaders({ scope, deps, caller }: AccountContext) {
  const now = () => deps.clock.now();
  /** Bodies that staff of the installation read are on record one by one. */
  const recordContents = async (ids: Ids): Promise<void> => {
    if (caller.actor.kind !== 'STAFF') return;
    const subjectIds = ids.map((id) => encodeId('message', id));
    await recordLook(deps, caller, { subjectIds, permission: 'content.read' });
  };
  return {
    account: one((ids) => findAccount(scope).then((row) => (row !== undefined && ids.includes(row.id) ? [row] : []))),
    server: one((ids) => findServers(scope, ids)),
    stream: one((ids) => findStreams(scope, ids)),
    token: one((ids) => findTokens(scope, ids)),
    message: one((ids) => findMessages(scope, ids, now())),
    bounce: one((ids) => findBounces(scope, ids)),
    suppression: one((ids) => findSuppressionRows(scope, ids)),
    suppressionImport: one((ids) => findSuppressionImports(scope, ids)),
    inboundMessage: one((ids) => findInboundMessages(scope, ids, now())),
    inboundRule: one((ids) => findInboundRules(scope, ids)),
    domain: one((ids) => findDomains(scope, ids)),
    signature: one((ids) => findSignatures(scope, ids)),
    invitation: one((ids) => findInvitations(scope, ids, now())),
    contact: one((ids) => findContacts(scope, ids)),
    staffAccess: one((ids) => findStaffAccess(scope, ids)),
    audit: one((ids) => findAudit(scope, ids)),
    member: mapped(
      async (ids) => new Map((await findMembers(scope, ids)).map((row) => [row.userId, row])),
      ROWS_AT_ONCE,
    ),
    grantsOfInvitation: many(
      (ids) => listInvitationGrants(scope, ids),
      ({ invitationId }) => invitationId,
    ),
    webhook: one((ids) => findWebhooks(scope, ids)),
    webhookDelivery: one((ids) => findDeliveries(scope, ids)),
    webhooksOfServer: many(
      (ids) => listWebhooks(scope, ids),
      ({ serverId }) => serverId,
    ),
    dmarcTotals: mapped(
      async (ids) => new Map((await listDmarcTotals(scope, ids, dmarcSince(now()))).map((row) => [row.domainId, row])),
      ROWS_AT_ONCE,
    ),
    dkimKeys: many(
      (ids) => listDkimKeys(scope, ids),
      ({ domainId }) => domainId,
    ),
    grantsOfMember: many(
      (ids) => listGrants(scope, ids),
      ({ userId }) => userId,
    ),
    domainRecords: many(
      (ids) => listDomainRecords(scope, ids),
      ({ domainId }) => domainId,
    ),
    domainsOfServer: many(
      (ids) => listServerDomains(scope, ids),
      ({ serverId }) => serverId,
    ),
    tokensOfServer: many(
      (ids) => listServerTokens(scope, ids, now()),
      ({ serverId }) => serverId ?? '',
    ),
    streamsOfServer: many(
      (ids) => listStreams(scope, ids),
      ({ serverId }) => serverId,
    ),
    pausesOfServer: many(
      (ids) => listPauses(scope, ids),
      ({ serverId }) => serverId,
    ),
    recipients: many(
      (ids) => listRecipients(scope, ids),
      ({ messageId }) => messageId,
    ),
    attempts: many(
      (ids) => listAttempts(scope, ids),
      ({ messageId }) => messageId,
    ),
    dueTimes: many(
      (ids) => listDueTimes(scope, ids),
      ({ messageId }) => messageId,
    ),
    content: mapped(async (ids) => {
      await recordContents(ids);
      return readContents(scope, ids);
    }, CONTENTS_AT_ONCE),
    inboundContent: mapped((ids) => readInboundContents(scope, deps.clock, ids), CONTENTS_AT_ONCE),
    inboundSettings: mapped(
      async (ids) => new Map((await findInboundSettings(scope, ids)).map((row) => [row.serverId, row])),
      ROWS_AT_ONCE,
    ),
    rulesOfServer: many(
      (ids) => listInboundRules(scope, ids),
      ({ serverId }) => serverId,
    ),
    bounceSource: mapped((ids) => readReturnedSources(scope, ids), CONTENTS_AT_ONCE),
    suppressionReason: mapped((ids) => listSuppressionReasons(scope, ids), ROWS_AT_ONCE),
    events: eventsLoader(scope),
  };
}

/** Null for what is not there, or not within the scope. */
function one<R extends { readonly id: string }>(load: (ids: Ids) => Promise<readonly R[]>) {
  return mapped(async (ids) => new Map((await load(ids)).map((row) => [row.id, row])), ROWS_AT_ONCE);
}

function many<R>(load: (ids: Ids) => Promise<readonly R[]>, parentOf: (row: R) => string) {
  return new DataLoader<string, readonly R[]>(
    async (ids) => {
      const rows = Map.groupBy(await load(ids), parentOf);
      return ids.map((id) => rows.get(id) ?? []);
    },
    { maxBatchSize: ROWS_AT_ONCE },
  );
}

function mapped<R>(load: (ids: Ids) => Promise<ReadonlyMap<string, R>>, maxBatchSize: number) {
  return new DataLoader<string, R | null>(
    async (ids) => {
      const rows = await load(ids);
      return ids.map((id) => rows.get(id) ?? null);
    },
    { maxBatchSize },
  );
}

function eventsLoader(scope: ReadScope) {
  return new DataLoader<MessageEventsKey, readonly LoggedEvent[], string>((keys) => listMessageEvents(scope, keys), {
    cacheKeyFn: ({ messageId, after, limit }) => `${messageId} ${after?.xact} ${after?.id} ${limit}`,
    maxBatchSize: ROWS_AT_ONCE,
  });
}
