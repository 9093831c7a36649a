// Content onto the wire, stuffed block by block and never faster than the peer takes it.

import type { SmtpTransaction } from '../ports.ts';
import type { Channel } from './channel.ts';
import type { DotStuffer } from './dot-stuffing.ts';

/** What is stuffed, and so perhaps copied, at a time; also node's own mark for a full socket. */
const BLOCK = 65_536;

/**
 * Returns the bytes written. Stops early, and says nothing of it, when the connection fails or the peer replies before its
 * turn: both show in the channel. A rejection of the content's own source comes through.
 */
export async function writeContent(
  channel: Channel,
  content: SmtpTransaction['content'],
  stuffer: DotStuffer,
  ms: number,
): Promise<number> {
  let bytes = 0;
  if (Symbol.asyncIterator in content) {
    const source = content[Symbol.asyncIterator]();
    let finished = false;
    try {
      while (!interrupted(channel)) {
        const step = await channel.during(source.next());
        finished = step?.value.done === true;
        if (step === null || step.value.done === true) break;
        bytes += await writeChunk(channel, step.value.value, stuffer, ms);
      }
    } finally {
      // Not awaited: a source that hangs in next() would never answer.
      if (!finished) source.return?.().catch(() => {});
    }
    return bytes;
  }
  channel.gather();
  for (const chunk of content) {
    if (interrupted(channel)) break;
    bytes += await writeChunk(channel, chunk, stuffer, ms);
  }
  return bytes;
}

async function writeChunk(channel: Channel, chunk: Uint8Array, stuffer: DotStuffer, ms: number): Promise<number> {
  let at = 0;
  while (at < chunk.length && !interrupted(channel)) {
    const block = chunk.subarray(at, at + BLOCK);
    if (!writeBlock(channel, block, stuffer)) await channel.drained(ms);
    at += block.length;
  }
  return at;
}

function writeBlock(channel: Channel, block: Uint8Array, stuffer: DotStuffer): boolean {
  const buffer = Buffer.isBuffer(block) ? block : Buffer.from(block.buffer, block.byteOffset, block.byteLength);
  // None but the last one's answer counts: between them nobody could do anything about it.
  return stuffer.stuff(buffer).reduce((_, piece) => channel.write(piece), true);
}

function interrupted(channel: Channel): boolean {
  return channel.failure !== null || channel.hasReply;
}
