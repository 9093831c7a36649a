// Mail that was taken and is yet to be read: a row from the moment of acceptance until what it means is stored.
import { type RawBuilder, type Selectable, sql } from 'kysely';
import { bucketOfMessage } from '#/domain/retention.ts';
import { array, type ArrayType } from './arrays.ts';
import { PIECE_BYTES } from './messages.ts';
import type { SystemScope, SystemWriteScope } from './scope.ts';
import type { ArrivalsTable } from './tables.gen.ts';

export type ArrivalKind = 'inbound' | 'return-path' | 'feedback' | 'report';
export type ArrivalRow = Omit<Selectable<ArrivalsTable>, 'kind'> & { readonly kind: ArrivalKind };

export interface ArrivalKey {
  readonly accountId: string;
  readonly id: string;
}

/** One mail: a row for each recipient, all with the same source. */
export interface ArrivingMail {
  readonly rows: readonly ArrivalRow[];
  /** Encoded (src/mail/content.ts). Empty where its pieces are stored already. */
  readonly body: Buffer;
}

/** In one statement, which is a transaction of its own: one round trip and one wait for the disk for all of them. */
export async function insertArrivals(scope: SystemWriteScope, mails: readonly ArrivingMail[]): Promise<void> {
  const rows = mails.flatMap((mail) => mail.rows);
  const others = gather(mails, (kind) => kind !== 'inbound');
  await sql`
    with contents as (${insertInboundPieces(gather(mails, (kind) => kind === 'inbound'))})
      ${others.pieces.length === 0 ? sql`` : sql`, others as (${insertOtherPieces(others)})`}
    insert into arrivals (account_id, id, kind, recipient, sender, peer_address, helo, received_at, size, server_id, stream_id,
      mailbox_hash, retention_days, due_at)
    select * from unnest(${columns(rows, [
      ['uuid', ({ accountId }) => accountId],
      ['uuid', ({ id }) => id],
      ['text', ({ kind }) => kind],
      ['text', ({ recipient }) => recipient],
      ['text', ({ sender }) => sender],
      ['text', ({ peerAddress }) => peerAddress],
      ['text', ({ helo }) => helo],
      ['timestamptz', ({ receivedAt }) => receivedAt],
      ['int', ({ size }) => size],
      ['uuid', ({ serverId }) => serverId],
      ['uuid', ({ streamId }) => streamId],
      ['text', ({ mailboxHash }) => mailboxHash],
      ['int', ({ retentionDays }) => retentionDays],
      ['timestamptz', ({ dueAt }) => dueAt],
    ])})`.execute(scope.tx);
}

/**
 * A piece of a large source ahead of its rows: what no row names is nobody's, and goes with its partition or
 * by deleteStrayContents.
 */
export async function insertArrivalPiece(
  scope: SystemWriteScope,
  rows: readonly ArrivalRow[],
  piece: number,
  bytes: Buffer,
): Promise<void> {
  const ofKind = (inbound: boolean): Gathered => ({
    bytes,
    pieces: rows
      .filter(({ kind }) => (kind === 'inbound') === inbound)
      .map(({ accountId, id }) => ({ accountId, id, piece, start: 1, length: bytes.length })),
  });
  const [inbound, others] = [ofKind(true), ofKind(false)];
  if (inbound.pieces.length > 0) await insertInboundPieces(inbound).execute(scope.tx);
  if (others.pieces.length > 0) await insertOtherPieces(others).execute(scope.tx);
}

interface Piece extends ArrivalKey {
  readonly piece: number;
  /** Within all bytes of the statement, from 1. */
  readonly start: number;
  readonly length: number;
}

/** One parameter for all bytes, as in messages.ts. */
interface Gathered {
  readonly bytes: Buffer;
  readonly pieces: readonly Piece[];
}

/** A source is sent once for all its recipients. */
function gather(mails: readonly ArrivingMail[], wanted: (kind: ArrivalKind) => boolean): Gathered {
  const pieces: Piece[] = [];
  const bodies: Buffer[] = [];
  let offset = 0;
  for (const { rows, body } of mails) {
    const chosen = rows.filter(({ kind }) => wanted(kind));
    if (chosen.length === 0) continue;
    for (const row of chosen) pieces.push(...piecesOf(row, offset, body.length));
    bodies.push(body);
    offset += body.length;
  }
  return { bytes: bodies.length === 1 && bodies[0] !== undefined ? bodies[0] : Buffer.concat(bodies, offset), pieces };
}

function piecesOf({ accountId, id }: ArrivalKey, offset: number, length: number): Piece[] {
  return Array.from({ length: Math.ceil(length / PIECE_BYTES) }, (_, piece) => ({
    accountId,
    id,
    piece,
    start: offset + piece * PIECE_BYTES + 1,
    length: Math.min(PIECE_BYTES, length - piece * PIECE_BYTES),
  }));
}

function columns<R>(
  rows: readonly R[],
  all: readonly (readonly [ArrayType, (row: R) => unknown])[],
): RawBuilder<unknown> {
  // The list says of each column what its values are.
  return sql.join(all.map(([type, valueOf]) => array(type, rows.map(valueOf) as never)));
}

