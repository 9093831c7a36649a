// Steps 2 to 5 of the delivery loop (engine.ts) for what one claim brought.
import type { AttemptResult } from '#/db/delivery-attempts.ts';
import type { ClaimedRecipient } from '#/db/delivery-queue.ts';
import { loadForDelivery, type StoredMessage } from '#/db/messages.ts';
import type { SystemScope } from '#/db/scope.ts';
import { encodeId } from '#/domain/ids.ts';
import { decodeStored } from '#/mail/content.ts';
import { readMail } from '#/mail/mime/offload.ts';
import { reversePathOf } from '#/mail/reverse-path.ts';
import type { Clock, Ids, Log, Random } from '#/runtime/ports.ts';
import { failureOf } from '#/domain/delivery/retry.ts';
import { statusOfOverdue } from '#/domain/delivery/states.ts';
import { type Circumstances, type Decision, decide, defer, doubt, isBeforeMail, ownTrouble } from './decision.ts';
import type { Ledger } from './ledger.ts';
import type { PausedPlaces, PausedSet } from './paused-places.ts';
import { type Outbound, refusalReply, type SendingResult } from './outbound.ts';
import type { Settlement } from './record.ts';
import type { Route } from './route.ts';
import { simulate } from './sandbox.ts';
import type { Shaper } from './shaper.ts';
import type { SitePace } from './site-pace.ts';
import { createPreparation, type ReturnPaths, type SigningKeys } from './signing.ts';
import type { Transports } from './transports.ts';
import { type Way, wayKey } from './way.ts';

/** On an attempt that began and for which no connection could be had; nobody was called. */
const HELD_BACK = 'no connection may be opened to this receiver for now';
/** What is given back untried comes again after this. */
const RETURN_MS = { least: 3_000, spread: 4_000 } as const;
/** What waits longer for its site is let go when the staff says so (db/held-mail.ts). */
const HELD_MS = 20_000;

