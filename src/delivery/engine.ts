// The delivery loop of one process. For each batch of due recipients:
//
//   1. claim      a lease on each, in the database; whoever dies with it loses it by time
//   2. sort out   attempts of dead workers (after their content: IN_DOUBT), what is past its time (EXPIRED)
//   3. start      the attempt's row, before anybody is dialled
//   4. send       outside any transaction; the mark before the final dot, the lease renewed meanwhile
//   5. settle     outcome, event, queue row: in one transaction for many
//
// A crash before 4's mark leaves a recipient due again; after it, in doubt; after 5, done. Nothing is ever only in memory.
import type { AttemptResult } from '#/db/delivery-attempts.ts';
import { type ClaimedRecipient, claimDue, renewLeases } from '#/db/delivery-queue.ts';
import { loadForDelivery, type StoredMessage } from '#/db/messages.ts';
import { type SystemScope, writeInSystemScope } from '#/db/scope.ts';
import { type ComposedMessage, composeMessage } from '#/mail/compose.ts';
import { decodeContent } from '#/mail/content.ts';
import { reversePathOf } from '#/mail/reverse-path.ts';
import type { Channel, Clock, Ids, Log, Random } from '#/runtime/ports.ts';
import { type Circumstances, type Decision, decide, defer } from './decision.ts';
import { createLedger } from './ledger.ts';
import { type Outbound, refusalReply, type SendingResult } from './outbound.ts';
import type { Settlement } from './record.ts';
import type { Destination } from './route.ts';
import { simulate } from './sandbox.ts';

/** Recipients that one process holds at once: they and their content are what it keeps in memory. */
const MAX_IN_FLIGHT = 400;
/** A claim smaller than this waits until more room is free, so that claims stay batches under load. */
const MIN_CLAIM = 50;
const MAX_CLAIM = 200;
/** Of them, at most so many for one destination other than the relay: a hanging one must leave room for the rest. */
const MAX_PER_DESTINATION = 100;
/** When nobody says that something is due; retries and schedules are as exact as this. */
const POLL_MS = 500;
/** What is given back untried comes again after this. */
const RETURN_MS = { least: 3_000, spread: 4_000 } as const;
/** Far above the difference of two nodes' clocks. */
export const LEASE_MS = 30_000;
/** How long a stopping process waits for what is on the wire. */
const DRAIN_MS = 10_000;

export interface EngineDeps {
  readonly system: SystemScope;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly random: Random;
  readonly log: Log;
  readonly channel: Channel;
  readonly outbound: Outbound;
  /** Transcripts of successes too. */
  readonly keepTranscripts: boolean;
  readonly leaseMs?: number;
}

export interface DeliveryEngine extends AsyncDisposable {
  readonly inFlight: number;
}

