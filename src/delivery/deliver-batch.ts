// Steps 2 to 5 of the delivery loop (engine.ts) for what one claim brought.
import type { AttemptResult } from '#/db/delivery-attempts.ts';
import type { ClaimedRecipient } from '#/db/delivery-queue.ts';
import { loadForDelivery, type StoredMessage } from '#/db/messages.ts';
import type { SystemScope } from '#/db/scope.ts';
import { decodeStored } from '#/mail/content.ts';
import { readMail } from '#/mail/mime/offload.ts';
import { reversePathOf } from '#/mail/reverse-path.ts';
import type { Clock, Ids, Log, Random } from '#/runtime/ports.ts';
import { type Circumstances, type Decision, decide, defer } from './decision.ts';
import type { Ledger } from './ledger.ts';
import { type Outbound, refusalReply, type SendingResult } from './outbound.ts';
import type { Settlement } from './record.ts';
import type { Route } from './route.ts';
import { simulate } from './sandbox.ts';
import { createPreparation, type ReturnPaths, type SigningKeys } from './signing.ts';

/** Of what a process holds, at most so many for one destination other than the relay: a hanging one leaves room for the rest. */
const MAX_PER_DESTINATION = 100;
/** What is given back untried comes again after this. */
const RETURN_MS = { least: 3_000, spread: 4_000 } as const;

export interface BatchDeps {
  readonly system: SystemScope;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly random: Random;
  readonly log: Log;
  readonly outbound: Outbound;
  readonly ledger: Ledger;
  /** Null: nothing is signed. */
  readonly signing: SigningKeys | null;
  /** Null: all mail travels under its From address. */
  readonly returnPaths: ReturnPaths | null;
  /** Transcripts of successes too. */
  readonly keepTranscripts: boolean;
  /** The worker is ending: what was not sent goes back untried. */
  readonly stopping: AbortSignal;
  /** The worker holds the recipient no more: its outcome is recorded, or its lease is left to run out. */
  release(claim: ClaimedRecipient): void;
  onSettled?(status: Decision['status']): void;
}

interface Due {
  readonly claim: ClaimedRecipient;
  readonly stored: StoredMessage;
  readonly lost: Settlement['lost'];
}

