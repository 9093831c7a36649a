// What a message that came back can be, and what is told of it.
import type { BounceType } from '#/domain/bounce-types.ts';
import type { Field } from './fields.ts';

export type DeliveryAction = 'failed' | 'delayed' | 'relayed' | 'expanded' | 'delivered';

export interface ReturnedRecipient {
  /** The one we sent to, where the reporter knows it; after forwarding it may be another. */
  readonly address: string;
  /** Where the message went in the end, where that is another address. */
  readonly finalRecipient: string | null;
  readonly action: DeliveryAction;
  /** RFC 3463, `5.1.1`. */
  readonly status: string | null;
  readonly smtpCode: number | null;
  readonly diagnostic: string | null;
  readonly remoteMta: string | null;
  /** Null for what is no failure: delivered, relayed, expanded. */
  readonly type: BounceType | null;
  /** The reporter, or whom it cites, would try again. */
  readonly temporary: boolean;
}

/** What came back of our own message. */
export interface OriginalMessage {
  /** With its angle brackets, as it stands. */
  readonly messageId: string | null;
  /** Its reverse-path, where our VERP is found: from Return-Path, or what else holds an envelope's sender. */
  readonly returnPath: string | null;
  /** In order, values unfolded; bounded. Names are in lower case. */
  readonly fields: readonly Field[];
}

export interface Bounce {
  readonly kind: 'bounce';
  readonly recipients: readonly ReturnedRecipient[];
  /** Of the first recipient that failed; of the whole where no recipient is named. */
  readonly type: BounceType;
  readonly reportingMta: string | null;
  readonly envelopeId: string | null;
  readonly originalMessageId: string | null;
  readonly original: OriginalMessage | null;
}

export interface Complaint {
  readonly kind: 'complaint' | 'authentication-failure';
  readonly feedbackType: string;
  /** SPAM_COMPLAINT, UNSUBSCRIBE, VIRUS_NOTIFICATION; null for what accuses nobody's message. */
  readonly type: BounceType | null;
  /** Empty where the provider does not say who complained. */
  readonly recipients: readonly string[];
  readonly sourceIp: string | null;
  readonly reportedDomains: readonly string[];
  readonly originalMailFrom: string | null;
  readonly originalMessageId: string | null;
  readonly original: OriginalMessage | null;
}

/** Written by a machine or for one, and no failure: answers, challenges, read receipts, requests to be removed or added. */
export interface Notice {
  readonly kind: 'auto-reply' | 'challenge' | 'receipt' | 'unsubscribe' | 'subscribe' | 'delivered';
  /** Null for a receipt and for a report of success. */
  readonly type: BounceType | null;
  /** Who answers, or asks. */
  readonly from: string | null;
  /** Of whom a machine-readable part tells. */
  readonly recipients: readonly ReturnedRecipient[];
  readonly originalMessageId: string | null;
  readonly original: OriginalMessage | null;
}

export type Returned = Bounce | Complaint | Notice | { readonly kind: 'ordinary' };
