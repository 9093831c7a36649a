// Mail for applications, once it is read: becomes visible in the transaction that ends its arrival, so once and never twice.
// What is read at one time, for whomever, is committed together.
import { type ArrivalRow, endArrivals } from '#/db/arrivals.ts';
import { insertInboundMessages, type NewInboundMessage } from '#/db/inbound-messages.ts';
import { listInboundSettings, matchInboundRules } from '#/db/inbound-settings.ts';
import { wakeInboundEndpoints } from '#/db/inbound-work.ts';
import { parentsOf } from '#/db/incoming-addresses.ts';
import { type SystemWriteScope, writeInSystemScope } from '#/db/scope.ts';
import { bucketOfMessage, expiryOf } from '#/domain/retention.ts';
import { keyOfAddress } from '#/domain/suppression.ts';
import { partsOf } from '#/mail/incoming-address.ts';
import { repeating } from '../define.ts';
import type { Deps } from '../deps.ts';
import { commitInGroups } from '../group-commit.ts';
import { type ReadIncoming, readIncoming } from './read-incoming.ts';
import { storable, storableJson } from '#/domain/storable.ts';

export interface ArrivedSource {
  readonly source: Uint8Array;
  /** Of the envelope; empty for the null sender. */
  readonly sender: string;
  readonly peerAddress: string;
  readonly helo: string;
}

/** What others find out about a mail; each may fail, and is then not known. */
export interface Inspectors {
  /** What proves whose mail it is; null: nobody looks. */
  readonly authenticate: ((mail: ArrivedSource) => Promise<object>) | null;
  /** How much it looks like spam; null: nobody looks. */
  readonly scoreSpam: ((mail: ArrivedSource & { readonly recipient: string }) => Promise<number | null>) | null;
}

interface Target {
  readonly accountId: string;
  readonly serverId: string;
  readonly streamId: string;
  readonly mailboxHash: string;
  readonly retentionDays: number;
}

interface Prepared {
  /** Rows of a few kilobytes. */
  readonly weight: 0;
  readonly arrival: ArrivalRow;
  readonly target: Target;
  readonly read: ReadIncoming;
  /** JSON. */
  readonly authentication: string | null;
  readonly spamScore: number | null;
}

const EVERYBODY = 'inbound';
const groups = commitInGroups<Prepared, true>();

export async function takeInbound(
  deps: Deps,
  inspectors: Inspectors,
  arrival: ArrivalRow,
  source: Buffer,
): Promise<void> {
  const { sender, peerAddress, helo, recipient } = arrival;
  const mail = { source, sender, peerAddress, helo };
  const [read, authentication, spamScore] = await Promise.all([
    readIncoming(deps, source, sender),
    known(deps, inspectors.authenticate?.(mail)),
    known(deps, inspectors.scoreSpam?.({ ...mail, recipient })),
  ]);
  const prepared: Prepared = {
    weight: 0,
    arrival,
    target: targetOf(arrival),
    read,
    authentication: authentication === null ? null : storableJson(authentication),
    spamScore,
  };
  await groups.submit(deps, EVERYBODY, [prepared], async (all) => {
    const now = deps.clock.now();
    await repeating(() => writeInSystemScope(deps.system, now, (scope) => store(scope, all)));
    deps.channel.nudge('inbound');
    return all.map(() => true);
  });
}

async function known<T>({ log }: Deps, finding: Promise<T> | undefined): Promise<T | null> {
  if (finding === undefined) return null;
  return finding.catch((error: unknown) => {
    log.warn({ error }, 'an inspection of a mail that came in has failed');
    return null;
  });
}

function targetOf({ accountId, serverId, streamId, mailboxHash, retentionDays }: ArrivalRow): Target {
  if (serverId === null || streamId === null || mailboxHash === null || retentionDays === null)
    throw new Error('an arrival for an application without its target');
  return { accountId, serverId, streamId, mailboxHash, retentionDays };
}

async function store(scope: SystemWriteScope, all: readonly Prepared[]): Promise<void> {
  const ended = await endArrivals(
    scope,
    all.map(({ arrival }) => arrival),
  );
  // Whoever has ended the others has stored them.
  const own = all.filter(({ arrival }) => ended.has(arrival.id));
  if (own.length === 0) return;
  const [settings, rules] = await Promise.all([
    listInboundSettings(
      scope,
      own.map(({ target }) => target),
    ),
    matchInboundRules(
      scope,
      own.map(({ arrival, target, read }) => ({ ...target, patterns: patternsOf(read.fromKey, arrival.sender) })),
    ),
  ]);
  const rows = own.map((item, place) => {
    const { url = null, spamThreshold = null } = settings.get(item.target.serverId) ?? {};
    return rowOf(item, scope.now, blockedBy(item, rules.get(place), spamThreshold), url !== null);
  });
  await insertInboundMessages(scope, rows);
  await wakeInboundEndpoints(
    scope,
    rows.filter(({ status }) => status === 'QUEUED'),
  );
}

function blockedBy(
  { read, spamScore }: Prepared,
  pattern: string | undefined,
  spamThreshold: number | null,
): string | null {
  if (pattern !== undefined) return `RULE ${pattern}`;
  if (read.loops) return 'LOOP';
  return spamScore !== null && spamThreshold !== null && spamScore >= spamThreshold ? 'SPAM' : null;
}

/** Without a webhook there is nothing left to do: it is there to be read. */
function rowOf(
  { arrival, target, read, authentication, spamScore }: Prepared,
  now: Date,
  blockedBy: string | null,
  hasUrl: boolean,
): NewInboundMessage {
  const { id, receivedAt, recipient, size } = arrival;
  const { people, fromKey, subject, messageIdHeader, dateHeader, attachments } = read;
  const { retentionDays, ...ofTarget } = target;
  return {
    ...ofTarget,
    bucket: bucketOfMessage(id),
    id,
    receivedAt,
    expiresAt: expiryOf(receivedAt, retentionDays),
    status: blockedBy !== null ? 'BLOCKED' : hasUrl ? 'QUEUED' : 'PROCESSED',
    blockedBy,
    failure: null,
    fromAddress: people.from.address,
    fromKey,
    people: JSON.stringify(people),
    originalRecipient: recipient,
    recipientKey: keyOfAddress(recipient),
    subject,
    messageIdHeader,
    dateHeader,
    attachments: attachments.length === 0 ? null : JSON.stringify(attachments),
    size,
    spamScore,
    authentication,
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
