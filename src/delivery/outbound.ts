// Sends one prepared message to one recipient over the right pool, and says what came of it.
import type { ClaimedRecipient } from '#/db/delivery-queue.ts';
import type { Clock, Dns, Log, Random, SmtpClient, SmtpReply } from '#/runtime/ports.ts';
import type { AttemptFacts } from './decision.ts';
import { dial } from './dial.ts';
import { type JobResult, Pool } from './pool.ts';
import { type Destination, type Route, type RouteSettings, routeFor } from './route.ts';
import type { TlsOutcome } from './tls/outcome.ts';
import type { OutboundTls } from './tls/outbound-tls.ts';
import type { TlsPlan } from './tls/plan.ts';
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

export interface SendingResult extends AttemptFacts, TlsOutcome {
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
  readonly tls: OutboundTls;
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

  const connect = async (destination: Destination, plan: TlsPlan) => {
    const { dane, broken } = deps.tls;
    const { result, use } = await dial({ ...deps, dane, broken }, destination, plan, closing.signal);
    deps.tls.used(result.ok ? result.session : result, use);
    return result;
  };

  /** Never shared by mail that demands another TLS. */
  const poolOf = (destination: Destination, plan: TlsPlan, gate: Gate | null): Pool => {
    const key = plan.key === '' ? destination.key : `${destination.key} ${plan.key}`;
    const known = pools.get(key);
    if (known !== undefined) return known;
    const pool = new Pool({
      gate: gate ?? fixedGate(RELAY.connections, RELAY.messagesPerConnection),
      dial: () => connect(destination, plan),
      clock: deps.clock,
      signal: closing.signal,
      onEmpty: () => pools.delete(key),
    });
    pools.set(key, pool);
    return pool;
  };

  return {
    async route(domain) {
      const finding = routeFor(domain, deps.settings, { dns: deps.dns, uniform: () => deps.random.uniform() });
      if (deps.settings.outbound.kind === 'relay') return finding;
      const [route, security] = await Promise.all([finding, deps.tls.securityOf(domain)]);
      if (route.kind !== 'destination') return route;
      if (security !== null) return { ...route, security };
      return { kind: 'unresolved', reason: `DNS cannot tell now whether the mail exchangers of ${domain} are secure` };
    },
    async send(destination, gate, { claim, reversePath, message, beforeFinalDot }) {
      const utf8Envelope = !isAscii(claim.address) || !isAscii(reversePath);
      const plan = await deps.tls.planFor(claim, destination.security);
      const result = await poolOf(destination, plan, gate).submit({
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
      const held = result.session ?? result.connect;
      const none = { tlsVerification: null, tlsPolicy: null };
      const tls = held === null ? none : deps.tls.outcome(held, plan, destination.security, result.session);
      return { ...toResult(destination, result), ...tls };
    },
    close: () => closing.abort(),
  };
}

type Result = Omit<SendingResult, keyof TlsOutcome>;

function toResult(destination: Destination, { session, transaction, connect, heldBack }: JobResult): Result {
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
