// Sends one prepared message to one recipient over the right pool, and says what came of it.
import type { ClaimedRecipient } from '#/db/delivery-queue.ts';
import type { Clock, Dns, Log, Random, SmtpClient, SmtpReply } from '#/runtime/ports.ts';
import type { AttemptFacts } from './decision.ts';
import { dial } from './dial.ts';
import { type JobResult, Pool } from './pool.ts';
import { type Destination, type Route, type RouteSettings, routeFor } from './route.ts';
import type { OutgoingMessage } from './signing.ts';
import { fixedGate, type Gate } from './site-pace.ts';

/** Of one process to the relay: what fills it. */
const RELAY = { connections: 20, messagesPerConnection: 10_000 } as const;

export interface OutboundSettings extends RouteSettings {
  readonly heloName: string;
}

export interface Sending {
  readonly claim: ClaimedRecipient;
  readonly reversePath: string;
  readonly message: OutgoingMessage;
  /** False: this worker may not write the final dot. */
  beforeFinalDot(): Promise<boolean>;
}

export interface SendingResult extends AttemptFacts {
  readonly transport: 'relay' | 'mx';
  readonly remoteHost: string | null;
  readonly remoteAddress: string | null;
  readonly tls: string | null;
  readonly transcript: readonly string[];
  /** No connection may be opened now: nothing was tried. */
  readonly heldBack: boolean;
}

interface Deps {
  readonly settings: OutboundSettings;
  readonly smtp: SmtpClient;
  readonly dns: Dns;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface Outbound {
  route(domain: string): Promise<Route>;
  /** `gate`: how many connections there may be; null: as many as a relay takes. */
  send(destination: Destination, gate: Gate | null, sending: Sending): Promise<SendingResult>;
  close(): void;
}

export function createOutbound(deps: Deps): Outbound {
  const pools = new Map<string, Pool>();
  const closing = new AbortController();

  const poolOf = (destination: Destination, gate: Gate | null): Pool => {
    const known = pools.get(destination.key);
    if (known !== undefined) return known;
    const pool = new Pool({
      gate: gate ?? fixedGate(RELAY.connections, RELAY.messagesPerConnection),
      dial: () => dial(deps, destination, closing.signal),
      clock: deps.clock,
      signal: closing.signal,
      onEmpty: () => pools.delete(destination.key),
    });
    pools.set(destination.key, pool);
    return pool;
  };

  return {
    route: (domain) => routeFor(domain, deps.settings, { dns: deps.dns, uniform: () => deps.random.uniform() }),
    async send(destination, gate, { claim, reversePath, message, beforeFinalDot }) {
      const utf8Envelope = !isAscii(claim.address) || !isAscii(reversePath);
      const result = await poolOf(destination, gate).submit({
        reversePath,
        recipients: [claim.address],
        size: message.size,
        eightBit: message.eightBit,
        smtpUtf8: message.smtpUtf8 || utf8Envelope,
        content: message.content,
        sevenBit: message.sevenBit,
        async beforeFinalDot() {
          if (!(await beforeFinalDot())) throw new Error('the lease on this recipient was lost');
        },
      });
      return toResult(destination, result);
    },
    close: () => closing.abort(),
  };
}

function toResult(destination: Destination, { session, transaction, connect, heldBack }: JobResult): SendingResult {
  const { transport } = destination;
  if (transaction !== null) {
    const { reply, phase, inDoubt, failure, transcript } = transaction;
    const [recipientReply] = transaction.recipientReplies;
    // One recipient a transaction: a refusal of the recipient is the refusal that counts.
    const refused = recipientReply != null && recipientReply.code >= 400;
    return {
      transport,
      reply: refused ? recipientReply : reply,
      phase: refused ? 'rcpt' : phase,
      inDoubt,
      failure,
      transcript,
      remoteHost: session?.target.host ?? null,
      remoteAddress: session?.target.address ?? null,
      tls: session?.tls ?? null,
      heldBack,
    };
  }
  return {
    transport,
    reply: connect?.reply ?? null,
    phase: connect?.phase ?? 'connect',
    inDoubt: false,
    failure: connect?.failure ?? null,
    transcript: connect?.transcript ?? [],
    remoteHost: destination.hosts[0] ?? null,
    remoteAddress: null,
    tls: connect?.tls ?? null,
    heldBack,
  };
}

export function refusalReply(route: Extract<Route, { kind: 'refused' }>): SmtpReply {
  return { code: route.code, enhancedCode: route.enhancedCode, text: route.text };
}

const ASCII = /^[\x00-\x7f]*$/;
const isAscii = (text: string) => ASCII.test(text);
