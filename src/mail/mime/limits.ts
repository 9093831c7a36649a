// How much of a message is looked at. What lies beyond is left out and told in `defects`, never an error: a hostile
// message must not be able to stop the mail after it.

export interface MimeLimits {
  /** Octets of a message. 35 MB is what Postmark takes; a third is added for base64 by who sends, and some for headers. */
  readonly maxSize: number;
  /** Multiparts and messages inside each other. Real mail has been seen with 12. */
  readonly maxDepth: number;
  readonly maxParts: number;
  /** Header fields of one part. */
  readonly maxFields: number;
  /** Octets of one header field with its folds. */
  readonly maxField: number;
  /** Octets of all header fields of the message, those of parts included. */
  readonly maxHeaders: number;
  readonly maxAddresses: number;
}

export const MIME_LIMITS: MimeLimits = {
  maxSize: 50 * 1024 * 1024,
  maxDepth: 50,
  maxParts: 2_000,
  maxFields: 1_000,
  maxField: 256 * 1024,
  maxHeaders: 2 * 1024 * 1024,
  maxAddresses: 5_000,
};

export type MimeDefect =
  | 'TOO_DEEP'
  | 'TOO_MANY_PARTS'
  | 'TOO_MANY_HEADERS'
  | 'HEADER_TOO_LONG'
  | 'TOO_MANY_ADDRESSES'
  | 'UNCLOSED_MULTIPART'
  | 'NO_BOUNDARY';

/** The message is bigger than anything that may be accepted. */
export class MailTooBig extends Error {}
