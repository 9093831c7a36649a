// IPv6 before IPv4, with memory: a source whose IPv6 leads nowhere is not made to wait for it at every dial.
import { isIPv6 } from 'node:net';
import type { Clock, SmtpTarget } from '#/runtime/ports.ts';
import type { SendingSource } from './way.ts';

/** The family is tried again after this. */
const BROKEN_MS = 30 * 60_000;
/** Hosts that answered by one family after they had not by the other. */
const FALLBACKS = 3;
/** What the system itself says: from here the family leads nowhere. */
const NO_WAY = /\b(?:ENETUNREACH|EADDRNOTAVAIL|EAFNOSUPPORT)\b/;

const familyOf = ({ address }: SmtpTarget) => (isIPv6(address) ? 'ipv6' : 'ipv4');

export class Families {
  readonly #clock: Clock;
  readonly #brokenUntil = new Map<string, number>();
  readonly #fallbacks = new Map<string, Set<string>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Those that the source can reach; what is known to be broken only where there is nothing else. */
  usable(source: SendingSource, targets: readonly SmtpTarget[]): readonly SmtpTarget[] {
    const { ipv4, ipv6 } = source;
    const any = ipv4 === null && ipv6 === null;
    const possible = any ? targets : targets.filter((target) => source[familyOf(target)] !== null);
    const working = possible.filter((target) => !this.#isBroken(source, target));
    return working.length > 0 ? working : possible;
  }

  failed(source: SendingSource, target: SmtpTarget, failure: string | null): void {
    if (failure !== null && NO_WAY.test(failure)) this.#break(source, target);
  }

  /** `before`: what had been tried in vain. */
  worked(source: SendingSource, target: SmtpTarget, before: readonly SmtpTarget[]): void {
    const own = this.#keyOf(source, target);
    this.#brokenUntil.delete(own);
    this.#fallbacks.delete(own);
    for (const other of before) {
      if (other.host !== target.host || familyOf(other) === familyOf(target)) continue;
      const key = this.#keyOf(source, other);
      const hosts = this.#fallbacks.get(key) ?? new Set<string>();
      this.#fallbacks.set(key, hosts.add(other.host));
      if (hosts.size >= FALLBACKS) this.#break(source, other);
    }
  }

  #break(source: SendingSource, target: SmtpTarget): void {
    const key = this.#keyOf(source, target);
    this.#brokenUntil.set(key, this.#clock.monotonic() + BROKEN_MS);
    this.#fallbacks.delete(key);
  }

  #isBroken(source: SendingSource, target: SmtpTarget): boolean {
    return (this.#brokenUntil.get(this.#keyOf(source, target)) ?? 0) > this.#clock.monotonic();
  }

  #keyOf(source: SendingSource, target: SmtpTarget): string {
    return `${familyOf(target)} ${source.key}`;
  }
}
