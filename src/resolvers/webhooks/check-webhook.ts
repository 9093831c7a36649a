// What is asked of a webhook, checked: everything that is wrong with it is told at once.
import { listStreams } from '#/db/servers.ts';
import type { ReadScope } from '#/db/scope.ts';
import type { Issues } from '#/domain/email/issues.ts';
import { type BasicAuth, checkBasicAuth, checkOwnHeaders, type OwnHeader } from '#/domain/webhooks/own-headers.ts';
import type { Target } from '#/domain/webhooks/endpoint.ts';
import { type EventType, eventTypes } from '#/events/catalogue.ts';
import type { HttpClient } from '#/runtime/ports.ts';

export async function checkUrl(http: HttpClient, url: string, issues: Issues): Promise<void> {
  const flaw = await http.flawOf(url);
  if (flaw !== null) issues.add(['url'], flaw);
}

/** In the order of the catalogue, each once. */
export function checkEvents(events: readonly EventType[], issues: Issues): readonly EventType[] {
  if (events.length === 0) issues.add(['events'], 'is empty');
  return eventTypes.filter((type) => events.includes(type));
}

/** Ids of the streams; none: all. */
export async function checkStreams(
  scope: ReadScope,
  serverId: string,
  slugs: readonly string[],
  issues: Issues,
): Promise<readonly string[]> {
  if (slugs.length === 0) return [];
  const known = new Map((await listStreams(scope, [serverId])).map((stream) => [stream.slug, stream]));
  return [...new Set(slugs)].flatMap((slug, index) => {
    const stream = known.get(slug);
    if (stream === undefined) issues.add(['streams', index], `there is no stream "${slug}" on this server`);
    else if (stream.kind === 'INBOUND')
      issues.add(['streams', index], 'is the inbound stream, which has no such events');
    else return [stream.id];
    return [];
  });
}

export function checkTarget({ headers, basicAuth }: Target, issues: Issues): void {
  checkOwnHeaders(headers, basicAuth !== null, issues);
  if (basicAuth !== null) checkBasicAuth(basicAuth, issues);
}

export type { BasicAuth, OwnHeader };
