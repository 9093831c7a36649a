// The stream on which the installation sends its TLS reports: they must arrive where TLS is broken (RFC 8460 §3), and what
// bounces of them is nobody else's suppression.
import { insertStream } from '#/db/servers.ts';
import { scopeOfAccount, type SystemScope, writeInSystemScope } from '#/db/scope.ts';
import type { Deps } from '../deps.ts';
import type { SystemServer } from './system-account.ts';

export const REPORT_STREAM = 'tls-reports';
/** A report that is a day late is nobody's news. */
const LIFETIME_MINUTES = 24 * 60;

/** False: it was there. */
export async function ensureReportStream(
  system: SystemScope,
  deps: Pick<Deps, 'clock' | 'ids' | 'channel'>,
  { accountId, serverId }: SystemServer,
): Promise<boolean> {
  const made = await writeInSystemScope(system, deps.clock.now(), (scope) =>
    insertStream(scopeOfAccount(scope, accountId), {
      accountId,
      id: deps.ids.next(),
      serverId,
      slug: REPORT_STREAM,
      name: 'TLS reports',
      description: null,
      kind: 'TRANSACTIONAL',
      inDoubtPolicy: 'NEVER_TWICE',
      lifetimeMinutes: LIFETIME_MINUTES,
      tlsPolicy: 'PREFER_DELIVERY',
      createdAt: deps.clock.now(),
      archivedAt: null,
      purgeAt: null,
    }),
  );
  if (made) deps.channel.nudge('config');
  return made;
}