const pieceColumns: readonly (readonly [ArrayType, (piece: Piece) => unknown])[] = [
  ['uuid', ({ accountId }) => accountId],
  ['uuid', ({ id }) => id],
  ['smallint', ({ piece }) => piece],
  ['int', ({ start }) => start],
  ['int', ({ length }) => length],
];

function insertInboundPieces({ bytes, pieces }: Gathered): RawBuilder<unknown> {
  const buckets: (typeof pieceColumns)[number] = ['int', ({ id }) => bucketOfMessage(id)];
  return sql`
    insert into message_contents (bucket, account_id, message_id, piece, body)
    select bucket, account_id, id, piece, substring(${bytes}::bytea from start for length)
    from unnest(${columns(pieces, [...pieceColumns, buckets])}) as p (account_id, id, piece, start, length, bucket)`;
}

function insertOtherPieces({ bytes, pieces }: Gathered): RawBuilder<unknown> {
  return sql`
    insert into arrival_contents (account_id, arrival_id, piece, body)
    select account_id, id, piece, substring(${bytes}::bytea from start for length)
    from unnest(${columns(pieces, pieceColumns)}) as p (account_id, id, piece, start, length)`;
}

/** Those that may be read now, the longest waiting first, under a lease. Nobody waits for who holds another. */
export async function claimArrivals(
  scope: SystemWriteScope,
  { limit, leaseUntil }: { readonly limit: number; readonly leaseUntil: Date },
): Promise<ArrivalRow[]> {
  const { rows } = await sql<ArrivalRow>`
    update arrivals as a set due_at = ${leaseUntil}, tries = a.tries + 1
    from (select account_id, id from arrivals where due_at <= ${scope.now} order by due_at limit ${limit}
      for update skip locked) as d
    where a.account_id = d.account_id and a.id = d.id
    returning a.*`.execute(scope.tx);
  return rows;
}

/** Encoded sources by id; missing where somebody else was faster. */
export async function readArrivalContents(
  scope: SystemScope,
  rows: readonly ArrivalRow[],
): Promise<Map<string, Buffer>> {
  const ofKind = (inbound: boolean) => rows.filter(({ kind }) => (kind === 'inbound') === inbound);
  const { rows: pieces } = await sql<{ id: string; body: Buffer }>`
    select id, piece, body from unnest(${columns(ofKind(true), [
      ['uuid', ({ accountId }) => accountId],
      ['uuid', ({ id }) => id],
      ['int', ({ id }) => bucketOfMessage(id)],
    ])}) as k (account_id, id, bucket)
    join message_contents c on c.account_id = k.account_id and c.message_id = k.id and c.bucket = k.bucket
    union all
    select id, piece, body from unnest(${columns(ofKind(false), [
      ['uuid', ({ accountId }) => accountId],
      ['uuid', ({ id }) => id],
    ])}) as k (account_id, id)
    join arrival_contents c on c.account_id = k.account_id and c.arrival_id = k.id
    order by 1, 2`.execute(scope.db);
  const byId = Map.groupBy(pieces, ({ id }) => id);
  return new Map([...byId].map(([id, parts]) => [id, Buffer.concat(parts.map(({ body }) => body))]));
}

/**
 * Ends what was read, in the transaction that stores what it means. Answers the ids that were still there: whoever ends
 * an arrival first is the only one whose reading counts.
 */
export async function endArrivals(scope: SystemWriteScope, keys: readonly ArrivalKey[]): Promise<Set<string>> {
  const keyColumns = columns(keys, [
    ['uuid', ({ accountId }: ArrivalKey) => accountId],
    ['uuid', ({ id }) => id],
  ]);
  const { rows } = await sql<{ id: string }>`
    with ended as (
      delete from arrivals a using unnest(${keyColumns}) as k (account_id, id)
      where a.account_id = k.account_id and a.id = k.id
      returning a.account_id, a.id, a.kind),
    contents as (
      delete from arrival_contents c using ended e
      where e.kind <> 'inbound' and c.account_id = e.account_id and c.arrival_id = e.id)
    select id from ended`.execute(scope.tx);
  return new Set(rows.map(({ id }) => id));
}

/** Lets others read them, from `dueAt` on. */
export async function releaseArrivals(
  scope: SystemWriteScope,
  keys: readonly ArrivalKey[],
  dueAt: Date,
): Promise<void> {
  await sql`
    update arrivals a set due_at = ${dueAt}
    from unnest(${columns(keys, [
      ['uuid', ({ accountId }: ArrivalKey) => accountId],
      ['uuid', ({ id }) => id],
    ])}) as k (account_id, id)
    where a.account_id = k.account_id and a.id = k.id`.execute(scope.tx);
}

/** For a start at which it is certain that no process of the installation lives. */
export async function endArrivalLeases(scope: SystemWriteScope): Promise<void> {
  await sql`update arrivals set due_at = ${scope.now} where due_at > ${scope.now} and tries <= 1`.execute(scope.tx);
}

/** Pieces of sources made before `id` that were never accepted: their process has died amid them. */
export async function deleteStrayContents(scope: SystemScope, id: string): Promise<void> {
  await sql`
    delete from arrival_contents c where c.arrival_id < ${id}::uuid
      and not exists (select from arrivals a where a.account_id = c.account_id and a.id = c.arrival_id)`.execute(
    scope.db,
  );
}
