// What the world may do to the inbound server.
import { MIME_LIMITS } from '#/mail/mime/limits.ts';
import { COMMON_LIMITS, type ListenerLimits } from '../protocol/limits.ts';

export interface InboundLimits extends ListenerLimits {
  readonly recipients: number;
  /** Larger mail goes to the spool. */
  readonly spoolFrom: number;
  /** Mails without a sender (reports of failures) of one network: so many at once, and a second. */
  readonly notices: { readonly capacity: number; readonly perSecond: number };
  /** Recipients of one network that we do not know, forged return paths among them. */
  readonly strangers: { readonly capacity: number; readonly perSecond: number };
}

export const INBOUND_LIMITS: InboundLimits = {
  ...COMMON_LIMITS,
  // 35 MB of files in base64.
  messageBytes: MIME_LIMITS.maxSize,
  // A report is for one address; RFC 5321 §4.5.3.1.8 asks for a hundred.
  recipients: 100,
  // A tenth of all mail, and most of all octets.
  spoolFrom: 256 * 1024,
  // A provider that bounces 2 % of a million mails in an hour sends some six a second; one that bounces back what it
  // bounced sends what it can, and is told to come later.
  notices: { capacity: 1_000, perSecond: 20 },
  // Who guesses addresses, or forges them. A session ends after refusedRecipients besides.
  strangers: { capacity: 500, perSecond: 2 },
};
