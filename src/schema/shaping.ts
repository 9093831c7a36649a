// The pace at which receivers are sent to, for the staff of the installation.
import type { MeasureRow } from '#/db/shaping.ts';
import { LEAST_PER_SECOND } from '#/domain/delivery/measures.ts';
import { type Provider, providers, type SiteLimits, usualLimits } from '#/domain/delivery/sites.ts';
import { encodeId } from '#/domain/ids.ts';
import { listShaping, MAX_MEASURES } from '#/resolvers/shaping/list-measures.ts';
import { MAX_CONNECTIONS, MAX_PER_SECOND, MAX_REASON, overrideShaping } from '#/resolvers/shaping/override-shaping.ts';
import { builder } from './builder.ts';
import { visitorOf } from './context.ts';
import { resultUnion } from './errors.ts';
import { uuidOf } from './ids.ts';

const ShapingKind = builder.enumType('ShapingKind', {
  description: 'What a measure does to the pace.',
  values: {
    SLOW: { description: 'A part of the pace, which comes back evenly until the measure ends.' },
    ONE_CONNECTION: { description: 'One connection at a time, and a part of the pace.' },
    SUSPEND: { description: 'Nothing is sent.' },
    LIMITS: { description: 'The word of the staff in place of the usual limits.' },
  } as const,
});

const ShapingMeasure = builder.objectRef<MeasureRow>('ShapingMeasure').implement({
  description: 'One change of the pace at which a site is sent to, with its cause.',
  fields: (t) => ({
    site: t.exposeString('site', {
      description:
        'A known provider, e.g. google; mx: and the mail exchangers, sorted and joined by commas; or relay: and a relay of a transport.',
    }),
    source: t.exposeString('source', {
      description:
        'The addresses of ours that it is about, joined by a comma; default: those of no transport; *: whatever the source.',
    }),
    accountId: t.id({
      nullable: true,
      description: 'The account whose mail to the site it is about; null: whoever sends.',
      resolve: ({ forAccountId }) => (forAccountId === null ? null : encodeId('account', forAccountId)),
    }),
    kind: t.field({ type: ShapingKind, description: 'What it does.', resolve: ({ kind }) => kind }),
    factor: t.exposeFloat('factor', { description: 'Of SLOW and ONE_CONNECTION: the part that was left at first.' }),
    connections: t.exposeInt('connections', { nullable: true, description: 'Of LIMITS; null: as usual.' }),
    messagesPerSecond: t.exposeFloat('messagesPerSecond', {
      nullable: true,
      description: 'Of LIMITS; null: as usual.',
    }),
    rule: t.exposeString('rule', { nullable: true, description: 'The rule that made it; null: the staff did.' }),
    cause: t.exposeString('cause', { description: 'The reply that it followed, or the reason that was given.' }),
    madeBy: t.id({
      nullable: true,
      description: 'Who of the staff made it; null: a rule did.',
      resolve: ({ madeBy }) => (madeBy === null ? null : encodeId('user', madeBy)),
    }),
    startedAt: t.expose('startedAt', { type: 'DateTime', description: 'Since when.' }),
    until: t.expose('until', { type: 'DateTime', nullable: true, description: 'Till when; null: until it is ended.' }),
    endedAt: t.expose('endedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the staff ended it; null: it holds, or has run out.',
    }),
  }),
});

const ShapingLimits = builder.objectRef<SiteLimits>('ShapingLimits').implement({
  description: 'What a site is asked for at once, by all nodes together.',
  fields: (t) => ({
    connections: t.exposeInt('connections', { description: 'Connections at a time.' }),
    connectionsPerMinute: t.exposeInt('connectionsPerMinute', { description: 'Connections opened in a minute.' }),
    messagesPerConnection: t.exposeInt('messagesPerConnection', {
      description: 'Messages after which a connection is closed.',
    }),
    messagesPerSecond: t.exposeFloat('messagesPerSecond', { description: 'Messages in a second.' }),
    recipientsPerTransaction: t.exposeInt('recipientsPerTransaction', {
      description: 'Recipients of one message at a time.',
    }),
  }),
});

