// Domains to send from, with what their owners publish in DNS.
import type { DomainRow } from '#/db/domains.ts';
import { encodeId } from '#/domain/ids.ts';
import { type ShownRecord, shownRecords } from '#/resolvers/domains/domain-records.ts';
import { builder } from './builder.ts';
import { loadersOf } from './loaders.ts';

const DnsPurpose = builder.enumType('DnsPurpose', {
  description: 'What a DNS record is for.',
  values: {
    DKIM: { description: 'A key that signs, or will be the first to: one that is seen verifies the domain.' },
    DKIM_NEXT: { description: 'The key of a rotation: signs as soon as it is seen.' },
    DKIM_RETIRED: { description: 'A key that signs no more. Its record stays until mail signed with it has arrived.' },
    RETURN_PATH: {
      description: 'Where bounces come back to; with it SPF is checked on, and aligned with, the domain.',
    },
    DMARC: { description: 'What receivers do with mail that is not from the domain. Advised, not needed.' },
    SPF: { description: 'Who may send under the domain itself. Not needed where the return path stands.' },
    TRACKING: { description: 'Where tracked links and opens go.' },
    MX: { description: 'Where mail to the domain goes.' },
  } as const,
});

const DnsRecordState = builder.enumType('DnsRecordState', {
  description: 'What DNS says of a record.',
  values: {
    MISSING: { description: 'There is none.' },
    WRONG: { description: 'There is another.' },
    OK: { description: 'It is there.' },
    UNKNOWN: { description: 'It was not asked for yet, or name servers gave no answer, which changes nothing.' },
  } as const,
});

const DnsRecord = builder.objectRef<ShownRecord>('DnsRecord').implement({
  description: 'A record to publish, and what DNS says of it.',
  fields: (t) => ({
    purpose: t.field({ type: DnsPurpose, description: 'What it is for.', resolve: ({ purpose }) => purpose }),
    type: t.exposeString('type', { description: 'TXT, CNAME or MX.' }),
    host: t.exposeString('host', { description: 'Its whole name.' }),
    value: t.exposeString('value', { description: 'What to publish there.' }),
    state: t.field({ type: DnsRecordState, description: 'As of `checkedAt`.', resolve: ({ state }) => state }),
    found: t.stringList({ description: 'What stands there, of at most five.', resolve: ({ found }) => [...found] }),
    problem: t.exposeString('problem', {
      nullable: true,
      description: 'What is wrong and what to do, for a person; null: nothing.',
    }),
    checkedAt: t.expose('checkedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When DNS was last asked; null: not yet.',
    }),
    removableAt: t.expose('removableAt', {
      type: 'DateTime',
      nullable: true,
      description: 'Of a retired key: from when its record may be removed. Null for every other.',
    }),
  }),
});

export const Domain = builder.objectRef<DomainRow>('Domain').implement({
  description: 'A domain to send from. Subdomains are domains of their own.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({ description: 'Global id, dom_….', resolve: ({ id }) => encodeId('domain', id) }),
    name: t.exposeString('name', { description: 'In lower case, international labels as xn--….' }),
    verified: t.boolean({
      description: 'It may be sent from: a key was seen in DNS, or the operator vouches for it.',
      resolve: ({ verifiedAt }) => verifiedAt !== null,
    }),
    lostSince: t.expose('lostSince', {
      type: 'DateTime',
      nullable: true,
      description:
        'Since when none of its keys is published any more; seven days later it is not verified. Null: all well.',
    }),
    records: t.field({
      type: [DnsRecord],
      description: 'Everything to publish, with what DNS says now.',
      resolve: async (domain, _args, context) => {
        const loaders = loadersOf(context, domain);
        const [keys, checked] = await Promise.all([
          loaders.dkimKeys.load(domain.id),
          loaders.domainRecords.load(domain.id),
        ]);
        const { mailHost, clock } = context.deps;
        return [...shownRecords(domain, keys, checked, mailHost, clock.now())];
      },
    }),
  }),
});

export const DomainConnection = builder.connectionObject(
  { type: Domain, name: 'DomainConnection', description: 'A page of domains.' },
  { name: 'DomainEdge', description: 'A domain in its list.' },
);
