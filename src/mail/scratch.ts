// Room for what is made only to be copied or compressed at once. Fresh memory of a mail's size costs as much as the work
// on it; worse, what outlives two collections of young objects is freed by the collections of all, and 64 MB of such
// buffers set one off (V8): with 100 KB a mail that was two in a second.

/** Kept for good once it was needed; what is larger has memory of its own, so that one large mail holds none for ever. */
const MOST = 1024 * 1024;

export class Scratch {
  #bytes = new Uint8Array(64 * 1024);
  #used = 0;

  /** What was taken before is given up. */
  clear(): void {
    this.#used = 0;
  }

  /** `size` octets with anything in them, good until `clear`. */
  room(size: number): Uint8Array {
    // Views of what it replaces stay good: they hold it.
    if (size > this.#bytes.length && size <= MOST) this.#grow();
    if (this.#used + size > this.#bytes.length) return new Uint8Array(size);
    return this.#bytes.subarray(this.#used, (this.#used += size));
  }

  /** The first `length` octets of the room taken last; the rest of it is there for the next. */
  keep(room: Uint8Array, length: number): Buffer {
    if (room.buffer === this.#bytes.buffer) this.#used = room.byteOffset + length;
    return Buffer.from(room.buffer, room.byteOffset, length);
  }

  #grow(): void {
    this.#bytes = new Uint8Array(MOST);
    this.#used = 0;
  }
}