export function startDelivery(deps: EngineDeps): DeliveryEngine {
  const { clock, system } = deps;
  const leaseMs = deps.leaseMs ?? LEASE_MS;
  const owner = deps.ids.next();
  const ledger = createLedger({ ...deps, owner });
  const stopping = new AbortController();
  const held = new Set<ClaimedRecipient>();
  let wakeUp = Promise.withResolvers<void>();
  /** Settled when a stopping worker holds nothing any more. */
  const letGo = Promise.withResolvers<void>();
  const stopListening = deps.channel.on('queue', () => wakeUp.resolve());

  const settle = async (settlement: Settlement): Promise<void> => {
    await ledger.settle(settlement);
    held.delete(settlement.claim);
    if (stopping.signal.aborted && held.size === 0) letGo.resolve();
    if (held.size === 0 || MAX_IN_FLIGHT - held.size >= MIN_CLAIM) wakeUp.resolve();
  };

  const circumstances = (claim: ClaimedRecipient): Circumstances => ({
    now: clock.now(),
    failures: claim.attempts,
    deliverBy: claim.deliverBy,
    uniform: deps.random.uniform(),
  });

  const returned = (): Decision => {
    const pause = RETURN_MS.least + RETURN_MS.spread * deps.random.uniform();
    return { status: 'RETURNED', dueAt: new Date(clock.now().getTime() + pause) };
  };

  /** Steps 2 to 5 for one batch. */
  const deliver = async (claims: readonly ClaimedRecipient[]): Promise<void> => {
    const stored = await loadForDelivery(system, claims);
    const due: Due[] = [];
    for (const claim of claims) {
      const found = stored.get(claim.messageId);
      if (found === undefined) throw new Error(`message ${claim.messageId} of a queued recipient is gone`);
      const lost = claim.lostAttemptId === null ? null : { id: claim.lostAttemptId, outcome: claim.lostAfterContent ? 'IN_DOUBT' : 'LOST' } as const;
      const { message } = found;
      if (claim.lostAfterContent) void settle({ claim, message, attempt: null, lost, decision: { status: 'IN_DOUBT' } });
      else if (claim.deliverBy <= clock.now()) void settle({ claim, message, attempt: null, lost, decision: { status: 'EXPIRED' } });
      else due.push({ claim, stored: found, lost, composed: composeOnce(stored, claim.messageId) });
    }
    const ready = await admit(due);
    if (ready.length === 0) return;
    const attempts = ready.map(({ claim }) => ({ ...claim, id: deps.ids.next() }));
    await ledger.start(attempts);
    ready.forEach((item, index) => void attempt(item, attempts[index]?.id ?? ''));
  };

  /** Finds where each goes; what has no place there yet goes back untried. */
  const admit = async (due: readonly Due[]): Promise<readonly Ready[]> => {
    const routes = new Map(
      await Promise.all(
        [...new Set(due.flatMap(({ claim }) => (claim.sandboxed ? [] : [claim.domain])))].map(
          async (domain) => [domain, await deps.outbound.route(domain)] as const,
        ),
      ),
    );
    const admitted = new Map<string, number>();
    return due.flatMap((item): Ready[] => {
      const { claim, stored, lost } = item;
      if (claim.sandboxed) return [{ ...item, to: null }];
      const route = routes.get(claim.domain);
      if (route === undefined) throw new Error('a route is missing');
      if (route.kind !== 'destination') return [{ ...item, to: route }];
      const waiting = admitted.get(route.key) ?? deps.outbound.load(route);
      admitted.set(route.key, waiting + 1);
      if (route.transport === 'relay' || waiting < MAX_PER_DESTINATION) return [{ ...item, to: route }];
      void settle({ claim, message: stored.message, attempt: null, lost, decision: returned() });
      return [];
    });
  };

  const attempt = async ({ claim, stored, lost, to, composed }: Ready, attemptId: string): Promise<void> => {
    const { message } = stored;
    const startedAt = clock.now();
    let sent: SendingResult | null = null;
    let decision: Decision;
    let contentSentAt: Date | null = null;
    try {
      if (to === null) {
        decision = simulate(claim.address, () => htmlOf(stored), circumstances(claim));
      } else if (to.kind === 'unresolved') decision = defer(circumstances(claim), null, to.reason);
      else if (to.kind === 'refused') {
        decision = decide({ reply: refusalReply(to), phase: 'rcpt', inDoubt: false, failure: null }, circumstances(claim));
      } else {
        sent = await deps.outbound.send(to, {
          claim,
          reversePath: reversePathOf(message),
          composed: composed(),
          async beforeFinalDot() {
            contentSentAt = clock.now();
            return ledger.markContentSent(claim, attemptId);
          },
        });
        decision = stopping.signal.aborted && sent.reply === null && !sent.inDoubt ? returned() : decide(sent, circumstances(claim));
      }
    } catch (error) {
      deps.log.error({ error, messageId: claim.messageId }, 'an attempt failed on our side; it is tried again');
      decision = defer(circumstances(claim), null, 'internal error');
    }
    const result = attemptResult(claim, attemptId, sent, decision, {
      contentSentAt,
      endedAt: clock.now(),
      keepTranscripts: deps.keepTranscripts,
    });
    deps.log.debug({ messageId: claim.messageId, status: decision.status, ms: clock.now().getTime() - startedAt.getTime() }, 'attempt');
    await settle({ claim, message, attempt: result, lost, decision });
  };

  const claim = async (limit: number): Promise<ClaimedRecipient[]> => {
    const claims = await writeInSystemScope(system, clock.now(), (scope) => claimDue(scope, { owner, limit, leaseMs }));
    for (const item of claims) held.add(item);
    return claims;
  };

  /** Until the room is used up or nothing is due; then waits to be woken. */
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      wakeUp = Promise.withResolvers<void>();
      const room = MAX_IN_FLIGHT - held.size;
      const limit = Math.min(room, MAX_CLAIM);
      if (limit >= MIN_CLAIM || held.size === 0) {
        try {
          const claims = await claim(limit);
          if (claims.length > 0) void handled(claims);
          if (claims.length >= limit) continue;
        } catch (error) {
          deps.log.error({ error }, 'the queue could not be read; trying again');
        }
      }
      const waiting = new AbortController();
      await Promise.race([
        wakeUp.promise,
        clock.sleep(POLL_MS, AbortSignal.any([stopping.signal, waiting.signal])),
      ]);
      waiting.abort();
    }
  };

  /** What fails as a whole before anything was sent is left to its lease: another worker, or this one, takes it again. */
  const handled = (claims: readonly ClaimedRecipient[]): Promise<void> =>
    deliver(claims).catch((error: unknown) => {
      deps.log.error({ error, recipients: claims.length }, 'a batch could not be prepared; its leases will run out');
      for (const item of claims) held.delete(item);
    });

  const renew = async (): Promise<void> => {
    while (!stopping.signal.aborted || held.size > 0) {
      await clock.sleep(leaseMs / 3, stopping.signal);
      if (held.size === 0) continue;
      await writeInSystemScope(system, clock.now(), (scope) => renewLeases(scope, owner, leaseMs, [...held])).catch(
        (error: unknown) => deps.log.warn({ error }, 'leases could not be renewed'),
      );
      if (stopping.signal.aborted) return;
    }
  };

  const running = run();
  const renewing = renew();

  return {
    get inFlight() {
      return held.size;
    },
    async [Symbol.asyncDispose]() {
      stopListening();
      stopping.abort();
      await running;
      const drained = new AbortController();
      if (held.size > 0) await Promise.race([letGo.promise, clock.sleep(DRAIN_MS, drained.signal)]);
      drained.abort();
      deps.outbound.close();
      await ledger.idle();
      await renewing;
    },
  };
}

