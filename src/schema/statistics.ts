// What is counted of a server. docs/statistics.md says when.
import { bounceTypes } from '#/domain/bounce-types.ts';
import {
  countOf,
  countOfPart,
  type Counts,
  HOURS_KEPT_DAYS,
  MAX_COUNTED_TAG,
  MAX_STATS_DAYS,
  MAX_TAGS_A_DAY,
  OTHER_TAGS,
  shareOf,
} from '#/domain/statistics.ts';
import { type CountedBucket, getStats } from '#/resolvers/statistics/get-stats.ts';
import { BounceType } from './bounce.ts';
import { builder, guarded } from './builder.ts';
import { within } from './context.ts';
import { onServer } from './guards.ts';
import { Server } from './server.ts';

const StatsInterval = builder.enumType('StatsInterval', {
  description: 'Stretches of time into which counts are told, all in UTC.',
  values: {
    HOUR: {
      description: `Hours; a range of ${MAX_STATS_DAYS.HOUR} days at most. Hours are kept for ${HOURS_KEPT_DAYS} days.`,
    },
    DAY: { description: `Days; a range of ${MAX_STATS_DAYS.DAY} days at most.` },
    WEEK: { description: `Weeks from Monday to Sunday; a range of ${MAX_STATS_DAYS.WEEK} days at most.` },
    MONTH: { description: `Months of the calendar; a range of ${MAX_STATS_DAYS.MONTH} days at most.` },
    TOTAL: { description: `The whole range in one; ${MAX_STATS_DAYS.TOTAL} days at most.` },
  } as const,
});

interface OneBounceType {
  readonly type: keyof typeof bounceTypes;
  readonly count: number;
}

const BounceCount = builder.objectRef<OneBounceType>('BounceCount').implement({
  description: 'How many bounces were of one type.',
  fields: (t) => ({
    type: t.field({ type: BounceType, description: 'The type.', resolve: ({ type }) => type }),
    count: t.exposeInt('count', { description: 'How many.' }),
  }),
});

const bouncedIn = (counts: Counts) => countOf(counts, 'BOUNCED') - countOfPart(counts, 'BOUNCED', 'NOTICE');
const liftedIn = (counts: Counts) => countOfPart(counts, 'SUBSCRIPTION_CHANGED', 'LIFTED');

const bounceTypesIn = (counts: Counts): OneBounceType[] =>
  // Object.keys of a literal are its own keys.
  (Object.keys(bounceTypes) as (keyof typeof bounceTypes)[])
    .map((type) => ({ type, count: countOfPart(counts, 'BOUNCED', type) }))
    .filter(({ count }) => count > 0);