const ShapingPreset = builder.objectRef<Pick<Provider, 'name' | 'suffixes' | 'limits'>>('ShapingPreset').implement({
  description: 'The limits of a known provider before anything is measured.',
  fields: (t) => ({
    site: t.exposeString('name', { description: 'Name of the site; empty for all that are not known.' }),
    suffixes: t.stringList({
      description: 'Endings of the names of its mail exchangers.',
      resolve: ({ suffixes }) => [...suffixes],
    }),
    limits: t.field({ type: ShapingLimits, description: 'Its limits.', resolve: ({ limits }) => limits }),
  }),
});

const Shaping = builder.objectRef<object>('Shaping').implement({
  description: 'The pace at which receivers are sent to.',
  fields: (t) => ({
    presets: t.field({
      type: [ShapingPreset],
      description: 'Limits of known providers, and of all others at the end.',
      resolve: () => [...providers, { name: '', suffixes: [], limits: usualLimits }],
    }),
    measures: t.withAuth({ staff: true }).field({
      type: [ShapingMeasure],
      description: 'What was done about it, newest first.',
      extensions: { cost: 10 },
      args: {
        site: t.arg.string({ required: false, description: 'Of this site alone.' }),
        first: t.arg.int({ description: `How many at most; up to ${MAX_MEASURES}.` }),
      },
      resolve: (_shaping, { site, first }, context) =>
        listShaping(context.deps, visitorOf(context), { site: site ?? null, limit: Math.max(0, first) }),
    }),
  }),
});

const OverrideShapingInput = builder.inputType('OverrideShapingInput', {
  description:
    'Ends every measure that holds at a site, or about what one account sends to it, and sets this in their place; without suspended and limits: nothing.',
  fields: (t) => ({
    site: t.string({ description: 'As in ShapingMeasure.' }),
    source: t.string({ required: false, description: 'As in ShapingMeasure; unless given, whatever the source.' }),
    accountId: t.id({ required: false, description: 'What this account sends to it; unless given, whoever sends.' }),
    reason: t.string({ description: `For who reads it later; up to ${MAX_REASON} characters.` }),
    suspended: t.boolean({ required: false, description: 'Nothing is sent; false unless given.' }),
    connections: t.int({ required: false, description: `At a time, 1 to ${MAX_CONNECTIONS}; as usual unless given.` }),
    messagesPerSecond: t.float({
      required: false,
      description: `From ${LEAST_PER_SECOND} to ${MAX_PER_SECOND}; as usual unless given.`,
    }),
    until: t.field({ type: 'DateTime', required: false, description: 'Till when; unless given, until it is ended.' }),
  }),
});

const OverrideShapingResult = resultUnion(
  'OverrideShapingResult',
  ShapingMeasure,
  overrideShaping,
  'What holds now, or why it does not.',
);

builder.queryField('shaping', (t) =>
  t.withAuth({ staff: true }).field({
    type: Shaping,
    nullable: true,
    description: 'The pace at which receivers are sent to. For staff of the installation.',
    resolve: () => ({}),
  }),
);

builder.mutationField('overrideShaping', (t) =>
  t.withAuth({ staff: true, proved: true }).field({
    type: OverrideShapingResult,
    nullable: true,
    description:
      'Says at what pace a site is sent to. Workers hear of it at once. For staff of the installation, with a fresh proof of identity.',
    args: { input: t.arg({ type: OverrideShapingInput, description: 'Which site, and what.' }) },
    resolve: (_root, { input }, context) =>
      overrideShaping(context.deps, visitorOf(context), {
        site: input.site,
        source: input.source ?? null,
        accountId: input.accountId == null ? null : uuidOf('account', input.accountId),
        reason: input.reason,
        suspended: input.suspended ?? false,
        connections: input.connections ?? null,
        messagesPerSecond: input.messagesPerSecond ?? null,
        until: input.until ?? null,
      }),
  }),
);
