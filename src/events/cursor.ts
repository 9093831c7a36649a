// Cursors of the event log, as clients hold them: opaque, and bound to the server whose log they point into.
import { formatUuid } from '#/domain/ids.ts';
import type { LogPosition } from './catalogue.ts';

const VERSION = 1;
const LENGTH = 1 + 8 + 8 + 16;

const hexOf = (uuid: string) => uuid.replaceAll('-', '');

export function encodeCursor(serverId: string, position: LogPosition): string {
  const buffer = Buffer.alloc(LENGTH);
  buffer.writeUInt8(VERSION, 0);
  // Half of the server's id is enough to refuse another log's cursor; the rows are read by the caller's own server.
  buffer.write(hexOf(serverId).slice(16), 1, 'hex');
  buffer.writeBigUInt64BE(BigInt(position.xact), 9);
  buffer.write(hexOf(position.id), 17, 'hex');
  return buffer.toString('base64url');
}

/** Null for what is not a cursor of this server's log. */
export function decodeCursor(serverId: string, cursor: string): LogPosition | null {
  if (cursor.length > 64) return null;
  const buffer = Buffer.from(cursor, 'base64url');
  if (buffer.length !== LENGTH || buffer.readUInt8(0) !== VERSION) return null;
  if (buffer.toString('hex', 1, 9) !== hexOf(serverId).slice(16)) return null;
  const xact = buffer.readBigUInt64BE(9);
  if (xact > BigInt(Number.MAX_SAFE_INTEGER)) return null;
  return { xact: Number(xact), id: formatUuid(buffer.toString('hex', 17)) };
}
