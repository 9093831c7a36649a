// What becomes of mail that was taken: it is made durable, answered, and read afterwards. Each recipient was judged when it
// was named, and each kind has its use-case. Who wrote it has no rights, and is believed as far as the address proves it.
import { type ArrivalRow, endArrivals } from '#/db/arrivals.ts';
import { createBatcher } from '#/db/batcher.ts';
import { findDomainOfReturnPath } from '#/db/incoming-addresses.ts';
import { writeStatement } from '#/db/scope.ts';
import { partsOf, readDomainAddress } from '#/mail/incoming-address.ts';
import type { Load } from '#/runtime/ports.ts';
import type { Deps } from '../deps.ts';
import { createAcceptance } from './accept-mail.ts';
import type { ArrivedMail } from './arrived-mail.ts';
import { createBacklog } from './backlog.ts';
import { type Inspectors, takeInbound } from './take-inbound.ts';
import { takeComplaint } from './take-complaint.ts';
import { takeReport } from './take-report.ts';
import { type Ignored, takeReturned } from './take-returned.ts';

/** Disposed of after the last mail. */
export interface IncomingReceiver extends AsyncDisposable {
  /** From the first octet of a mail to the last word about it. */
  coming(): Disposable;
  /** Resolves when the mail is durable; fails where it should be sent again. */
  receive(mail: ArrivedMail): Promise<void>;
  /** Resolves when all that is due has been read, and what it means is stored. */
  settled(): Promise<void>;
}

export interface ReceiverOptions extends Inspectors {
  readonly load: Load;
}

/** Arrivals that end in one statement. */
const MOST_ENDED = 200;

export function createReceiver(deps: Deps, { load, ...inspectors }: ReceiverOptions): IncomingReceiver {
  const ending = createBatcher(MOST_ENDED, async (arrivals: readonly ArrivalRow[]) => {
    await writeStatement(deps.system, deps.clock.now(), (scope) => endArrivals(scope, arrivals));
    return arrivals;
  });

  const backlog = createBacklog(deps, load, async (arrival, source) => {
    if (arrival.kind === 'inbound') return takeInbound(deps, inspectors, arrival, source);
    // What these record is recorded once, however often it is read; so the arrival may end after it.
    const ignored = await takeForUs(deps, arrival, source);
    const { kind, size } = arrival;
    if (ignored !== null) deps.log.info({ kind, ignored, size }, 'mail that came in changed nothing');
    await ending.add(arrival);
  });
  const accept = createAcceptance(deps, backlog);

  return {
    coming: () => backlog.coming(),
    async receive(mail) {
      await accept(mail);
      backlog.accepted();
    },
    settled: () => backlog.settled(),
    [Symbol.asyncDispose]: () => backlog[Symbol.asyncDispose](),
  };
}

async function takeForUs(deps: Deps, { kind, recipient, sender }: ArrivalRow, source: Buffer): Promise<Ignored | null> {
  if (kind === 'return-path') return takeReturned(deps, { recipient, sender, source });
  const own = readDomainAddress(recipient, deps.returnPathSecret);
  const domain = own === null ? null : await findDomainOfReturnPath(deps.system, partsOf(recipient).domain);
  if (own === null || domain === null) return 'NOT_OURS';
  return own.kind === 'report'
    ? takeReport(deps, domain, source)
    : takeComplaint(deps, { accountId: domain.accountId, source });
}
