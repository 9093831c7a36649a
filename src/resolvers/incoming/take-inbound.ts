// Mail for applications: stored with its source before its sender hears that it was taken. What comes in at one time, for
// whomever, is committed together.
import { insertInboundMessages, type NewInboundMessage } from '#/db/inbound-messages.ts';
import { listInboundSettings, matchInboundRules } from '#/db/inbound-settings.ts';
import { wakeInboundEndpoints } from '#/db/inbound-work.ts';
import { insertContents } from '#/db/messages.ts';
import { parentsOf } from '#/db/incoming-addresses.ts';
import { scopeOfAccount, type SystemWriteScope, writeInSystemScope } from '#/db/scope.ts';
import { bucketAt, expiryOf } from '#/domain/retention.ts';
import { keyOfAddress } from '#/domain/suppression.ts';
import { encodeLargeSource } from '#/mail/content.ts';
import { partsOf } from '#/mail/incoming-address.ts';
import { repeating } from '../define.ts';
import type { Deps } from '../deps.ts';
import { commitInGroups } from '../group-commit.ts';
import type { Stored } from './authenticate-later.ts';
import { type ReadIncoming, readIncoming } from './read-incoming.ts';
import type { Judged } from './recipients.ts';
import { storable } from './storable.ts';

export interface InboundTarget {
  readonly address: string;
  readonly judged: Extract<Judged, { readonly kind: 'inbound' }>;
}

export interface InboundArrival {
  readonly targets: readonly InboundTarget[];
  /** Of the envelope. */
  readonly sender: string;
  readonly source: Buffer;
}

interface Prepared {
  readonly weight: number;
  readonly target: InboundTarget;
  readonly read: ReadIncoming;
  readonly sender: string;
  readonly body: Buffer;
  readonly size: number;
}

/** All mail of a process, for whichever account: they share their commits. */
const EVERYBODY = 'inbound';
const groups = commitInGroups<Prepared, Stored>();

/** In the order of the targets. */
export async function takeInbound(deps: Deps, arrival: InboundArrival): Promise<readonly Stored[]> {
  const { targets, source, sender } = arrival;
  const [read, body] = await Promise.all([
    readIncoming(deps, source, sender),
    encodeLargeSource({
      source,
      bodyStart: 0,
      eightBit: false,
      smtpUtf8: false,
      lacks: { date: false, messageId: false },
      replyTo: null,
    }),
  ]);
  const size = source.length;
  const prepared = targets.map((target): Prepared => ({ weight: body.length, target, read, sender, body, size }));
  return groups.submit(deps, EVERYBODY, prepared, async (all) => {
    const now = deps.clock.now();
    const stored = await repeating(() => writeInSystemScope(deps.system, now, (scope) => store(deps, scope, all)));
    deps.channel.nudge('inbound');
    return stored;
  });
}

async function store({ ids }: Deps, scope: SystemWriteScope, all: readonly Prepared[]): Promise<Stored[]> {
  const servers = all.map(({ target }) => target.judged);
  const [settings, rules] = await Promise.all([
    listInboundSettings(scope, servers),
    matchInboundRules(
      scope,
      all.map(({ target, read, sender }) => ({ ...target.judged, patterns: patternsOf(read.fromKey, sender) })),
    ),
  ]);
  const rows = all.map((item, place): NewInboundMessage => {
    const pattern = rules.get(place);
    const blockedBy = pattern !== undefined ? `RULE ${pattern}` : item.read.loops ? 'LOOP' : null;
    const hasUrl = (settings.get(item.target.judged.serverId)?.url ?? null) !== null;
    const bucket = bucketAt(scope.now, item.target.judged.retentionDays);
    return rowOf(scope, item, ids.nextInBucket(bucket), bucket, blockedBy, hasUrl);
  });
  const contents = rows.map(({ id, accountId }, place) => ({
    accountId,
    messageId: id,
    body: all[place]?.body ?? EMPTY,
  }));
  await Promise.all([
    insertInboundMessages(scope, rows),
    ...[...Map.groupBy(contents, ({ accountId }) => accountId)].map(([accountId, ofAccount]) =>
      insertContents(scopeOfAccount(scope, accountId), ofAccount),
    ),
  ]);
  await wakeInboundEndpoints(
    scope,
    rows.filter(({ status }) => status === 'QUEUED'),
  );
  return rows.map(({ accountId, id }) => ({ accountId, id }));
}

const EMPTY = Buffer.alloc(0);

/** Without a webhook there is nothing left to do: it is there to be read. */
function rowOf(
  { now }: SystemWriteScope,
  { target, read, size }: Prepared,
  id: string,
  bucket: number,
  blockedBy: string | null,
  hasUrl: boolean,
): NewInboundMessage {
  const { accountId, serverId, streamId, mailboxHash, retentionDays } = target.judged;
  const { people, fromKey, subject, messageIdHeader, dateHeader, attachments } = read;
  return {
    bucket,
    accountId,
    id,
    serverId,
    streamId,
    receivedAt: now,
    expiresAt: expiryOf(now, retentionDays),
    status: blockedBy !== null ? 'BLOCKED' : hasUrl ? 'QUEUED' : 'PROCESSED',
    blockedBy,
    failure: null,
    fromAddress: people.from.address,
    fromKey,
    people: JSON.stringify(people),
    originalRecipient: target.address,
    recipientKey: keyOfAddress(target.address),
    mailboxHash: storable(mailboxHash, 100),
    subject,
    messageIdHeader,
    dateHeader,
    attachments: attachments.length === 0 ? null : JSON.stringify(attachments),
    size,
    authentication: null,
    nextAttemptAt: blockedBy === null && hasUrl ? now : null,
  };
}

/** The addresses of who wrote and of who sent, their domains, and all domains above. */
function patternsOf(fromKey: string, sender: string): string[] {
  const patterns = new Set<string>();
  for (const address of [fromKey, keyOfAddress(storable(sender, 320))]) {
    if (!address.includes('@')) continue;
    const { domain } = partsOf(address);
    for (const pattern of [address, domain, ...parentsOf(domain)]) patterns.add(pattern);
  }
  return [...patterns];
}
