// IPv6 only from an address of ours that has a name: the large providers refuse for good what comes over IPv6 from one
// without a PTR record, and take the same over IPv4.
import { isPublicAddress } from '#/domain/public-address.ts';
import type { Clock, Log, ReverseNames, SmtpTarget } from '#/runtime/ports.ts';
import type { SendingSource } from './way.ts';

/** Somebody may be setting the record up. */
const JUDGED_MS = 30 * 60_000;
/** What nobody can tell now is asked again soon, and used meanwhile. */
const UNKNOWN_MS = 60_000;

interface Deps {
  readonly clock: Clock;
  readonly log: Log;
  readonly names: ReverseNames;
}

const isSix = ({ address }: SmtpTarget) => address.includes(':');

export class OwnNames {
  readonly #deps: Deps;
  readonly #judged = new Map<string, { readonly nameless: boolean; readonly until: number }>();

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** Without IPv6 where ours has no name; all of them where there is nothing else to call. */
  async callable(source: SendingSource, targets: readonly SmtpTarget[]): Promise<readonly SmtpTarget[]> {
    const six = targets.find(isSix);
    const four = targets.filter((target) => !isSix(target));
    const hasBoth = (source.ipv4 === null) === (source.ipv6 === null);
    if (six === undefined || four.length === 0 || !hasBoth) return targets;
    return (await this.#isNameless(source, six)) ? four : targets;
  }

  async #isNameless(source: SendingSource, { address }: SmtpTarget): Promise<boolean> {
    const { clock, log, names } = this.#deps;
    const known = this.#judged.get(source.key);
    if (known !== undefined && known.until > clock.monotonic()) return known.nameless;
    const own = source.ipv6 ?? (await names.addressTowards(address));
    // In a network of its own nobody asks for names; without a way there the dial will tell.
    const answer = own === null || !isPublicAddress(own) ? 'named' : await names.ask(own);
    const nameless = answer === 'nameless';
    if (nameless && known?.nameless !== true)
      log.warn({ address: own }, 'an IPv6 address of ours has no PTR record: IPv4 is used wherever there is one');
    const until = clock.monotonic() + (answer === 'unknown' ? UNKNOWN_MS : JUDGED_MS);
    this.#judged.set(source.key, { nameless, until });
    return nameless;
  }
}