const StatsBucket = builder.objectRef<CountedBucket>('StatsBucket').implement({
  description: 'What was counted in a stretch of time. Counters outlive the messages they count.',
  fields: (t) => {
    const counted = (description: string, read: (counts: Counts) => number) =>
      t.int({ description, resolve: ({ counts }) => read(counts) });
    const ofType = (type: string) => (counts: Counts) => countOf(counts, type);
    return {
      start: t.expose('start', { type: 'DateTime', description: 'When it begins, in UTC.' }),
      accepted: counted('Recipients of accepted messages, but for those that are suppressed.', ofType('ACCEPTED')),
      delivered: counted('Recipients whose mail server took the message.', ofType('DELIVERED')),
      bounced: counted('Bounces that mean that the message did not arrive.', bouncedIn),
      hardBounced: counted(
        'Of these, those of the type HARD_BOUNCE.',
        (counts) => counts.get('BOUNCED.HARD_BOUNCE') ?? 0,
      ),
      bouncesByType: t.field({
        type: [BounceCount],
        description: 'All bounces by type, also automatic answers and the like; types of which there were any.',
        resolve: ({ counts }) => bounceTypesIn(counts),
      }),
      delayed: counted('Delays that were told, the same recipient as often as it was told.', ofType('DELAYED')),
      spamComplaints: counted('Complaints.', ofType('SPAM_COMPLAINT')),
      suppressed: counted('Recipients who were left out because they are suppressed.', ofType('SUPPRESSED')),
      expired: counted('Recipients who were not reached in time.', ofType('EXPIRED')),
      cancelled: counted('Recipients to whom nothing was sent because the sender took it back.', ofType('CANCELLED')),
      inDoubt: counted('Deliveries of which it is not known whether they arrived.', ofType('IN_DOUBT')),
      suppressionsAdded: counted(
        'Addresses that were suppressed, for whatever reason.',
        (counts) => countOf(counts, 'SUBSCRIPTION_CHANGED') - liftedIn(counts),
      ),
      suppressionsLifted: counted('Addresses that may get mail again.', liftedIn),
      inbound: counted('Messages that came in, blocked ones included. They have no tag.', ofType('INBOUND')),
      opens: counted('Opens.', ofType('OPENED')),
      uniqueOpens: counted('First opens of a recipient.', (counts) => countOfPart(counts, 'OPENED', 'FIRST')),
      machineOpens: counted('Of the opens, those by proxies and scanners, as far as can be told.', (counts) =>
        countOfPart(counts, 'OPENED', 'MACHINE'),
      ),
      clicks: counted('Clicks.', ofType('CLICKED')),
      uniqueClicks: counted('First clicks of a recipient.', (counts) => countOfPart(counts, 'CLICKED', 'FIRST')),
      machineClicks: counted('Of the clicks, those by scanners, as far as can be told.', (counts) =>
        countOfPart(counts, 'CLICKED', 'MACHINE'),
      ),
      bounceRate: t.float({
        description:
          'bounced for each accepted recipient, 0 to 1; more where what bounced was accepted before. 0 of none.',
        resolve: ({ counts }) => shareOf(bouncedIn(counts), countOf(counts, 'ACCEPTED')),
      }),
      spamComplaintRate: t.float({
        description: 'spamComplaints for each accepted recipient, likewise.',
        resolve: ({ counts }) => shareOf(countOf(counts, 'SPAM_COMPLAINT'), countOf(counts, 'ACCEPTED')),
      }),
    };
  },
});

const ServerStats = builder.objectRef<{ readonly buckets: readonly CountedBucket[] }>('ServerStats').implement({
  description: 'What was counted of a server in a range of time.',
  fields: (t) => ({
    buckets: t.field({
      type: [StatsBucket],
      description: 'In the order of time, also those in which nothing happened.',
      resolve: ({ buckets }) => [...buckets],
    }),
  }),
});

builder.objectField(Server, 'stats', (t) =>
  t.withAuth(onServer(getStats.permission)).field({
    type: ServerStats,
    description: guarded(
      getStats.permission,
      'Counts of what happened on the server, some seconds after it did, each at the time of its event; sandbox mail too.',
    ),
    extensions: { cost: 20 },
    args: {
      from: t.arg({ type: 'DateTime', description: 'From the hour or day of this time on.' }),
      to: t.arg({ type: 'DateTime', description: 'To the end of the hour or day before this time.' }),
      interval: t.arg({ type: StatsInterval, description: 'Into what it is told.' }),
      stream: t.arg.string({ required: false, description: 'Slug of a stream; all unless given.' }),
      tag: t.arg.string({
        required: false,
        description: `Of messages with this tag; all unless given. On each day the first ${MAX_TAGS_A_DAY} tags of a server are counted apart; all others, and those of more than ${MAX_COUNTED_TAG} characters, under "${OTHER_TAGS}".`,
      }),
    },
    resolve: async ({ id, accountId }, { from, to, interval, stream, tag }, context) => {
      const { deps, caller } = within(context, accountId);
      const request = { serverId: id, from, to, interval, stream: stream ?? null, tag: tag ?? null };
      return { buckets: await getStats(deps, caller, request) };
    },
  }),
);
