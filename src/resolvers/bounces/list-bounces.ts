// Bounces of a server that pass a filter, newest first.
import { type BounceRow, searchBounces } from '#/db/bounces.ts';
import type { ReadScope } from '#/db/scope.ts';
import { findServer, listStreams } from '#/db/servers.ts';
import type { BounceType } from '#/domain/bounce-types.ts';
import { parseMailbox } from '#/domain/email-address.ts';
import { BadUserInput, InvalidCursor, NotFound } from '#/domain/errors.ts';
import { decodeIdOf } from '#/domain/ids.ts';
import { NO_MESSAGE } from '#/events/catalogue.ts';
import { query } from '../define.ts';

export interface BounceFilter {
  readonly type?: BounceType | null | undefined;
  /** Slug. */
  readonly stream?: string | null | undefined;
  readonly address?: string | null | undefined;
  /** Public id. */
  readonly messageId?: string | null | undefined;
  readonly tag?: string | null | undefined;
  readonly inactive?: boolean | null | undefined;
  /** Inclusive. */
  readonly since?: Date | null | undefined;
  /** Exclusive. */
  readonly until?: Date | null | undefined;
}

export interface ListBouncesRequest {
  readonly serverId: string;
  readonly first: number;
  /** The cursor of a bounce: its public id. */
  readonly after: string | null;
  readonly filter: BounceFilter;
}

export interface BouncePage {
  readonly bounces: readonly BounceRow[];
  readonly hasMore: boolean;
}

export const listBounces = query({
  permission: 'bounce.read',
  errors: [NotFound],
  async run({ scope, deps, fail }, { serverId, first, after, filter }: ListBouncesRequest): Promise<BouncePage> {
    const before = after === null ? null : decodeIdOf('bounce', after);
    if (after !== null && before === null) throw new InvalidCursor();
    if ((await findServer(scope, serverId)) === undefined) fail(new NotFound());
    const { messageId } = filter;
    const bounces = await searchBounces(scope, {
      serverId,
      before,
      limit: first + 1,
      now: deps.clock.now(),
      streamId: await streamIdOf(scope, serverId, filter.stream ?? null),
      type: filter.type ?? null,
      addressKey: typeof filter.address === 'string' ? addressKeyOf(filter.address) : null,
      // What is no id of a message is the id of none.
      messageId: typeof messageId === 'string' ? (decodeIdOf('message', messageId) ?? NO_MESSAGE) : null,
      tag: filter.tag ?? null,
      inactive: filter.inactive ?? null,
      since: filter.since ?? null,
      until: filter.until ?? null,
    });
    return { bounces: bounces.slice(0, first), hasMore: bounces.length > first };
  },
});

async function streamIdOf(scope: ReadScope, serverId: string, slug: string | null): Promise<string | null> {
  if (slug === null) return null;
  const stream = (await listStreams(scope, [serverId])).find((known) => known.slug === slug);
  if (stream === undefined) throw new BadUserInput(`filter.stream: there is no stream "${slug}" on this server.`);
  return stream.id;
}

function addressKeyOf(text: string): string {
  const parsed = parseMailbox(text);
  if (!parsed.ok) throw new BadUserInput(`filter.address: ${parsed.reason}.`);
  return parsed.mailbox.key;
}
