// Bodies are counted while they are read: a declared length is a promise of the client's.
import type { IncomingMessage } from 'node:http';
import { refused } from './errors.ts';

/** A batch of 50 MB of messages (src/domain/email/limits.ts) and room for JSON's escapes and the rest of the request. */
export const MAX_BODY_BYTES = 60_000_000;
/** Nobody without a token has that much to say. */
export const MAX_ANONYMOUS_BODY_BYTES = 1_000_000;
/** Of all bodies being read in this process; parsed, a body takes several times its size. */
const MAX_BYTES_IN_FLIGHT = 400_000_000;

let bytesInFlight = 0;

/** Rejects with RequestFault. */
export function readBody(request: IncomingMessage, limit: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const declared = Number(request.headers['content-length'] ?? 0);
    if (declared > limit) return reject(tooLarge(limit));
    if (bytesInFlight + declared > MAX_BYTES_IN_FLIGHT) return reject(busy());
    const chunks: Buffer[] = [];
    let size = 0;
    const finish = () => {
      bytesInFlight -= size;
      request.off('data', onData).off('end', onEnd).off('error', onGone).off('close', onGone);
    };
    const fail = (error: Error) => {
      finish();
      request.pause();
      reject(error);
    };
    const onData = (chunk: Buffer) => {
      size += chunk.length;
      bytesInFlight += chunk.length;
      chunks.push(chunk);
      if (size > limit) fail(tooLarge(limit));
      else if (bytesInFlight > MAX_BYTES_IN_FLIGHT) fail(busy());
    };
    const onEnd = () => {
      finish();
      resolve(textOf(chunks, size));
    };
    const onGone = () => fail(refused(400, 'BAD_REQUEST', 'The body ended early.'));
    request.on('data', onData).on('end', onEnd).on('error', onGone).on('close', onGone);
  });
}

/** More is put together in memory of its own. */
const MOST_ROOM = 4 * 1024 * 1024;
/** Where a body is put together to be read, used anew by the next: fresh memory of that size costs as much as reading it. */
let room = Buffer.alloc(0);

function textOf(chunks: readonly Buffer[], size: number): string {
  const [only] = chunks;
  if (chunks.length === 1 && only !== undefined) return only.toString('utf8');
  if (size > MOST_ROOM) return Buffer.concat(chunks, size).toString('utf8');
  if (size > room.length) room = Buffer.allocUnsafeSlow(Math.min(2 * size, MOST_ROOM));
  let to = 0;
  for (const chunk of chunks) to += chunk.copy(room, to);
  return room.toString('utf8', 0, size);
}

function tooLarge(limit: number) {
  return refused(413, 'PAYLOAD_TOO_LARGE', `The body is larger than ${limit} bytes.`);
}

function busy() {
  return refused(503, 'UNAVAILABLE', 'Too much is being received just now.', { 'retry-after': '1' });
}
