// Messages that came in to a server and pass a filter, newest first.
import { type InboundMessageRow, searchInboundMessages } from '#/db/inbound-messages.ts';
import { findServer } from '#/db/servers.ts';
import { InvalidCursor, NotFound } from '#/domain/errors.ts';
import { decodeIdOf } from '#/domain/ids.ts';
import type { InboundStatus } from '#/domain/inbound.ts';
import { keyOfAddress } from '#/domain/suppression.ts';
import { query } from '../define.ts';

export interface InboundMessageFilter {
  readonly status?: InboundStatus | null | undefined;
  readonly recipient?: string | null | undefined;
  readonly from?: string | null | undefined;
  readonly mailboxHash?: string | null | undefined;
  /** Inclusive. */
  readonly since?: Date | null | undefined;
  /** Exclusive. */
  readonly until?: Date | null | undefined;
}

export interface ListInboundRequest {
  readonly serverId: string;
  readonly first: number;
  /** The cursor of a message: its public id. */
  readonly after: string | null;
  readonly filter: InboundMessageFilter;
}

export interface InboundPage {
  readonly messages: readonly InboundMessageRow[];
  readonly hasMore: boolean;
}

export const listInboundMessages = query({
  permission: 'inbound.read',
  errors: [NotFound],
  async run({ scope, deps, fail }, { serverId, first, after, filter }: ListInboundRequest): Promise<InboundPage> {
    const before = after === null ? null : decodeIdOf('inboundMessage', after);
    if (after !== null && before === null) throw new InvalidCursor();
    if ((await findServer(scope, serverId)) === undefined) fail(new NotFound());
    const messages = await searchInboundMessages(scope, {
      serverId,
      before,
      limit: first + 1,
      now: deps.clock.now(),
      status: filter.status ?? null,
      // As it came, which need not be an address by any rule.
      recipientKey: keyOrNull(filter.recipient),
      fromKey: keyOrNull(filter.from),
      mailboxHash: filter.mailboxHash ?? null,
      since: filter.since ?? null,
      until: filter.until ?? null,
    });
    return { messages: messages.slice(0, first), hasMore: messages.length > first };
  },
});

function keyOrNull(text: string | null | undefined): string | null {
  return typeof text === 'string' ? keyOfAddress(text.trim()) : null;
}
