// Whether the peer of a WebSocket is still there. An answer to a ping says so, and any word of its own. One that has much to
// read comes to the ping late, behind all that: it is slow, not dead, and is waited for much longer.
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { SOCKET_LIMITS } from './limits/socket.ts';

export class Pulse {
  readonly #socket: WebSocket;
  readonly #stream: Duplex;
  /** Pings since the last sign of life, and what had been written by then. */
  #unanswered = 0;
  #written = 0;

  constructor(socket: WebSocket, stream: Duplex) {
    this.#socket = socket;
    this.#stream = stream;
    const heard = () => {
      this.#unanswered = 0;
      this.#written = this.#bytesWritten;
    };
    socket.on('pong', heard);
    socket.on('message', heard);
  }

  /** Asks for a sign of life; one that has given none for too long is dropped. */
  beat(): void {
    const isSlow = this.#bytesWritten - this.#written > SOCKET_LIMITS.unreadBytes;
    if (this.#unanswered >= (isSlow ? SOCKET_LIMITS.unreadPings : 1)) return this.#socket.terminate();
    this.#unanswered++;
    this.#socket.ping();
  }

  /** What waits in memory included. */
  get #bytesWritten(): number {
    return 'bytesWritten' in this.#stream && typeof this.#stream.bytesWritten === 'number'
      ? this.#stream.bytesWritten
      : 0;
  }
}
