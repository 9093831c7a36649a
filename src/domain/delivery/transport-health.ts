// When a relay or a source as a whole counts as out of order, and when it is looked at again. Pure.

/** Seconds until the first look; twice as long after each that fails. */
const FIRST_LOOK_S = 15;
const LONGEST_LOOK_S = 600;
const JITTER = 0.2;
/** One that goes out again so soon after it came back goes on where it was, or it would flap. */
const RELAPSE_MS = 15 * 60_000;
/** A look that nobody reports on is over after this: its worker died, or its mail never came to a dial. */
export const LOOK_MS = 60_000;

/** Of a relay: this many dials in a row. */
const RELAY_FAILURES = 3;
/**
 * Of a source: so many points in a row. A site to which mail went lately counts 4, one that was never reached 1, so that
 * the dead domains that are left to try again at night do not look like a source that is broken.
 */
const SOURCE_POINTS = 20;
const POINTS_OF_KNOWN_SITE = 4;
/** What is older says nothing about now. */
const WINDOW_MS = 10 * 60_000;
/** Sites of which it is remembered that they were reached. */
const MAX_SITES = 10_000;
const KNOWN_MS = 24 * 3_600_000;

/** Milliseconds until the next look. `uniform` in [0, 1). */
export function pauseBeforeLook(level: number, uniform: number): number {
  const seconds = Math.min(FIRST_LOOK_S * 2 ** Math.min(level, 20), LONGEST_LOOK_S);
  return seconds * 1_000 * (1 - JITTER + 2 * JITTER * uniform);
}

/** Of one that goes out. `before`: what is on record of it; null: nothing. */
export function levelAtFailure(
  before: { readonly level: number; readonly outSince: Date | null; readonly changedAt: Date } | null,
  now: Date,
): number {
  if (before === null) return 0;
  if (before.outSince !== null) return before.level + 1;
  return now.getTime() - before.changedAt.getTime() < RELAPSE_MS ? before.level + 1 : 0;
}

/** What one process has seen of its relays and sources of late. Times in milliseconds of any clock that only goes forward. */
export class Evidence {
  readonly #failures = new Map<string, Map<string, number>>();
  readonly #reached = new Map<string, number>();

  worked(subject: string, site: string, at: number): void {
    this.#failures.delete(subject);
    const known = this.#reached.get(site);
    // Asked after each mail: what was noted a moment ago is good enough.
    if (known !== undefined && at - known < WINDOW_MS) return;
    this.#reached.delete(site);
    this.#reached.set(site, at);
    if (this.#reached.size <= MAX_SITES) return;
    const oldest = this.#reached.keys().next();
    if (oldest.done !== true) this.#reached.delete(oldest.value);
  }

  /** True: as a whole it is out of order. */
  relayFailed(subject: string, at: number): boolean {
    return this.#noted(subject, `${at}/${this.#failures.get(subject)?.size ?? 0}`, at).size >= RELAY_FAILURES;
  }

  /** Likewise. Each site counts once, whatever is tried there. */
  sourceFailed(subject: string, site: string, at: number): boolean {
    let points = 0;
    for (const failed of this.#noted(subject, site, at).keys()) {
      const reached = this.#reached.get(failed);
      points += reached !== undefined && at - reached < KNOWN_MS ? POINTS_OF_KNOWN_SITE : 1;
    }
    return points >= SOURCE_POINTS;
  }

  forget(subject: string): void {
    this.#failures.delete(subject);
  }

  #noted(subject: string, what: string, at: number): ReadonlyMap<string, number> {
    const failures = this.#failures.get(subject) ?? new Map<string, number>();
    this.#failures.set(subject, failures);
    for (const [other, since] of failures) if (at - since >= WINDOW_MS) failures.delete(other);
    failures.set(what, at);
    return failures;
  }
}
