// What becomes of mail that was taken: each recipient was judged when it was named, and each kind has its use-case. Who
// wrote it has no rights, and is believed as far as the address proves it.
import { findDomainOfReturnPath } from '#/db/incoming-addresses.ts';
import { partsOf, readDomainAddress } from '#/mail/incoming-address.ts';
import type { Deps } from '../deps.ts';
import { type Authenticate, createLaterAuthentication } from './authenticate-later.ts';
import { type InboundTarget, takeInbound } from './take-inbound.ts';
import { takeComplaint } from './take-complaint.ts';
import { takeReport } from './take-report.ts';
import { type Ignored, takeReturned } from './take-returned.ts';

export interface ArrivedMail {
  readonly envelope: {
    readonly sender: string;
    readonly recipients: readonly { readonly address: string; readonly judged: { readonly kind: string } }[];
  };
  readonly source: { readonly size: number; read(): Promise<Buffer> };
  readonly peer: { readonly address: string; readonly helo: string };
}

export interface ReceiverOptions {
  /** What proves whose mail it is; null: nobody looks. Only asked for inbound mail, whose reader may want to know. */
  readonly authenticate: Authenticate | null;
}

/** Disposed of after the last mail. */
export interface IncomingReceiver extends AsyncDisposable {
  /** Resolves when all that the mail means is durable; fails where it should be sent again. */
  receive(mail: ArrivedMail): Promise<void>;
}

type Recipient = ArrivedMail['envelope']['recipients'][number];

export function createReceiver(deps: Deps, { authenticate }: ReceiverOptions): IncomingReceiver {
  const later = authenticate === null ? null : createLaterAuthentication(deps, authenticate);

  const takeOne = (mail: ArrivedMail, source: Buffer, { address, judged }: Recipient): Promise<Ignored | null> => {
    switch (judged.kind) {
      case 'return-path':
        return takeReturned(deps, { recipient: address, sender: mail.envelope.sender, source });
      case 'feedback':
      case 'report':
        return takeForDomain(deps, address, source);
      default:
        return Promise.resolve('NOT_OURS');
    }
  };

  return {
    async receive(mail) {
      const { sender, recipients } = mail.envelope;
      const source = await mail.source.read();
      const targets = recipients.filter(isInbound);
      for (const recipient of recipients) {
        if (isInbound(recipient)) continue;
        const ignored = await takeOne(mail, source, recipient);
        const { kind } = recipient.judged;
        if (ignored !== null)
          deps.log.info({ kind, ignored, size: source.length }, 'mail that came in changed nothing');
      }
      // Last: the rest is recorded once however often it comes, and these are not.
      if (targets.length === 0) return;
      const stored = await takeInbound(deps, { targets, sender, source });
      const { address: peerAddress, helo } = mail.peer;
      later?.add({ source, sender, peerAddress, helo }, stored);
    },
    async [Symbol.asyncDispose]() {
      await later?.[Symbol.asyncDispose]();
    },
  };
}

async function takeForDomain(deps: Deps, address: string, source: Buffer): Promise<Ignored | null> {
  const own = readDomainAddress(address, deps.returnPathSecret);
  const domain = own === null ? null : await findDomainOfReturnPath(deps.system, partsOf(address).domain);
  if (own === null || domain === null) return 'NOT_OURS';
  return own.kind === 'report'
    ? takeReport(deps, domain, source)
    : takeComplaint(deps, { accountId: domain.accountId, source });
}

function isInbound(recipient: Recipient): recipient is Recipient & InboundTarget {
  return recipient.judged.kind === 'inbound';
}
