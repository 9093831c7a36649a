// SMTP from the world: bounces, complaints, reports, replies. It takes mail for addresses that it knows and for nothing
// else, so it relays nothing; it believes nobody; and 250 follows when the mail is durable.
import { parseMailbox } from '#/domain/email-address.ts';
import type { Clock, Log, Spool } from '#/runtime/ports.ts';
import { createBuckets } from '../protocol/buckets.ts';
import { MemoryBudget } from '../protocol/collect.ts';
import type { Connection } from '../protocol/connection.ts';
import { type SessionHandlers, SmtpListener, type SmtpMetrics, type TlsPair } from '../protocol/listener.ts';
import { SmtpRefusal } from '../protocol/refusal.ts';
import { INBOUND_LIMITS, type InboundLimits } from './limits.ts';
import type { ReceivedMail, Receiver, Recipients } from './received.ts';
import { take } from './take.ts';

export interface InboundOptions {
  readonly name: string;
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly tls: TlsPair;
  readonly recipients: Recipients;
  readonly receiver: Receiver;
  readonly spool: Spool;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits?: Partial<InboundLimits>;
  readonly metrics?: SmtpMetrics;
}

export interface RunningInbound extends AsyncDisposable {
  readonly port: number;
}

type Known = ReceivedMail['envelope']['recipients'][number];

export async function startInbound(options: InboundOptions): Promise<RunningInbound> {
  const { name, tls, clock, log, metrics } = options;
  const limits = { ...INBOUND_LIMITS, ...options.limits };
  const handlers = createHandlers(options, limits);
  const common = { name, tls, implicitTls: false, limits, handlers, clock, log };
  const listener = new SmtpListener(metrics === undefined ? common : { ...common, metrics });
  const port = await listener.start(options.port, options.host);
  return { port, [Symbol.asyncDispose]: () => listener.stop() };
}

function createHandlers(options: InboundOptions, limits: InboundLimits): SessionHandlers {
  const { recipients, receiver, spool, clock } = options;
  const budget = new MemoryBudget(limits.bytesInMemory);
  const notices = createBuckets(clock, limits.notices);
  const strangers = createBuckets(clock, limits.strangers);
  /** Of the transaction that is under way. */
  const judgedOf = new WeakMap<Connection, { readonly transaction: number; readonly known: Map<string, Known> }>();

  const known = (connection: Connection): Map<string, Known> => {
    const { transaction } = connection.session;
    const held = judgedOf.get(connection);
    // RSET and EHLO begin anew under the same number; what they forgot stands in no envelope.
    if (held?.transaction === transaction) return held.known;
    const fresh = { transaction, known: new Map<string, Known>() };
    judgedOf.set(connection, fresh);
    return fresh.known;
  };

  const judge = async (text: string, network: string): Promise<Known> => {
    const parsed = parseMailbox(text);
    const address = parsed.ok ? parsed.mailbox.address : null;
    const judged = address === null ? null : await recipients.judge(address);
    if (address !== null && judged !== null) return { address, judged };
    // One text for all that is not ours: who asks learns nothing of what is.
    if (!strangers.take(network)) throw new SmtpRefusal(421, '4.7.0', 'Too many unknown recipients from your network');
    throw new SmtpRefusal(550, '5.1.1', 'No such recipient here');
  };

  return {
    mail({ address }, { network }) {
      if (address === '' && !notices.take(network))
        return Promise.reject(new SmtpRefusal(450, '4.7.1', 'Too many notifications from your network; come later'));
      return Promise.resolve();
    },
    async recipient({ address }, connection) {
      if (connection.session.envelope.rcptTo.length >= limits.recipients)
        throw new SmtpRefusal(452, '4.5.3', `At most ${limits.recipients} recipients at once`);
      const found = await judge(address, connection.network);
      known(connection).set(address, found);
    },
    async message(stream, connection) {
      const { session, remoteAddress } = connection;
      const { envelope } = session;
      const sender = envelope.mailFrom === false ? '' : envelope.mailFrom.address;
      const judged = known(connection);
      const taken = envelope.rcptTo.flatMap(({ address }) => {
        const found = judged.get(address);
        return found === undefined ? [] : [found];
      });
      const { smtpUtf8 = false } = envelope;
      const helo = session.hostNameAppearsAs;
      const tls = tlsOf(connection);
      using _coming = receiver.coming?.();
      await using source = await take(stream, {
        most: limits.messageBytes,
        spoolFrom: limits.spoolFrom,
        budget,
        spool,
      });
      const mail: ReceivedMail = {
        envelope: { sender, recipients: taken, smtpUtf8 },
        source,
        peer: { address: remoteAddress, helo },
        tls,
        receivedAt: clock.now(),
      };
      await receiver.receive(mail);
      return '2.0.0 Accepted';
    },
  };
}

function tlsOf({ session, _socket: socket }: Connection): string | null {
  if (session.tlsOptions === false) return null;
  const version = 'getProtocol' in socket ? socket.getProtocol() : null;
  return `${version ?? 'TLS'} ${session.tlsOptions.name}`;
}
