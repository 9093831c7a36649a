// Domains of a test account through the API, and the DNS that its owner would publish.
import { ensurePartitions } from '#/db/partitions.ts';
import { encodeId } from '#/domain/ids.ts';
import type { DnsServer, DnsRecords } from './dns-server.ts';
import type { TestAccount, World } from './world.ts';

export interface TestRecord {
  readonly purpose: string;
  readonly type: string;
  readonly host: string;
  readonly value: string;
  readonly state: string;
  readonly found: readonly string[];
  readonly problem: string | null;
  readonly checkedAt: string | null;
  readonly removableAt: string | null;
}

export interface TestDomain {
  readonly __typename: string;
  readonly id: string;
  readonly name: string;
  readonly verified: boolean;
  readonly lostSince: string | null;
  readonly records: readonly TestRecord[];
  readonly code?: string;
  readonly message?: string;
  readonly issues?: readonly { readonly path: readonly string[] }[];
}

const FIELDS = `id name verified lostSince
  records { purpose type host value state found problem checkedAt removableAt }`;
const RESULT = `__typename ... on Error { code message } ... on Domain { ${FIELDS} }`;

export function domainsOf(w: World, account: TestAccount) {
  const call = async (name: string, type: string, input: object, actor = account.manager): Promise<TestDomain> => {
    const issues = name === 'addDomain' ? '... on InvalidInput { issues { path } }' : '';
    const document = `mutation ($input: ${type}!) { ${name}(input: $input) { ${RESULT} ${issues} } }`;
    const { data, errors } = await w.execute(document, { input }, actor);
    if (errors[0] !== undefined) throw new Error(`${errors[0].code}: ${errors[0].message}`);
    return data[name];
  };
  return {
    add: (name: string, more: { readonly returnPath?: string } = {}) =>
      call('addDomain', 'AddDomainInput', { accountId: encodeId('account', account.accountId), name, ...more }),
    verify: (id: string) => call('verifyDomain', 'IdInput', { id }),
    rotate: (id: string) => call('rotateDkimKey', 'IdInput', { id }),
    async remove(id: string) {
      const document =
        'mutation ($id: ID!) { removeDomain(input: { id: $id }) { __typename ... on Error { code } ... on Deleted { id } } }';
      return (await w.execute(document, { id }, account.manager)).data.removeDomain;
    },
    async read(id: string): Promise<TestDomain> {
      const document = `query ($id: ID!) { node(id: $id) { __typename ... on Domain { ${FIELDS} } } }`;
      return (await w.execute(document, { id }, account.manager)).data.node;
    },
    async send(from: string, serverId = account.serverId): Promise<string> {
      // Tests move the clock by weeks, and housekeeping does not run.
      await ensurePartitions(w.db, w.deps.clock.now(), [45]);
      const document =
        'mutation ($input: SendEmailInput!) { sendEmail(input: $input) { __typename ... on Error { message } } }';
      const input = { from, to: ['ann@receiver.example'], text: 'x' };
      const { data } = await w.execute(document, { input }, account.token(undefined, { serverId }));
      return data.sendEmail.__typename;
    },
  };
}

/** What the owner of the domain would enter. */
export function zoneOf(records: readonly TestRecord[]): Record<string, DnsRecords> {
  return Object.fromEntries(
    records.map(({ type, host, value }) => [host, type === 'CNAME' ? { CNAME: value } : { TXT: [value] }]),
  );
}

export function publish(server: DnsServer, records: readonly TestRecord[]): void {
  server.set(zoneOf(records));
}

export function withdraw(server: DnsServer, records: readonly TestRecord[]): void {
  server.set(Object.fromEntries(records.map(({ host }) => [host, 'NXDOMAIN'])));
}

export const ofPurpose = ({ records }: TestDomain, purpose: string) =>
  records.filter((record) => record.purpose === purpose);
