// What comes back about a domain: the addresses for it, and who sends in its name.
import type { DomainRow } from '#/db/domains.ts';
import type { DmarcTotals } from '#/db/domain-reports.ts';
import { domainAddressOf } from '#/resolvers/domains/domain-addresses.ts';
import { DMARC_DAYS, type DmarcSource as Source, dmarcSources, MAX_INT } from '#/resolvers/domains/dmarc-sources.ts';
import { builder } from './builder.ts';
import { within } from './context.ts';
import { Domain } from './domain.ts';
import { loadersOf } from './loaders.ts';
import { checkFirst, firstText } from './paging.ts';

interface Summary {
  readonly domain: DomainRow;
  readonly totals: DmarcTotals;
}

const DmarcSource = builder.objectRef<Source>('DmarcSource').implement({
  description: 'Somebody who sends in the name of a domain, rightly or not.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'The domain that it signs with beside this one; else its address.' }),
    ipAddresses: t.stringList({
      description: 'Those that sent most, at most 100.',
      resolve: ({ ipAddresses }) => [...ipAddresses],
    }),
    messages: t.exposeInt('messages', { description: 'What receivers saw of it.' }),
    dkimAligned: t.exposeInt('dkimAligned', { description: 'Of these, with a right signature of the domain.' }),
    spfAligned: t.exposeInt('spfAligned', { description: 'Of these, from an address that the domain names in SPF.' }),
    ours: t.exposeBoolean('ours', { description: 'This installation: signed with a key that it has made.' }),
  }),
});

const DmarcSummary = builder.objectRef<Summary>('DmarcSummary').implement({
  description: `From the aggregate reports that receivers send: who sends with this domain. Of the last ${DMARC_DAYS} days.`,
  fields: (t) => ({
    policy: t.string({
      nullable: true,
      description: 'What the domain asks for, as the last report saw it: none, quarantine or reject.',
      resolve: ({ totals }) => totals.policy,
    }),
    reports: t.int({ description: 'How many came.', resolve: ({ totals }) => totals.reports }),
    messages: t.int({
      description: 'Messages that they tell of.',
      resolve: ({ totals }) => Math.min(totals.messages, MAX_INT),
    }),
    alignedMessages: t.int({
      description: 'Of these, with DKIM or SPF in the name of the domain.',
      resolve: ({ totals }) => Math.min(totals.alignedMessages, MAX_INT),
    }),
    sources: t.field({
      type: [DmarcSource],
      description: 'Who sent them, those that sent most first.',
      extensions: { cost: 10 },
      args: { first: t.arg.int({ description: firstText() }) },
      resolve: async ({ domain }, { first }, context) => {
        const { scope, deps } = within(context, domain.accountId);
        return [...(await dmarcSources(scope, domain, deps.clock.now(), checkFirst(first)))];
      },
    }),
  }),
});

builder.objectFields(Domain, (t) => ({
  dmarc: t.field({
    type: DmarcSummary,
    nullable: true,
    description: 'What receivers report about mail in its name; null without any report.',
    extensions: { cost: 5 },
    resolve: async (domain, _args, context) => {
      const totals = await loadersOf(context, domain).dmarcTotals.load(domain.id);
      return totals === null ? null : { domain, totals };
    },
  }),
  reportAddress: t.string({
    nullable: true,
    description:
      'For rua= of the DMARC record and of _smtp._tls: reports that come there are read. Null until the domain is verified; takes mail once the RETURN_PATH record is OK.',
    resolve: (domain, _args, context) => domainAddressOf(context.deps, 'report', domain),
  }),
  feedbackAddress: t.string({
    nullable: true,
    description:
      'For feedback loops of providers: complaints that come there are taken. Null until the domain is verified; takes mail once the RETURN_PATH record is OK.',
    resolve: (domain, _args, context) => domainAddressOf(context.deps, 'feedback', domain),
  }),
}));