export interface BatchDeps {
  readonly system: SystemScope;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly random: Random;
  readonly log: Log;
  readonly outbound: Outbound;
  readonly shaper: Shaper;
  readonly transports: Transports;
  readonly ledger: Ledger;
  readonly paused: PausedPlaces;
  /** Null: nothing is signed. */
  readonly signing: SigningKeys | null;
  /** Null: all mail travels under its From address. */
  readonly returnPaths: ReturnPaths | null;
  /** Transcripts of successes too. */
  readonly keepTranscripts: boolean;
  /** The worker is ending: what was not sent goes back untried. */
  readonly stopping: AbortSignal;
  /** Of the pauses between attempts; 1 unless told. */
  readonly retryScale?: number;
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
    doubts: claim.doubts,
    deliverBy: claim.deliverBy,
    uniform: deps.random.uniform(),
    scale: deps.retryScale ?? 1,
  });

  const returned = (): Decision => {
    const pause = RETURN_MS.least + RETURN_MS.spread * deps.random.uniform();
    return { status: 'RETURNED', dueAt: new Date(clock.now().getTime() + pause) };
  };

  /** Until the pause ends, or its time is over. */
  const parked = ({ deliverBy }: ClaimedRecipient): Decision => ({
    status: 'RETURNED',
    dueAt: deliverBy,
    parked: true,
  });

  /** What a dead worker may have sent is in doubt, what is past its time is over; null: it is tried. */
  const withoutAttempt = (claim: ClaimedRecipient): Decision | null => {
    if (claim.lostAfterContent) return doubt(circumstances(claim));
    if (claim.deliverBy > clock.now()) return null;
    const status = statusOfOverdue(claim.doubts);
    return status === 'IN_DOUBT' ? { status, retryAt: null } : { status };
  };

  /** Step 2. What needs no attempt is settled; the rest is due. */
  const sortOut = (
    claims: readonly ClaimedRecipient[],
    stored: ReadonlyMap<string, StoredMessage>,
    paused: PausedSet,
  ): Due[] =>
    claims.flatMap((claim): Due[] => {
      const found = stored.get(claim.messageId);
      if (found === undefined) {
        log.error(
          { messageId: encodeId('message', claim.messageId) },
          'the message of a queued recipient is gone; its row is dropped',
        );
        void ledger.drop(claim).then(() => deps.release(claim));
        return [];
      }
      const { message } = found;
      const lost = lostAttempt(claim);
      const decision = withoutAttempt(claim) ?? (paused.has(claim) ? parked(claim) : null);
      if (decision !== null) void settle({ claim, message, attempt: null, lost, decision });
      else return [{ claim, stored: found, lost }];
      return [];
    });

  /** Step 3 for what goes one way. A domain whose DNS is slow delays nobody else. */
  const begin = async (items: readonly Due[], finding: Promise<Route | null>): Promise<void> => {
    let pace: SitePace | null = null;
    let waiting = items;
    try {
      const to = await finding;
      if (to?.kind === 'destination') pace = await deps.shaper.paceOf(to);
      if (pace !== null) waiting = admit(items, pace);
      if (waiting.length === 0) return;
      const attempts = waiting.map(({ claim }) => ({ ...claim, id: deps.ids.next() }));
      await ledger.start(attempts);
      waiting.forEach((item, index) => {
        void attempt(item, to, pace, attempts[index]?.id ?? '').finally(() => pace?.done(item.claim.accountId));
      });
    } catch (error) {
      log.error({ error, recipients: waiting.length }, 'attempts could not be started; their leases will run out');
      for (const { claim } of waiting) {
        if (waiting !== items) pace?.done(claim.accountId);
        deps.release(claim);
      }
    }
  };

  const giveBack = ({ claim, stored: { message }, lost }: Due, later: Date, site?: string): void => {
    const dueAt = later < claim.deliverBy ? later : claim.deliverBy;
    // What comes back soon need not be found by its site.
    const held = site !== undefined && dueAt.getTime() - clock.now().getTime() > HELD_MS ? { heldAt: site } : {};
    void settle({ claim, message, attempt: null, lost, decision: { status: 'RETURNED', dueAt, ...held } });
  };

  /** What the site takes no more of for now goes back untried, and comes again when there may be room. */
  const admit = (items: readonly Due[], pace: SitePace): readonly Due[] =>
    items.filter(({ claim, stored, lost }) => {
      const later = pace.admit(claim.accountId);
      if (later === null) return true;
      giveBack({ claim, stored, lost }, later, pace.site.name);
      return false;
    });

  /** Steps 4 and 5 for one recipient; never throws. `to` null: simulated. */
  const attempt = async (
    { claim, stored, lost }: Due,
    to: Route | null,
    pace: SitePace | null,
    attemptId: string,
  ): Promise<void> => {
    const { message } = stored;
    let sent: SendingResult | null = null;
    let contentSentAt: Date | null = null;
    const carryOut = async (): Promise<Decision> => {
      if (to === null) return simulate(claim.address, () => htmlOf(stored), circumstances(claim));
      if (to.kind === 'unresolved') return defer(circumstances(claim), failureOf(null), null, to.reason);
      if (to.kind === 'refused') {
        return decide({ reply: refusalReply(to), phase: 'rcpt', inDoubt: false, failure: null }, circumstances(claim));
      }
      const prepared = await prepare(stored);
      if (prepared.kind === 'unsignable') return defer(circumstances(claim), ownTrouble, null, prepared.reason);
      sent = await deps.outbound.send(to, pace, {
        claim,
        reversePath: reversePathOf(message, claim, prepared.message.returnPath),
        message: prepared.message,
        async beforeFinalDot() {
          contentSentAt = clock.now();
          return ledger.markContentSent(claim, attemptId);
        },
      });
      if (pace !== null) deps.shaper.observe(pace, claim.accountId, sent);
      // What a transport cannot take as a whole is not the recipient's: it waits until a part of it is in order.
      if (sent.heldBack || (isBeforeMail(sent.phase) && to.via !== null && deps.transports.isOut(to.via)))
        return returned();
      const unsent = sent.reply === null && !sent.inDoubt;
      return unsent && deps.stopping.aborted ? returned() : decide(sent, circumstances(claim));
    };
    const decision = await carryOut().catch((error: unknown) => {
      log.error(
        { error, messageId: encodeId('message', claim.messageId) },
        'an attempt failed on our side; it is tried again',
      );
      return defer(circumstances(claim), ownTrouble, null, 'internal error');
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
    const [stored, paused] = await Promise.all([loadForDelivery(deps.system, claims), deps.paused.now()]);
    const due = await deps.transports.withWays(sortOut(claims, stored, paused));
    for (const [key, items] of Map.groupBy(due, groupOf)) {
      const [first] = items;
      if (first === undefined || key === null) void begin(items, Promise.resolve(null));
      else if (first.way.kind === 'open') void begin(items, deps.outbound.route(first.claim.domain, first.way.via));
      else for (const item of items) if (item.way.kind === 'closed') giveBack(item, item.way.until);
    }
  };
}

/** What is sent together, at one pace; null: it is simulated. To a relay the domains make no difference. */
function groupOf({ claim, way }: Due & { readonly way: Way }): string | null {
  if (claim.sandboxed) return null;
  return way.kind === 'open' && way.via?.kind === 'RELAY' ? wayKey(way) : `${claim.domain} ${wayKey(way)}`;
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
    tlsVerification: sent?.tlsVerification ?? null,
    tlsPolicy: sent?.tlsPolicy ?? null,
    smtpCode: sent?.reply?.code ?? ('smtpCode' in decision ? decision.smtpCode : null),
    enhancedCode: sent?.reply?.enhancedCode ?? ('enhancedCode' in decision ? decision.enhancedCode : null),
    response: sent?.heldBack === true ? HELD_BACK : (textOf(decision) ?? sent?.failure ?? null),
    transcript: status === 'DELIVERED' && !facts.keepTranscripts ? null : (sent?.transcript ?? []),
  };
}

function textOf(decision: Decision): string | null {
  if (decision.status === 'DELIVERED' || decision.status === 'DELAYED') return decision.response;
  return decision.status === 'BOUNCED' ? decision.details : null;
}
