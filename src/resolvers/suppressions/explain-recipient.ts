// Why mail of a server to an address is, or is not, arriving: what suppresses it, whether the server sends at all, and what
// became of the last messages.
import { type AttemptRow, listAttempts, listRecentRecipients, type RecipientRow } from '#/db/recipients.ts';
import { listPauses } from '#/db/sending-pauses.ts';
import { findServer, listStreams, type StreamRow } from '#/db/servers.ts';
import { listSuppressionsOf, type SuppressionRow } from '#/db/suppressions.ts';
import { parseMailbox } from '#/domain/email-address.ts';
import { BadUserInput, NotFound } from '#/domain/errors.ts';
import { foremost, type SendingPause } from '#/domain/sending-pause.ts';
import { addressHash } from '#/domain/suppression.ts';
import { query } from '../define.ts';

/** Messages that are looked at, and attempts that are told of. */
const MESSAGES = 10;
export const MAX_RECENT_ATTEMPTS = 20;

export interface RecipientExplanation {
  readonly address: string;
  readonly deliverable: boolean;
  readonly summary: string;
  readonly suppressions: readonly SuppressionRow[];
  /** Newest first. */
  readonly recentAttempts: readonly AttemptRow[];
}

export const explainRecipient = query({
  permission: 'message.read',
  errors: [NotFound],
  async run(
    { scope, deps, fail },
    { serverId, address: text }: { readonly serverId: string; readonly address: string },
  ): Promise<RecipientExplanation> {
    const parsed = parseMailbox(text);
    if (!parsed.ok) throw new BadUserInput(`address: ${parsed.reason}.`);
    if ((await findServer(scope, serverId)) === undefined) fail(new NotFound());
    const { address, key } = parsed.mailbox;
    const streams = (await listStreams(scope, [serverId])).filter(({ kind }) => kind !== 'INBOUND');
    const [suppressions, recipients, pauses] = await Promise.all([
      listSuppressionsOf(
        scope,
        streams.map(({ id }) => id),
        [addressHash(key)],
      ),
      listRecentRecipients(scope, { serverId, addressKey: key, now: deps.clock.now(), limit: MESSAGES }),
      listPauses(scope, [serverId]),
    ]);
    const places = new Set(recipients.map(placeOf));
    const attempts = await listAttempts(
      scope,
      recipients.map(({ messageId }) => messageId),
    );
    const recentAttempts = attempts
      .filter((attempt) => places.has(placeOf(attempt)))
      .toSorted((a, b) => b.startedAt.getTime() - a.startedAt.getTime())
      .slice(0, MAX_RECENT_ATTEMPTS);
    const found = summaryOf(streams, suppressions, recipients, recentAttempts[0]);
    const summary = [pauseText(streams, foremost(pauses)), found].filter((text) => text !== null).join(' ');
    return { address, deliverable: suppressions.length === 0, summary, suppressions, recentAttempts };
  },
});

const placeOf = ({ messageId, ordinal }: Pick<RecipientRow, 'messageId' | 'ordinal'>) => `${messageId}/${ordinal}`;

const reasons = {
  HARD_BOUNCE: 'mail to it bounced for good',
  SPAM_COMPLAINT: 'its user called mail spam',
  MANUAL: 'it was suppressed by hand',
  UNSUBSCRIBE: 'its user unsubscribed',
} as const satisfies Record<SuppressionRow['reason'], string>;

const states = {
  SCHEDULED: 'The last message to it waits for its time.',
  QUEUED: 'The last message to it waits for its turn.',
  DELAYED: 'The last message to it could not be delivered yet and is tried again',
  DELIVERED: 'Nothing stands in the way: its server took the last message.',
  BOUNCED: 'Nothing is suppressed, but the last message to it bounced',
  SUPPRESSED: 'Nothing is suppressed any more; the last message to it was.',
  EXPIRED: 'Nothing is suppressed, but the last message to it could not be delivered in time',
  CANCELLED: 'Nothing stands in the way; the last message to it was cancelled.',
  IN_DOUBT: 'Nothing is suppressed; whether the last message arrived is not known.',
} as const satisfies Record<RecipientRow['status'], string>;

function pauseText(streams: readonly StreamRow[], pause: SendingPause | null): string | null {
  if (pause === null) return null;
  const stream = streams.find(({ id }) => id === pause.streamId);
  const what = stream === undefined ? 'the server' : `the stream ${stream.slug}`;
  return `Sending of ${what} is paused (${pause.reason}): nothing leaves until it is resumed.`;
}

function summaryOf(
  streams: readonly StreamRow[],
  suppressions: readonly SuppressionRow[],
  recipients: readonly RecipientRow[],
  attempt: AttemptRow | undefined,
): string {
  if (suppressions.length > 0) {
    const slugs = new Map(streams.map(({ id, slug }) => [id, slug]));
    const told = suppressions.map(({ streamId, reason }) => `on ${slugs.get(streamId)}, because ${reasons[reason]}`);
    return `Nothing is sent to it ${told.join('; and ')}.`;
  }
  const [last] = recipients;
  if (last === undefined) return 'Nothing stands in the way: nothing was sent to it lately, and nothing suppresses it.';
  const text = states[last.status];
  if (text.endsWith('.')) return text;
  const said = attempt?.response?.split('\n', 1)[0]?.slice(0, 300);
  return said === undefined ? `${text}.` : `${text}: ${said}`;
}
