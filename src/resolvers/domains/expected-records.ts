// Everything that a domain's owner publishes, as the keys and the domain's own settings ask for it.
import type { PublicDkimKey } from '#/db/dkim-keys.ts';
import type { DomainRow } from '#/db/domains.ts';
import { defaultReturnPath } from '#/domain/sender-identity/identity-name.ts';
import type { DnsPurpose } from '#/domain/sender-identity/rules.ts';

export interface ExpectedRecord {
  readonly purpose: DnsPurpose;
  readonly type: 'TXT' | 'CNAME';
  readonly host: string;
  readonly value: string;
  /** Of the purposes DKIM, DKIM_NEXT and DKIM_RETIRED. */
  readonly key: PublicDkimKey | null;
}

export function dkimHost(selector: string, domain: string): string {
  return `${selector}._domainkey.${domain}`;
}

/** `keys`: of this domain, oldest first. */
export function expectedRecords(
  { name, returnPath }: Pick<DomainRow, 'name' | 'returnPath'>,
  keys: readonly PublicDkimKey[],
  mailHost: string,
): readonly ExpectedRecord[] {
  const inUse = new Set(keys.flatMap(({ state, algorithm }) => (state === 'CURRENT' ? [algorithm] : [])));
  const dkim = keys.map((key): ExpectedRecord => {
    const first = key.state === 'PENDING' && !inUse.has(key.algorithm);
    const purpose = key.state === 'RETIRED' ? 'DKIM_RETIRED' : key.state === 'CURRENT' || first ? 'DKIM' : 'DKIM_NEXT';
    return { purpose, type: 'TXT', host: dkimHost(key.selector, name), value: key.publicRecord, key };
  });
  const order = ['DKIM', 'DKIM_NEXT', 'DKIM_RETIRED'];
  dkim.sort((a, b) => order.indexOf(a.purpose) - order.indexOf(b.purpose));
  return [
    ...dkim,
    { purpose: 'RETURN_PATH', type: 'CNAME', host: returnPath ?? defaultReturnPath(name), value: mailHost, key: null },
    { purpose: 'DMARC', type: 'TXT', host: `_dmarc.${name}`, value: 'v=DMARC1; p=none', key: null },
    { purpose: 'SPF', type: 'TXT', host: name, value: `v=spf1 include:${mailHost} ~all`, key: null },
  ];
}
