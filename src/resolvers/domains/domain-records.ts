// The records of a domain as they are shown: what to publish, with what DNS said when it was last asked.
import type { PublicDkimKey } from '#/db/dkim-keys.ts';
import type { DomainRecordRow } from '#/db/domain-records.ts';
import type { DomainRow } from '#/db/domains.ts';
import type { DnsPurpose, DnsRecordState } from '#/domain/sender-identity/rules.ts';
import { expectedRecords } from './expected-records.ts';

export interface ShownRecord {
  readonly purpose: DnsPurpose;
  readonly type: string;
  readonly host: string;
  readonly value: string;
  readonly state: DnsRecordState;
  readonly found: readonly string[];
  readonly problem: string | null;
  readonly checkedAt: Date | null;
  readonly removableAt: Date | null;
}

export function shownRecords(
  domain: DomainRow,
  keys: readonly PublicDkimKey[],
  checked: readonly DomainRecordRow[],
  mailHost: string,
  now: Date,
): readonly ShownRecord[] {
  return expectedRecords(domain, keys, mailHost).map(({ purpose, type, host, value, key }) => {
    const last = checked.find((row) => row.host === host && row.purpose === (key === null ? purpose : 'DKIM'));
    const removableAt = key?.removableAt ?? null;
    const shown = {
      purpose,
      type,
      host,
      value,
      state: last?.state ?? ('UNKNOWN' as const),
      found: last?.found ?? [],
      checkedAt: last?.checkedAt ?? null,
      removableAt,
    };
    const problem = last === undefined ? 'Not looked up yet.' : last.problem;
    return { ...shown, problem: removableAt === null ? problem : retiredText(shown.state, removableAt, now) };
  });
}

function retiredText(state: DnsRecordState, removableAt: Date, now: Date): string | null {
  if (removableAt <= now) return state === 'MISSING' ? null : 'This key signs no more; its record may be removed.';
  const until = removableAt.toISOString().slice(0, 10);
  return state === 'MISSING' || state === 'WRONG'
    ? `The record is gone, but mail signed with its key may be in flight until ${until}: put it back until then.`
    : `This key signs no more. Leave the record until ${until}: mail signed with it may be in flight.`;
}
