// The bounds of one WebSocket.
import type { Clock } from '#/runtime/ports.ts';

export const SOCKET_LIMITS = {
  /** Large mutations go by HTTP; a subscription's document and variables are small. */
  payloadBytes: 64 * 1_024,
  initTimeoutMs: 5_000,
  operations: 50,
  /**
   * In a process, event streams over HTTP included: the sockets of a large application, also those of a node that has just
   * died. Idle they cost 24 MB; 180 MB if none of them reads.
   */
  perToken: 600,
  messagesPerSecond: 100,
  messageBurst: 200,
  pingMs: 20_000,
  /** Octets that a peer may have to read before it comes to a ping: what the system's buffers take of one that is slow. */
  unreadBytes: 64 * 1_024,
  /** Pings that one with so much to read may leave unanswered: five minutes. */
  unreadPings: 15,
  /** Over which the sockets are told to go when the process ends: so many reconnect elsewhere at once. */
  closeJitterMs: 1_000,
} as const;

/** Whether one more message may come now. */
export function limitMessages(clock: Clock): () => boolean {
  let left: number = SOCKET_LIMITS.messageBurst;
  let at = clock.monotonic();
  return () => {
    const now = clock.monotonic();
    left = Math.min(SOCKET_LIMITS.messageBurst, left + ((now - at) / 1_000) * SOCKET_LIMITS.messagesPerSecond);
    at = now;
    left -= 1;
    return left >= 0;
  };
}
