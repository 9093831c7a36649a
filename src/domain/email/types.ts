// What a caller asks to be sent, and the same after every rule was checked.

import type { Mailbox } from '../email-address.ts';

export type LinkTracking = 'NONE' | 'HTML_AND_TEXT' | 'HTML_ONLY' | 'TEXT_ONLY';

export interface AttachmentInput {
  readonly name: string;
  readonly contentType: string;
  /** Base64. */
  readonly content: string;
  readonly contentId?: string | null | undefined;
}

export interface HeaderField {
  readonly name: string;
  readonly value: string;
}

/** SendEmailInput without what the caller resolves first: the server and the template. */
export interface EmailInput {
  readonly from: string;
  readonly to: readonly string[];
  readonly cc?: readonly string[] | null | undefined;
  readonly bcc?: readonly string[] | null | undefined;
  readonly replyTo?: readonly string[] | null | undefined;
  readonly subject?: string | null | undefined;
  readonly html?: string | null | undefined;
  readonly text?: string | null | undefined;
  readonly attachments?: readonly AttachmentInput[] | null | undefined;
  readonly headers?: readonly HeaderField[] | null | undefined;
  readonly tag?: string | null | undefined;
  readonly metadata?: unknown;
  readonly stream?: string | null | undefined;
  readonly trackOpens?: boolean | null | undefined;
  readonly trackLinks?: LinkTracking | null | undefined;
  readonly sendAt?: Date | null | undefined;
  readonly expiresAt?: Date | null | undefined;
  readonly idempotencyKey?: string | null | undefined;
}

export interface Attachment {
  readonly name: string;
  readonly contentType: string;
  /** Without `cid:` and angle brackets; null for an ordinary attachment. */
  readonly contentId: string | null;
  readonly content: Buffer;
  /** Octets before transfer encoding. */
  readonly size: number;
}

export type RecipientKind = 'TO' | 'CC' | 'BCC';

export interface Recipient {
  readonly kind: RecipientKind;
  readonly mailbox: Mailbox;
}

export interface ValidEmail {
  readonly from: Mailbox;
  readonly to: readonly Mailbox[];
  readonly cc: readonly Mailbox[];
  readonly bcc: readonly Mailbox[];
  readonly replyTo: readonly Mailbox[];
  /** To, Cc, Bcc in this order, each address once. */
  readonly recipients: readonly Recipient[];
  readonly subject: string;
  readonly html: string | null;
  readonly text: string | null;
  readonly attachments: readonly Attachment[];
  /** Without Message-ID, which is part of the message's identity. */
  readonly headers: readonly HeaderField[];
  /** The sender's own Message-ID with its angle brackets. */
  readonly messageId: string | null;
  readonly tag: string | null;
  /** Frozen and without a prototype: a key may be called anything. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly streamSlug: string;
  readonly trackOpens: boolean | null;
  readonly trackLinks: LinkTracking | null;
  /** Null: at once. */
  readonly sendAt: Date | null;
  readonly expiresAt: Date | null;
  readonly idempotencyKey: string | null;
  /** Octets after transfer encoding, see estimateSize. */
  readonly estimatedSize: number;
}
