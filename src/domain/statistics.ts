// What is counted, for how long, and into which stretches of time it is told. All in UTC.

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

export const statsIntervals = ['HOUR', 'DAY', 'WEEK', 'MONTH', 'TOTAL'] as const;
export type StatsInterval = (typeof statsIntervals)[number];

/**
 * Days for which hours are kept; days are kept for ever. As long as the log itself by default: an hour is looked at while
 * something has just happened, and 24 rows for one would be nearly all that counters cost.
 */
export const HOURS_KEPT_DAYS = 45;
/** Tags of a server that have counters of their own on a day. Programs name their templates; some write an order's number. */
export const MAX_TAGS_A_DAY = 200;
/** Characters: tags are part of a key, and may be five times as long. */
export const MAX_COUNTED_TAG = 200;
/** Under which all other tags of that day are counted. */
export const OTHER_TAGS = '(other)';
/** Counts everything, with a tag or without. No message has it: an empty tag is none. */
export const ALL_TAGS = '';
/** Days for which it is kept which tags had counters: the log is there to be counted again for a year. */
export const TAGS_KEPT_DAYS = 400;

/** Longest ranges, in days: 744 hours, or a leap year of days, or what five years of days come to. */
export const MAX_STATS_DAYS: Readonly<Record<StatsInterval, number>> = {
  HOUR: 31,
  DAY: 366,
  WEEK: 5 * 366,
  MONTH: 5 * 366,
  TOTAL: 5 * 366,
};

export function startOfHour(time: Date): Date {
  return new Date(Math.floor(time.getTime() / HOUR_MS) * HOUR_MS);
}

export function startOfDay(time: Date): Date {
  return new Date(Math.floor(time.getTime() / DAY_MS) * DAY_MS);
}

/** The first hour of which counters are certainly there. */
export function firstHourKept(now: Date): Date {
  return new Date(startOfHour(now).getTime() - HOURS_KEPT_DAYS * DAY_MS);
}

/** Start of the stretch of time in which `time` lies; a week begins on Monday. */
export function startOf(interval: Exclude<StatsInterval, 'TOTAL'>, time: Date): Date {
  const day = startOfDay(time);
  switch (interval) {
    case 'HOUR':
      return startOfHour(time);
    case 'DAY':
      return day;
    case 'WEEK':
      return new Date(day.getTime() - ((day.getUTCDay() + 6) % 7) * DAY_MS);
    case 'MONTH':
      return new Date(Date.UTC(day.getUTCFullYear(), day.getUTCMonth(), 1));
    default:
      return interval satisfies never;
  }
}

function next(interval: Exclude<StatsInterval, 'TOTAL'>, start: Date): Date {
  if (interval === 'MONTH') return new Date(Date.UTC(start.getUTCFullYear(), start.getUTCMonth() + 1, 1));
  const ms = { HOUR: HOUR_MS, DAY: DAY_MS, WEEK: 7 * DAY_MS }[interval];
  return new Date(start.getTime() + ms);
}

/** Starts of all stretches that touch the range, also of those in which nothing happened. */
export function startsIn(interval: StatsInterval, from: Date, to: Date): Date[] {
  if (interval === 'TOTAL') return [from];
  const starts: Date[] = [];
  for (let start = startOf(interval, from); start < to; start = next(interval, start)) starts.push(start);
  return starts;
}

export interface StatsRange {
  readonly unit: 'hour' | 'day';
  readonly from: Date;
  readonly to: Date;
}

/** `from` and `to` widened to whole hours where these are told and kept, else to whole days. */
export function wholeRange(interval: StatsInterval, from: Date, to: Date, now: Date): StatsRange {
  const days = (to.getTime() - from.getTime()) / DAY_MS;
  const brief = interval === 'TOTAL' && days <= MAX_STATS_DAYS.HOUR && startOfHour(from) >= firstHourKept(now);
  const unit = interval === 'HOUR' || brief ? 'hour' : 'day';
  const [start, ms] = unit === 'hour' ? ([startOfHour, HOUR_MS] as const) : ([startOfDay, DAY_MS] as const);
  return { unit, from: start(from), to: new Date(Math.ceil(to.getTime() / ms) * ms) };
}

/** Counts by metric: a type of event, or one with what it is about after a point (BOUNCED.HARD_BOUNCE). */
export type Counts = ReadonlyMap<string, number>;

/** Of a type, in all its kinds. */
export function countOf(counts: Counts, type: string): number {
  let sum = 0;
  for (const [metric, count] of counts) if (metric === type || metric.startsWith(`${type}.`)) sum += count;
  return sum;
}

/** Of a type, those kinds that have `part` in their name. */
export function countOfPart(counts: Counts, type: string, part: string): number {
  let sum = 0;
  for (const [metric, count] of counts) {
    const [name, ...parts] = metric.split('.');
    if (name === type && parts.includes(part)) sum += count;
  }
  return sum;
}

/** 0 of nothing. */
export function shareOf(part: number, all: number): number {
  return all === 0 ? 0 : part / all;
}
