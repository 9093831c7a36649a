// Counters as somebody sees them: what is counted as what, in which stretch of time, by stream and tag.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeId } from '#/domain/ids.ts';
import { MAX_TAGS_A_DAY, OTHER_TAGS } from '#/domain/statistics.ts';
import type { Actor } from '#/domain/actor.ts';
import { countAll, happen, type Happening, type Place } from '../support/counting.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { postbox } from '../support/returned-mail.ts';
import { inboundAddress } from '#/resolvers/inbound/inbound-content.ts';
import { type TestAccount, type World, world } from '../support/world.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const COUNTS = `start accepted delivered bounced hardBounced bouncesByType { type count } delayed spamComplaints suppressed expired
  cancelled inDoubt suppressionsAdded suppressionsLifted inbound opens uniqueOpens machineOpens clicks uniqueClicks machineClicks
  bounceRate spamComplaintRate`;
const STATS = `query ($from: DateTime!, $to: DateTime!, $interval: StatsInterval!, $stream: String, $tag: String) { server {
  stats(from: $from, to: $to, interval: $interval, stream: $stream, tag: $tag) { buckets { ${COUNTS} } } } }`;

let clock: FakeClock;
let w: World;
let a: TestAccount;
let place: Place;
let other: Place;

beforeAll(async () => {
  clock = new FakeClock();
  w = await world({ clock });
  a = await w.account();
  const streams = await w.db.selectFrom('messageStreams').selectAll().where('serverId', '=', a.serverId).execute();
  const idOf = (slug: string) => streams.find((stream) => stream.slug === slug)?.id ?? '';
  place = { accountId: a.accountId, serverId: a.serverId, streamId: idOf('outbound') };
  other = { ...place, streamId: idOf('broadcast') };
});
afterAll(() => w[Symbol.asyncDispose]());

const at = (ms: number) => new Date(clock.now().getTime() + ms).toISOString();
const ask = (variables: object, actor: Actor = a.token(['STATS_READ'])) =>
  w.execute(STATS, { from: at(-DAY), to: at(DAY), interval: 'TOTAL', ...variables }, actor);
const buckets = async (variables: object, actor?: Actor) => {
  const { data, errors } = await ask(variables, actor);
  expect(errors).toEqual([]);
  return data.server.stats.buckets;
};
const total = async (variables: object, actor?: Actor) => (await buckets(variables, actor))[0];
/** Into a day of its own, so that no test sees what another has counted. */
const nextDay = () => clock.advance(3 * DAY);

describe('a range', () => {
  test.each([
    ['that is empty', { from: 0, to: 0 }, 'TOTAL'],
    ['that goes backwards', { from: 0, to: -1 }, 'DAY'],
    ['of too many hours', { from: -31 * DAY - 1, to: 0 }, 'HOUR'],
    ['of hours that are gone', { from: -46 * DAY, to: -45 * DAY }, 'HOUR'],
    ['of too many days', { from: -367 * DAY, to: 0 }, 'DAY'],
    ['of too many years', { from: -6 * 366 * DAY, to: 0 }, 'TOTAL'],
  ])('%s is refused', async (_what, { from, to }, interval) => {
    const { errors } = await ask({ from: at(from), to: at(to), interval });
    expect(errors).toMatchObject([{ code: 'BAD_USER_INPUT', path: 'server.stats' }]);
  });

  test('of a stream that is not there, or of a tag that no database takes, is refused', async () => {
    expect((await ask({ stream: 'nowhere' })).errors).toMatchObject([{ code: 'BAD_USER_INPUT' }]);
    expect((await ask({ tag: '\u0000' })).errors).toMatchObject([{ code: 'BAD_USER_INPUT' }]);
  });

  test('without the scope is refused', async () => {
    expect((await ask({}, a.token(['EVENTS_READ']))).errors).toMatchObject([{ code: 'FORBIDDEN' }]);
  });

  test('is told in whole stretches of UTC, empty ones too', async () => {
    const range = { from: '2026-01-30T22:30:00Z', to: '2026-03-02T01:00:00Z' };
    const starts = async (interval: string, more: object = range) =>
      (await buckets({ ...more, interval })).map(({ start }: { start: string }) => start);
    expect(await starts('MONTH')).toEqual(
      ['2026-01-01', '2026-02-01', '2026-03-01'].map((day) => `${day}T00:00:00.000Z`),
    );
    expect(await starts('WEEK')).toEqual(
      ['2026-01-26', '2026-02-02', '2026-02-09', '2026-02-16', '2026-02-23', '2026-03-02'].map(
        (day) => `${day}T00:00:00.000Z`,
      ),
    );
    expect(await starts('DAY')).toHaveLength(32);
    expect(await starts('TOTAL', { ...range, to: '2026-03-12T00:00:00Z' })).toEqual(['2026-01-30T00:00:00.000Z']);
    expect(await starts('HOUR', { from: at(-HOUR), to: at(HOUR) })).toHaveLength(
      clock.now().getTime() % HOUR === 0 ? 2 : 3,
    );
  });
});

describe('an event', () => {
  test('is counted as what it is, for all and under its tag and stream', async () => {
    await nextDay();
    const events: Happening[] = [
      ...Array.from({ length: 10 }, () => ({ type: 'ACCEPTED', tag: 'welcome' }) as const),
      ...Array.from({ length: 6 }, () => ({
        type: 'DELIVERED' as const,
        tag: 'welcome',
        data: { remoteHost: null, response: '' },
      })),
      { type: 'BOUNCED', tag: 'welcome', data: { bounceId: 'x', bounceType: 'HARD_BOUNCE', failed: true } },
      { type: 'BOUNCED', tag: 'welcome', data: { bounceId: 'x', bounceType: 'SOFT_BOUNCE', failed: true } },
      { type: 'BOUNCED', tag: 'welcome', data: { bounceId: 'x', bounceType: 'AUTO_RESPONDER', failed: false } },
      { type: 'DELAYED', data: { smtpCode: 451, response: null, nextAttemptAt: '' } },
      { type: 'SPAM_COMPLAINT', tag: 'welcome', data: { bounceId: 'x' } },
      { type: 'SUPPRESSED', data: { reason: 'HARD_BOUNCE' } },
      { type: 'SUBSCRIPTION_CHANGED', data: { suppressed: true, reason: 'UNSUBSCRIBE', origin: 'RECIPIENT' } },
      { type: 'SUBSCRIPTION_CHANGED', data: { suppressed: true, reason: null, origin: 'CUSTOMER' } },
      { type: 'SUBSCRIPTION_CHANGED', data: { suppressed: false, reason: null, origin: 'CUSTOMER' } },
      { type: 'EXPIRED' },
      { type: 'CANCELLED' },
      { type: 'IN_DOUBT', data: { remoteHost: null } },
      { type: 'OPENED', data: { first: true, machine: false, userAgent: null } },
      { type: 'OPENED', data: { first: false, machine: true, userAgent: null } },
      { type: 'CLICKED', data: { first: true, machine: true, userAgent: null, url: '', location: 'HTML' } },
    ];
    await happen(w, place, events);
    await happen(w, other, [{ type: 'ACCEPTED' }]);
    await countAll(w);
    const { start: _, ...counts } = await total({ stream: 'outbound' });
    expect(counts).toEqual({
      ...{ accepted: 10, delivered: 6, bounced: 2, hardBounced: 1, delayed: 1, spamComplaints: 1, suppressed: 1 },
      ...{ expired: 1, cancelled: 1, inDoubt: 1, suppressionsAdded: 2, suppressionsLifted: 1, inbound: 0 },
      ...{ opens: 2, uniqueOpens: 1, machineOpens: 1, clicks: 1, uniqueClicks: 1, machineClicks: 1 },
      bouncesByType: [
        { type: 'HARD_BOUNCE', count: 1 },
        { type: 'AUTO_RESPONDER', count: 1 },
        { type: 'SOFT_BOUNCE', count: 1 },
      ],
      bounceRate: 0.2,
      spamComplaintRate: 0.1,
    });
    expect(await total({})).toMatchObject({ accepted: 11 });
    expect(await total({ tag: 'welcome' })).toMatchObject({ accepted: 10, delivered: 6, delayed: 0, opens: 0 });
    expect(await total({ tag: 'other' })).toMatchObject({ accepted: 0, bounceRate: 0 });
    const bound = a.token(['STATS_READ'], { streamId: other.streamId });
    expect(await total({}, bound)).toMatchObject({ accepted: 1, delivered: 0 });
    expect((await ask({ stream: 'outbound' }, bound)).errors).toMatchObject([{ code: 'BAD_USER_INPUT' }]);
  });

  test('is counted in its hour and its day, and all intervals tell the same sum', async () => {
    await nextDay();
    const from = at(-DAY);
    for (const [hours, count] of [
      [1, 3],
      [5, 2],
      [26, 4],
    ] as const) {
      await clock.advance(hours * HOUR);
      await happen(
        w,
        place,
        Array.from({ length: count }, () => ({})),
      );
    }
    await countAll(w);
    const sums = await Promise.all(
      ['HOUR', 'DAY', 'WEEK', 'MONTH', 'TOTAL'].map(async (interval) => {
        const found = await buckets({ from, to: at(DAY), interval });
        return found.map(({ accepted }: { accepted: number }) => accepted).filter((count: number) => count > 0);
      }),
    );
    expect(sums[0]).toEqual([3, 2, 4]);
    for (const counts of sums) expect(counts.reduce((sum: number, count: number) => sum + count, 0)).toBe(9);
    expect(await total({ from: at(0), to: at(1) })).toMatchObject({ accepted: 4 });
    expect(await total({ from: at(-2 * HOUR), to: at(-HOUR) })).toMatchObject({ accepted: 0 });
  });

  test('of another server is not seen, and one of nobody’s is not there', async () => {
    await nextDay();
    const second = await a.server('Second');
    const stranger = await w.account();
    await happen(w, place, [{}]);
    await countAll(w);
    const actor = a.token(['STATS_READ'], { serverId: second });
    expect(await total({}, actor)).toMatchObject({ accepted: 0 });
    const document = STATS.replace('server {', `server(id: "${encodeId('server', a.serverId)}") {`);
    const { data } = await w.execute(document, { from: at(-DAY), to: at(DAY), interval: 'TOTAL' }, stranger.token());
    expect(data.server).toBeNull();
  });

  test('is counted where its tag has room: so many in a day, in the order of their use; the others together', async () => {
    await nextDay();
    const tags = Array.from({ length: MAX_TAGS_A_DAY + 50 }, (_, index) => `t${index}`);
    await happen(w, place, [{ tag: 'often' }, { tag: 'often' }, { tag: 'x'.repeat(201) }, { tag: OTHER_TAGS }]);
    await countAll(w);
    await happen(
      w,
      place,
      tags.map((tag) => ({ tag })),
    );
    await countAll(w);
    const rows = await w.db
      .selectFrom('countedTags')
      .selectAll()
      .where('startsAt', '>=', new Date(at(-DAY)))
      .execute();
    expect(rows).toHaveLength(MAX_TAGS_A_DAY);
    expect(await total({ tag: 'often' })).toMatchObject({ accepted: 2 });
    expect(await total({ tag: OTHER_TAGS })).toMatchObject({ accepted: 2 + 51 });
    expect(await total({})).toMatchObject({ accepted: tags.length + 4 });
    // Another day has room again.
    await nextDay();
    await happen(w, place, [{ tag: `t${MAX_TAGS_A_DAY + 49}` }]);
    await countAll(w);
    expect(await total({ tag: `t${MAX_TAGS_A_DAY + 49}` })).toMatchObject({ accepted: 1 });
  });
});

test('a message that comes in is counted once, also when it is taken up again', async () => {
  await nextDay();
  const box = postbox(w);
  const input = { serverId: encodeId('server', a.serverId), pattern: 'bad.example' };
  await w.execute(
    'mutation ($input: AddInboundRuleInput!) { addInboundRule(input: $input) { __typename } }',
    { input },
    a.manager,
  );
  const source = (from: string) => `From: ${from}\r\nSubject: Hi\r\n\r\nHello.\r\n`;
  for (const from of ['ann@good.example', 'eve@bad.example'])
    await box.post(inboundAddress(w.deps, a.serverId), source(from), from);
  await countAll(w);
  expect(await total({})).toMatchObject({ inbound: 2, accepted: 0 });
  const blocked = await w.db
    .selectFrom('inboundMessages')
    .selectAll()
    .where('status', '=', 'BLOCKED')
    .executeTakeFirstOrThrow();
  const { data } = await w.execute(
    'mutation ($id: ID!) { retryInboundMessage(input: { id: $id }) { __typename } }',
    { id: encodeId('inboundMessage', blocked.id) },
    a.token(),
  );
  expect(data.retryInboundMessage.__typename).toBe('InboundMessage');
  await countAll(w);
  expect(await total({})).toMatchObject({ inbound: 2 });
  expect(await total({ stream: 'inbound' })).toMatchObject({ inbound: 2 });
});
