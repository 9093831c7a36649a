// Sends one prepared message to one recipient over the right pool, and says what came of it.
import type { ClaimedRecipient } from '#/db/delivery-queue.ts';
import type {
  Clock,
  Dns,
  Log,
  Random,
  ReverseNames,
  SmtpClient,
  SmtpConnectResult,
  SmtpPhase,
  SmtpReply,
  SmtpTransaction,
} from '#/runtime/ports.ts';
import { siteOf } from '#/domain/delivery/sites.ts';
import { type AttemptFacts, replyText } from './decision.ts';
import { dial } from './dial.ts';
import { Families } from './families.ts';
import { OwnNames } from './own-names.ts';
import { type JobResult, Pool } from './pool.ts';
import { type Destination, type Route, type RouteSettings, routeFor } from './route.ts';
import type { TlsOutcome } from './tls/outcome.ts';
import type { OutboundTls } from './tls/outbound-tls.ts';
import type { TlsPlan } from './tls/plan.ts';
import type { OutgoingMessage } from './signing.ts';
import { fixedGate, type Gate } from './site-pace.ts';
import { Together } from './together.ts';
import type { Transports } from './transports.ts';
import type { Via } from './way.ts';

/** Of one process to the relay: what fills it. */
const RELAY = { connections: 20, messagesPerConnection: 10_000 } as const;

export interface Sending {
  readonly claim: ClaimedRecipient;
  readonly reversePath: string;
  readonly message: OutgoingMessage;
  /** False: this worker may not write the final dot. */
  beforeFinalDot(): Promise<boolean>;
}

export interface SendingResult extends AttemptFacts, TlsOutcome {
  /** The member of a transport that was taken; relay or mx where the settings say where it goes. */
  readonly transport: string;
  readonly remoteHost: string | null;
  readonly remoteAddress: string | null;
  readonly tls: string | null;
  readonly transcript: readonly string[];
  /** No connection may be opened now: nothing was tried. */
  readonly heldBack: boolean;
}

interface Deps {
  readonly settings: RouteSettings;
  readonly smtp: SmtpClient;
  readonly dns: Dns;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly tls: OutboundTls;
  readonly names: ReverseNames;
  /** Told how connections through members of transports come out. */
  readonly transports: Pick<Transports, 'worked' | 'failed'>;
}

export interface Outbound {
  /** `via`: the member of a transport that it goes through; null: as the settings say. */
  route(domain: string, via: Via | null): Promise<Route>;
  /** `gate`: how many connections there may be; null: as many as the relay of the settings takes. */
  send(destination: Destination, gate: Gate | null, sending: Sending): Promise<SendingResult>;
  close(): void;
}

export function createOutbound(deps: Deps): Outbound {
  const pools = new Map<string, Pool>();
  const closing = new AbortController();
  const together = new Together();

  const dialled = ({ via, hosts }: Destination, result: SmtpConnectResult): void => {
    if (via === null) return;
    const { name } = siteOf(hosts);
    if (result.ok) deps.transports.worked(via, name, true);
    // What goes wrong later at a mail exchanger is between it and its domain.
    else if (via.kind === 'RELAY' || beforeTls.has(result.phase))
      deps.transports.failed(via, name, result.reply === null ? (result.failure ?? '') : replyText(result.reply));
  };
  const { dane, broken } = deps.tls;
  const dialling = { ...deps, dane, broken, families: new Families(deps.clock), ownNames: new OwnNames(deps), dialled };

  const connect = async (destination: Destination, plan: TlsPlan) => {
    const { result, use } = await dial(dialling, destination, plan, closing.signal);
    deps.tls.used(result.ok ? result.session : result, use);
    return result;
  };

  /** Never shared by mail that demands another TLS. */
  const poolOf = (destination: Destination, plan: TlsPlan, gate: Gate | null): Pool => {
    const key = keyOf(destination, plan);
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
    async route(domain, via) {
      const finding = routeFor(domain, via, deps.settings, deps.dns);
      if ((via?.kind ?? deps.settings.outbound.kind.toUpperCase()) === 'RELAY') return finding;
      const [route, security] = await Promise.all([finding, deps.tls.securityOf(domain)]);
      if (route.kind !== 'destination') return route;
      if (security !== null) return { ...route, security };
      return { kind: 'unresolved', reason: `DNS cannot tell now whether the mail exchangers of ${domain} are secure` };
    },
    async send(destination, gate, { claim, reversePath, message, beforeFinalDot }) {
      const plan = await deps.tls.planFor(claim, destination.security);
      const submit = (recipients: readonly string[], beforeFinalDot: SmtpTransaction['beforeFinalDot']) =>
        poolOf(destination, plan, gate).submit(async () => {
          const { content, ...composed } = await message.compose();
          const smtpUtf8 = composed.smtpUtf8 || !isAscii(reversePath) || !recipients.every(isAscii);
          return { ...composed, content: content.values(), reversePath, recipients, smtpUtf8, beforeFinalDot };
        });
      const limit = destination.recipientsPerTransaction;
      const key = keyOf(destination, plan);
      const result =
        limit > 1 && isAscii(claim.address)
          ? await together.send(
              { key, limit, message, reversePath, submit },
              { recipient: claim.address, beforeFinalDot },
            )
          : await submit([claim.address], async () => {
              if (!(await beforeFinalDot())) throw new Error('the lease on this recipient was lost');
            });
      if (destination.via !== null && result.transaction?.reply != null) {
        deps.transports.worked(destination.via, siteOf(destination.hosts).name, false);
      }
      const held = result.session ?? result.connect;
      const none = { tlsVerification: null, tlsPolicy: null };
      const tls = held === null ? none : deps.tls.outcome(held, plan, destination.security, result.session);
      return { ...toResult(destination, result), ...tls };
    },
    close: () => closing.abort(),
  };
}

/** Of what may share connections and transactions. */
function keyOf({ key }: Destination, plan: TlsPlan): string {
  return plan.key === '' ? key : `${key} ${plan.key}`;
}

type Result = Omit<SendingResult, keyof TlsOutcome>;

function toResult(destination: Destination, { session, transaction, connect, heldBack }: JobResult): Result {
  const transport = destination.via?.subject ?? destination.transport;
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
    remoteHost: connect?.target?.host ?? destination.hosts[0] ?? null,
    remoteAddress: connect?.target?.address ?? null,
    tls: connect?.tls ?? null,
    heldBack,
  };
}

export function refusalReply(route: Extract<Route, { kind: 'refused' }>): SmtpReply {
  return { code: route.code, enhancedCode: route.enhancedCode, text: route.text };
}

/** Of a session. */
const beforeTls: ReadonlySet<SmtpPhase> = new Set<SmtpPhase>(['connect', 'greeting', 'ehlo']);

const ASCII = /^[\x00-\x7f]*$/;
const isAscii = (text: string) => ASCII.test(text);
