// Hosts whose STARTTLS is broken, for mail of which nobody demands TLS: for three days the handshake that fails is not paid
// for again. Nothing that demands TLS ever asks here. Only what failed and then worked in plain text is remembered: a host that is
// away, or says that it has no TLS for now (454), is not.
import type { TlsFlaw } from '#/domain/delivery/tls.ts';
import type { Clock } from '#/runtime/ports.ts';

const REMEMBER_MS = 3 * 86_400_000;
const HOSTS = 10_000;

export class BrokenTls {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #hosts = new Map<string, { readonly flaw: TlsFlaw; readonly until: number }>();

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
  }

  flawOf(host: string): TlsFlaw | null {
    if (this.#hosts.size === 0) return null;
    const known = this.#hosts.get(host);
    if (known === undefined) return null;
    if (known.until > this.#clock.monotonic()) return known.flaw;
    this.#hosts.delete(host);
    return null;
  }

  remember(host: string, flaw: TlsFlaw): void {
    const oldest = this.#hosts.size < HOSTS ? undefined : this.#hosts.keys().next().value;
    if (oldest !== undefined) this.#hosts.delete(oldest);
    this.#hosts.set(host, { flaw, until: this.#clock.monotonic() + REMEMBER_MS });
  }
}
