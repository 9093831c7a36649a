// The staff's word on the pace at which a site is sent to: ends every measure that holds there, and sets what is given in
// their place, or nothing. Workers hear of it at once.
import { endMeasures, insertMeasure, type MeasureRow } from '#/db/shaping.ts';
import { LEAST_PER_SECOND } from '#/domain/delivery/measures.ts';
import { EVERY_SOURCE } from '#/domain/delivery/transports.ts';
import { collectIssues, type Issues } from '#/domain/email/issues.ts';
import { lineFlaw } from '#/domain/email/text.ts';
import { Forbidden, InvalidInput } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { personalCommand } from '../define-personal.ts';

export const MAX_CONNECTIONS = 1_000;
export const MAX_PER_SECOND = 10_000;
export const MAX_REASON = 500;
const MAX_SITE = 2_000;
const MAX_SOURCE = 100;

export interface OverrideShapingRequest {
  readonly site: string;
  /** Null: whatever address of ours mail leaves from. */
  readonly source: string | null;
  /** UUID; null: the site, whoever sends. */
  readonly accountId: string | null;
  readonly reason: string;
  readonly suspended: boolean;
  readonly connections: number | null;
  readonly messagesPerSecond: number | null;
  readonly until: Date | null;
}

export const overrideShaping = personalCommand({
  state: 'SIGNED_IN',
  stepUp: true,
  errors: [InvalidInput],
  announces: ['config'],
  audit: ({
    site,
    source,
    accountId,
    reason,
    suspended,
    connections,
    messagesPerSecond,
    until,
  }: OverrideShapingRequest) => ({
    action: 'shaping.override',
    subjectIds: accountId === null ? [] : [encodeId('account', accountId)],
    changes: { site, source, reason, suspended, connections, messagesPerSecond, until },
  }),
  async run({ scope, inside, person, fail }, input): Promise<MeasureRow> {
    if (!person.staff) throw new Forbidden('the pace of sending is for the staff of the installation');
    const issues = collectIssues();
    check(input, scope.now, issues);
    if (issues.found.length > 0) fail(new InvalidInput(issues.found));
    const { site, source, accountId: forAccountId, suspended, connections, messagesPerSecond, until, reason } = input;
    await endMeasures(scope, { source, site, forAccountId });
    const measure: MeasureRow = {
      id: inside.ids.next(),
      source: source ?? EVERY_SOURCE,
      site,
      forAccountId,
      kind: suspended ? 'SUSPEND' : 'LIMITS',
      factor: 1,
      connections,
      messagesPerSecond,
      rule: null,
      cause: reason.trim(),
      madeBy: person.userId,
      startedAt: scope.now,
      until,
      // Nothing but the end of what was: on record, and over.
      endedAt: suspended || connections !== null || messagesPerSecond !== null ? null : scope.now,
    };
    await insertMeasure(scope, measure);
    return measure;
  },
});

function check(input: OverrideShapingRequest, now: Date, issues: Issues): void {
  const { site, source, accountId, reason, suspended, connections, messagesPerSecond, until } = input;
  if (site === '' || site.length > MAX_SITE || lineFlaw(site) !== null) issues.add(['site'], 'is no name of a site');
  if (source !== null && (source === '' || source.length > MAX_SOURCE || lineFlaw(source) !== null))
    issues.add(['source'], 'is no source');
  if (reason.trim() === '' || reason.length > MAX_REASON || !reason.isWellFormed())
    issues.add(['reason'], `is empty or longer than ${MAX_REASON} characters`);
  if (connections !== null && (connections < 1 || connections > MAX_CONNECTIONS))
    issues.add(['connections'], `is not from 1 to ${MAX_CONNECTIONS}`);
  if (messagesPerSecond !== null && !(messagesPerSecond >= LEAST_PER_SECOND && messagesPerSecond <= MAX_PER_SECOND))
    issues.add(['messagesPerSecond'], `is not from ${LEAST_PER_SECOND} to ${MAX_PER_SECOND}`);
  const limits = connections !== null || messagesPerSecond !== null;
  if (suspended && limits) issues.add(['suspended'], 'leaves no room for limits');
  if (accountId !== null && limits) issues.add(['accountId'], 'can be suspended, but has no limits of its own');
  if (until !== null && until <= now) issues.add(['until'], 'is in the past');
}
