// Text of strangers on a terminal: nothing in it may steer it.

/** Line feeds stay. */
export function harmless(text: string): string {
  return text.replace(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g, ' ');
}
