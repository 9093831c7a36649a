// What measures make of the limits of a site, at a moment. Pure.
import type { MeasureKind } from './reply-rules.ts';
import type { SiteLimits } from './sites.ts';

export interface Measure {
  readonly site: string;
  /** Null: about the site, whoever sends. */
  readonly forAccountId: string | null;
  /** LIMITS: the staff's word, which stands in place of every other. */
  readonly kind: MeasureKind | 'LIMITS';
  /** Of SLOW and ONE_CONNECTION: the part of the pace that is left at first; it comes back evenly until the end. */
  readonly factor: number;
  /** Of LIMITS; null: as usual. */
  readonly connections: number | null;
  readonly messagesPerSecond: number | null;
  readonly startedAt: Date;
  /** Null: until it is ended. */
  readonly until: Date | null;
}

export interface Pace {
  readonly connections: number;
  readonly connectionsPerMinute: number;
  readonly messagesPerConnection: number;
  readonly messagesPerSecond: number;
  /** Nothing is sent before; null: at once. */
  readonly suspendedUntil: Date | null;
}

/** Whatever is wrong, one message in ten seconds finds out whether it still is. */
export const LEAST_PER_SECOND = 0.1;
/** A suspension without an end is looked at again after this. */
const LOOK_AGAIN_MS = 15 * 60_000;

const holds = (now: Date) => (measure: Measure) => measure.until === null || measure.until > now;

/** For what `accountId` sends to the site that `measures` are about; null: for the site as a whole. */
export function paceOf(limits: SiteLimits, measures: readonly Measure[], accountId: string | null, now: Date): Pace {
  const about = measures.filter(
    ({ forAccountId }) => forAccountId === null || (accountId !== null && forAccountId === accountId),
  );
  const holding = about.filter(holds(now));
  const staff = holding.findLast(({ kind, forAccountId }) => kind === 'LIMITS' && forAccountId === null);
  const base = {
    ...limits,
    connections: staff?.connections ?? limits.connections,
    messagesPerSecond: staff?.messagesPerSecond ?? limits.messagesPerSecond,
  };
  const ends = holding.filter(({ kind }) => kind === 'SUSPEND').map(({ until }) => endOf(until, now));
  const part = partLeft(holding, now);
  const single = holding.some(({ kind }) => kind === 'ONE_CONNECTION');
  return {
    connections: single ? 1 : Math.max(1, Math.floor(base.connections * Math.sqrt(part))),
    connectionsPerMinute: Math.max(1, base.connectionsPerMinute * part),
    messagesPerConnection: base.messagesPerConnection,
    messagesPerSecond: Math.max(LEAST_PER_SECOND, base.messagesPerSecond * part),
    suspendedUntil: ends.length === 0 ? null : new Date(Math.max(...ends)),
  };
}

/** Of the pace: what the newest measure left, and what has come back since. */
export function partLeft(measures: readonly Measure[], now: Date): number {
  const newest = measures
    .filter(({ kind, until }) => (kind === 'SLOW' || kind === 'ONE_CONNECTION') && (until === null || until > now))
    .toSorted((a, b) => a.startedAt.getTime() - b.startedAt.getTime())
    .at(-1);
  if (newest === undefined) return 1;
  if (newest.until === null) return newest.factor;
  const whole = newest.until.getTime() - newest.startedAt.getTime();
  const passed = Math.max(0, now.getTime() - newest.startedAt.getTime());
  return Math.min(1, newest.factor + (1 - newest.factor) * (passed / whole));
}

function endOf(until: Date | null, now: Date): number {
  return until?.getTime() ?? now.getTime() + LOOK_AGAIN_MS;
}