interface Due {
  readonly claim: ClaimedRecipient;
  readonly stored: StoredMessage;
  readonly lost: Settlement['lost'];
  readonly composed: () => ComposedMessage;
}

type Ready = Due & { readonly to: Destination | Exclude<Awaited<ReturnType<Outbound['route']>>, { kind: 'destination' }> | null };

/** Recipients of one message that were claimed together share its bytes. */
function composeOnce(stored: ReadonlyMap<string, StoredMessage & { composed?: ComposedMessage }>, messageId: string): () => ComposedMessage {
  return () => {
    const found = stored.get(messageId);
    if (found?.content == null) throw new Error(`the content of message ${messageId} is gone`);
    const { message, content } = found;
    found.composed ??= composeMessage(decodeContent(content), {
      messageId: message.messageIdHeader,
      date: message.acceptedAt,
      seed: message.id,
    });
    return found.composed;
  };
}

function htmlOf({ content }: StoredMessage): string | null {
  return content === null ? null : decodeContent(content).html;
}

function attemptResult(
  claim: ClaimedRecipient,
  id: string,
  sent: SendingResult | null,
  decision: Decision,
  facts: { readonly contentSentAt: Date | null; readonly endedAt: Date; readonly keepTranscripts: boolean },
): AttemptResult {
  const delivered = decision.status === 'DELIVERED';
  const outcome =
    decision.status === 'DELAYED' || decision.status === 'RETURNED' || decision.status === 'EXPIRED' ? 'DEFERRED' : decision.status;
  return {
    accountId: claim.accountId,
    messageId: claim.messageId,
    ordinal: claim.ordinal,
    id,
    outcome,
    contentSentAt: facts.contentSentAt,
    endedAt: facts.endedAt,
    transport: sent?.transport ?? (claim.sandboxed ? 'sandbox' : null),
    remoteHost: sent?.remoteHost ?? null,
    remoteAddress: sent?.remoteAddress ?? null,
    tls: sent?.tls ?? null,
    smtpCode: sent?.reply?.code ?? ('smtpCode' in decision ? decision.smtpCode : null),
    enhancedCode: sent?.reply?.enhancedCode ?? ('enhancedCode' in decision ? decision.enhancedCode : null),
    response: textOf(decision) ?? sent?.failure ?? null,
    transcript: delivered && !facts.keepTranscripts ? null : (sent?.transcript ?? []),
  };
}

function textOf(decision: Decision): string | null {
  if (decision.status === 'DELIVERED' || decision.status === 'DELAYED') return decision.response;
  return decision.status === 'BOUNCED' ? decision.details : null;
}