export function createBatchDelivery(deps: BatchDeps): (claims: readonly ClaimedRecipient[]) => Promise<void> {
  const { clock, ledger, log } = deps;
  const prepare = createPreparation(deps);

  const settle = async (settlement: Settlement): Promise<void> => {
    await ledger.settle(settlement);
    deps.onSettled?.(settlement.decision.status);
    deps.release(settlement.claim);
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

  /** Step 2. What needs no attempt is settled; the rest is due. */
  const sortOut = (claims: readonly ClaimedRecipient[], stored: ReadonlyMap<string, StoredMessage>): Due[] =>
    claims.flatMap((claim): Due[] => {
      const found = stored.get(claim.messageId);
      if (found === undefined) {
        log.error({ messageId: claim.messageId }, 'the message of a queued recipient is gone; its row is dropped');
        void ledger.drop(claim).then(() => deps.release(claim));
        return [];
      }
      const { message } = found;
      const lost = lostAttempt(claim);
      if (claim.lostAfterContent)
        void settle({ claim, message, attempt: null, lost, decision: { status: 'IN_DOUBT' } });
      else if (claim.deliverBy <= clock.now())
        void settle({ claim, message, attempt: null, lost, decision: { status: 'EXPIRED' } });
      else return [{ claim, stored: found, lost }];
      return [];
    });

  /** Step 3 for what goes one way. A domain whose DNS is slow delays nobody else. */
  const begin = async (items: readonly Due[], finding: Promise<Route | null>): Promise<void> => {
    try {
      const to = await finding;
      const admitted = admit(items, to);
      if (admitted.length === 0) return;
      const attempts = admitted.map(({ claim }) => ({ ...claim, id: deps.ids.next() }));
      await ledger.start(attempts);
      admitted.forEach((item, index) => void attempt(item, to, attempts[index]?.id ?? ''));
    } catch (error) {
      log.error({ error, recipients: items.length }, 'attempts could not be started; their leases will run out');
      for (const { claim } of items) deps.release(claim);
    }
  };

  /** What finds too many before it at its destination goes back untried. */
  const admit = (items: readonly Due[], to: Route | null): readonly Due[] => {
    if (to?.kind !== 'destination' || to.transport === 'relay') return items;
    const room = Math.max(0, MAX_PER_DESTINATION - deps.outbound.load(to));
    for (const { claim, stored, lost } of items.slice(room)) {
      void settle({ claim, message: stored.message, attempt: null, lost, decision: returned() });
    }
    return items.slice(0, room);
  };

  /** Steps 4 and 5 for one recipient; never throws. `to` null: simulated. */
  const attempt = async ({ claim, stored, lost }: Due, to: Route | null, attemptId: string): Promise<void> => {
    const { message } = stored;
    let sent: SendingResult | null = null;
    let contentSentAt: Date | null = null;
    const carryOut = async (): Promise<Decision> => {
      if (to === null) return simulate(claim.address, () => htmlOf(stored), circumstances(claim));
      if (to.kind === 'unresolved') return defer(circumstances(claim), null, to.reason);
      if (to.kind === 'refused') {
        return decide({ reply: refusalReply(to), phase: 'rcpt', inDoubt: false, failure: null }, circumstances(claim));
      }
      const prepared = await prepare(stored);
      if (prepared.kind === 'unsignable') return defer(circumstances(claim), null, prepared.reason);
      sent = await deps.outbound.send(to, {
        claim,
        reversePath: reversePathOf(message, claim, prepared.message.returnPath),
        message: prepared.message,
        async beforeFinalDot() {
          contentSentAt = clock.now();
          return ledger.markContentSent(claim, attemptId);
        },
      });
      const unsent = sent.reply === null && !sent.inDoubt;
      return unsent && deps.stopping.aborted ? returned() : decide(sent, circumstances(claim));
    };
    const decision = await carryOut().catch((error: unknown) => {
      log.error({ error, messageId: claim.messageId }, 'an attempt failed on our side; it is tried again');
      return defer(circumstances(claim), null, 'internal error');
    });
    const endedAt = clock.now();
    const result = attemptResult(claim, attemptId, sent, decision, {
      contentSentAt,
      endedAt,
      keepTranscripts: deps.keepTranscripts,
    });
    await settle({ claim, message, attempt: result, lost, decision });
  };

  return async (claims) => {
    const due = sortOut(claims, await loadForDelivery(deps.system, claims));
    for (const [domain, items] of Map.groupBy(due, ({ claim }) => (claim.sandboxed ? null : claim.domain))) {
      void begin(items, domain === null ? Promise.resolve(null) : deps.outbound.route(domain));
    }
  };
}

function lostAttempt(claim: ClaimedRecipient): Settlement['lost'] {
  if (claim.lostAttemptId === null) return null;
  return { id: claim.lostAttemptId, outcome: claim.lostAfterContent ? 'IN_DOUBT' : 'LOST' };
}

async function htmlOf({ content }: StoredMessage): Promise<string | null> {
  if (content === null) return null;
  const stored = decodeStored(content);
  return stored.kind === 'parts' ? stored.content.html : (await readMail(stored.content.source)).html;
}

function attemptResult(
  claim: ClaimedRecipient,
  id: string,
  sent: SendingResult | null,
  decision: Decision,
  facts: { readonly contentSentAt: Date | null; readonly endedAt: Date; readonly keepTranscripts: boolean },
): AttemptResult {
  const { status } = decision;
  const deferred = status === 'DELAYED' || status === 'RETURNED' || status === 'EXPIRED';
  return {
    accountId: claim.accountId,
    messageId: claim.messageId,
    ordinal: claim.ordinal,
    id,
    outcome: deferred ? 'DEFERRED' : status,
    contentSentAt: facts.contentSentAt,
    endedAt: facts.endedAt,
    transport: sent?.transport ?? (claim.sandboxed ? 'sandbox' : null),
    remoteHost: sent?.remoteHost ?? null,
    remoteAddress: sent?.remoteAddress ?? null,
    tls: sent?.tls ?? null,
    smtpCode: sent?.reply?.code ?? ('smtpCode' in decision ? decision.smtpCode : null),
    enhancedCode: sent?.reply?.enhancedCode ?? ('enhancedCode' in decision ? decision.enhancedCode : null),
    response: textOf(decision) ?? sent?.failure ?? null,
    transcript: status === 'DELIVERED' && !facts.keepTranscripts ? null : (sent?.transcript ?? []),
  };
}

function textOf(decision: Decision): string | null {
  if (decision.status === 'DELIVERED' || decision.status === 'DELAYED') return decision.response;
  return decision.status === 'BOUNCED' ? decision.details : null;
}
