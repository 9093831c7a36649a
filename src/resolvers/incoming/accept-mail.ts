// Makes mail durable before its sender hears 250, and does nothing else with it: rows of its envelope and its source as it
// came. What it means is read afterwards (backlog.ts). What comes in at one time, for whomever, is committed together.
import { type ArrivalRow, type ArrivingMail, insertArrivalPiece, insertArrivals } from '#/db/arrivals.ts';
import { PIECE_BYTES } from '#/db/messages.ts';
import { writeStatement } from '#/db/scope.ts';
import { encodeSource, encodeSourceStream } from '#/mail/content.ts';
import { repeating } from '../define.ts';
import type { Deps } from '../deps.ts';
import { commitInGroups } from '../group-commit.ts';
import { turns } from '../turns.ts';
import { type ArrivedMail, arrivalsOf, FRAME } from './arrived-mail.ts';
import type { Backlog } from './backlog.ts';

/** Larger ones lie in the spool, and are stored from there without being held as a whole. */
const LARGE = 256 * 1024;
/** Compressing takes a processor, so more at once would only take longer. */
const MAX_LARGE = 2;

interface Prepared {
  readonly weight: number;
  readonly mail: ArrivedMail;
  readonly source: Buffer;
  readonly body: Buffer;
}

/** All mail of a process shares its commits. */
const EVERYBODY = 'arrivals';

export function createAcceptance(deps: Deps, backlog: Backlog): (mail: ArrivedMail) => Promise<void> {
  const groups = commitInGroups<Prepared, true>();
  const inTurn = turns(MAX_LARGE);

  const commit = async (all: readonly Prepared[]): Promise<true[]> => {
    const now = deps.clock.now();
    const kept = all.map(({ source }) => backlog.reserve(source.length));
    const mails = all.map(({ mail, body }, place): ArrivingMail => {
      const dueAt = kept[place] === true ? backlog.leaseUntil(now) : now;
      return { rows: arrivalsOf(deps.ids, now, dueAt, mail), body };
    });
    try {
      await repeating(() => writeStatement(deps.system, now, (scope) => insertArrivals(scope, mails)));
    } catch (error) {
      all.forEach(({ source }, place) => kept[place] === true && backlog.giveBack(source.length));
      throw error;
    }
    all.forEach(({ source }, place) => kept[place] === true && backlog.hold(mails[place]?.rows ?? [], source));
    return all.map(() => true);
  };

  const acceptLarge = async (mail: ArrivedMail): Promise<void> => {
    const now = deps.clock.now();
    const rows = arrivalsOf(deps.ids, now, now, mail);
    await storePieces(deps, rows, mail);
    // The row comes last: it is what makes the mail accepted.
    const accepted = { rows, body: Buffer.alloc(0) };
    await repeating(() => writeStatement(deps.system, now, (scope) => insertArrivals(scope, [accepted])));
    backlog.look();
  };

  return async (mail) => {
    if (mail.source.size > LARGE) return inTurn(() => acceptLarge(mail));
    const source = await mail.source.read();
    const body = encodeSource({ source, ...FRAME });
    await groups.submit(deps, EVERYBODY, [{ weight: body.length, mail, source, body }], commit);
  };
}

async function storePieces(deps: Deps, rows: readonly ArrivalRow[], mail: ArrivedMail): Promise<void> {
  let piece = 0;
  for await (const bytes of inPieces(encodeSourceStream(FRAME, mail.source.stream()))) {
    const place = piece++;
    await repeating(() =>
      writeStatement(deps.system, deps.clock.now(), (scope) => insertArrivalPiece(scope, rows, place, bytes)),
    );
  }
}

async function* inPieces(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let held: Buffer[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    held.push(chunk);
    length += chunk.length;
    if (length < PIECE_BYTES) continue;
    yield Buffer.concat(held, length);
    held = [];
    length = 0;
  }
  if (length > 0) yield Buffer.concat(held, length);
}
