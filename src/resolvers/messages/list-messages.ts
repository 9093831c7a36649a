// Messages of a server that pass a filter, newest first.
import { searchMessages } from '#/db/message-search.ts';
import type { MessageRow } from '#/db/messages.ts';
import type { ReadScope } from '#/db/scope.ts';
import { findServer, listStreams } from '#/db/servers.ts';
import { parseMailbox } from '#/domain/email-address.ts';
import { collectIssues } from '#/domain/email/issues.ts';
import { checkMetadata } from '#/domain/email/metadata.ts';
import { BadUserInput, InvalidCursor, NotFound } from '#/domain/errors.ts';
import { decodeIdOf } from '#/domain/ids.ts';
import { metadataTerms, subjectTerms } from '#/domain/search-terms.ts';
import { query } from '../define.ts';
import { checkFilterText } from '../filter-text.ts';

export interface MessageFilter {
  /** Slug. */
  readonly stream?: string | null | undefined;
  readonly recipient?: string | null | undefined;
  readonly from?: string | null | undefined;
  readonly subject?: string | null | undefined;
  readonly tag?: string | null | undefined;
  readonly metadata?: unknown;
  readonly status?: NonNullable<Parameters<typeof searchMessages>[1]['status']> | null | undefined;
  /** Inclusive. */
  readonly since?: Date | null | undefined;
  /** Exclusive. */
  readonly until?: Date | null | undefined;
}

export interface ListMessagesRequest {
  readonly serverId: string;
  readonly first: number;
  /** The cursor of a message: its public id. */
  readonly after: string | null;
  readonly filter: MessageFilter;
}

export interface MessagePage {
  readonly messages: readonly MessageRow[];
  readonly hasMore: boolean;
}

export const listMessages = query({
  permission: 'message.read',
  errors: [NotFound],
  async run({ scope, deps, fail }, { serverId, first, after, filter }: ListMessagesRequest): Promise<MessagePage> {
    const before = after === null ? null : decodeIdOf('message', after);
    if (after !== null && before === null) throw new InvalidCursor();
    if ((await findServer(scope, serverId)) === undefined) fail(new NotFound());
    const metadata = metadataOf(filter.metadata);
    const messages = await searchMessages(scope, {
      serverId,
      before,
      limit: first + 1,
      now: deps.clock.now(),
      streamId: await streamIdOf(scope, serverId, filter.stream ?? null),
      fromKey: addressKeyOf('from', filter.from ?? null),
      tag: checkFilterText('tag', filter.tag ?? null),
      addressKey: addressKeyOf('recipient', filter.recipient ?? null),
      status: filter.status ?? null,
      terms: [...wordsOf(filter.subject ?? null), ...metadataTerms(metadata ?? {})],
      metadata,
      since: filter.since ?? null,
      until: filter.until ?? null,
    });
    return { messages: messages.slice(0, first), hasMore: messages.length > first };
  },
});

async function streamIdOf(scope: ReadScope, serverId: string, slug: string | null): Promise<string | null> {
  if (slug === null) return null;
  const stream = (await listStreams(scope, [serverId])).find((known) => known.slug === slug);
  if (stream === undefined) throw new BadUserInput(`filter.stream: there is no stream "${slug}" on this server.`);
  return stream.id;
}

function addressKeyOf(field: string, text: string | null): string | null {
  if (text === null) return null;
  const parsed = parseMailbox(text);
  if (!parsed.ok) throw new BadUserInput(`filter.${field}: ${parsed.reason}.`);
  return parsed.mailbox.key;
}

function wordsOf(subject: string | null): number[] {
  if (subject === null) return [];
  const words = subjectTerms(subject);
  if (words.length === 0) throw new BadUserInput('filter.subject: holds no word.');
  return words;
}

function metadataOf(given: unknown): Readonly<Record<string, string>> | null {
  if (given === null || given === undefined) return null;
  const issues = collectIssues();
  const metadata = checkMetadata(given, issues);
  const [issue] = issues.found;
  if (issue !== undefined) throw new BadUserInput(`filter.${issue.path.join('.')}: ${issue.message}.`);
  return Object.keys(metadata).length === 0 ? null : metadata;
}
