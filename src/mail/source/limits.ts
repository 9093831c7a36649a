// Limits of a message that comes as one, beside those of domain/email/limits.ts.

/** RFC 5322 §2.1.1, without the CRLF. Receivers cut longer lines in two, and then no signature holds. */
export const MAX_LINE = 998;
/** Real mail has some 50; what has passed many relays a hundred. */
export const MAX_FIELDS = 500;
/** Gmail refuses more than 500 KB; nobody needs a fifth of it. */
export const MAX_HEADER_BYTES = 128 * 1024;
/** RFC 5321 §6.3 asks for 100 at least; a loop is seen after half of it, as Postfix does. */
export const MAX_RECEIVED = 50;
