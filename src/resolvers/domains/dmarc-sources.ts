// Who sends in the name of a domain, by the aggregate reports of the last weeks.
import { listDmarcSources } from '#/db/domain-reports.ts';
import type { ReportSource } from '#/domain/report-source.ts';
import type { ReadScope } from '#/db/scope.ts';

/** What a summary is about: senders that come monthly are in it. */
export const DMARC_DAYS = 35;
/** Addresses that are looked at, those that sent most first. */
const MAX_ADDRESSES = 2_000;
/** Of one source. */
const MAX_SHOWN = 100;

export interface DmarcSource {
  readonly name: string;
  readonly ipAddresses: readonly string[];
  readonly messages: number;
  readonly dkimAligned: number;
  readonly spfAligned: number;
  readonly ours: boolean;
}

export function dmarcSince(now: Date): Date {
  return new Date(now.getTime() - DMARC_DAYS * 86_400_000);
}

/** Of a domain that the scope has found; those that sent most first. */
export async function dmarcSources(
  scope: ReadScope,
  domain: { readonly id: string; readonly name: string },
  now: Date,
  first: number,
): Promise<readonly DmarcSource[]> {
  const rows = await listDmarcSources(scope, domain.id, dmarcSince(now), MAX_ADDRESSES);
  const byName = new Map<string, ReportSource[]>();
  for (const row of rows) {
    const name = nameOf(row, domain.name);
    byName.set(name, [...(byName.get(name) ?? []), row]);
  }
  return [...byName]
    .map(([name, sources]) => together(name, sources))
    .toSorted((a, b) => b.messages - a.messages)
    .slice(0, first);
}

/** By whose domain it signs beside the customer's own, else by its address. */
function nameOf({ dkimDomains, ours, sourceIp }: ReportSource, domain: string): string {
  if (ours) return 'Veredus';
  const signer = dkimDomains.find((name) => name !== domain && !name.endsWith(`.${domain}`));
  return signer ?? sourceIp;
}

function together(name: string, sources: readonly ReportSource[]): DmarcSource {
  const sum = (key: 'messages' | 'dkimAligned' | 'spfAligned') =>
    Math.min(
      sources.reduce((total, source) => total + source[key], 0),
      MAX_INT,
    );
  return {
    name,
    ipAddresses: sources.slice(0, MAX_SHOWN).map(({ sourceIp }) => sourceIp),
    messages: sum('messages'),
    dkimAligned: sum('dkimAligned'),
    spfAligned: sum('spfAligned'),
    ours: sources.some(({ ours }) => ours),
  };
}

/** Of GraphQL's Int. */
export const MAX_INT = 2_147_483_647;
