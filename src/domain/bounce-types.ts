// Kinds of bounces: the vocabulary, with the numbers and the fixed texts that users of Postmark know.

interface BounceTypeRule {
  readonly code: number;
  readonly description: string;
}

const rule = (code: number, description: string): BounceTypeRule => ({ code, description });

export const bounceTypes = {
  HARD_BOUNCE: rule(
    1,
    'The server could not deliver the message, and never will: for example, there is no such mailbox.',
  ),
  TRANSIENT: rule(2, 'The server could not deliver the message for now, for example because of network trouble.'),
  UNSUBSCRIBE: rule(16, 'The recipient asked to be removed.'),
  SUBSCRIBE: rule(32, 'The recipient asked to be added.'),
  AUTO_RESPONDER: rule(64, 'An automatic answer, such as an out-of-office notice.'),
  ADDRESS_CHANGE: rule(128, 'The recipient has moved to another address.'),
  DNS_ERROR: rule(256, 'A temporary failure of DNS.'),
  SPAM_NOTIFICATION: rule(512, 'The receiving side refused the message as spam, or filed it as such.'),
  OPEN_RELAY_TEST: rule(1_024, 'The message was taken for a test whether the server is an open relay.'),
  UNKNOWN: rule(2_048, 'A notification that could not be classified.'),
  SOFT_BOUNCE: rule(4_096, 'The mailbox cannot take mail for now: it is full, disabled or over a quota.'),
  VIRUS_NOTIFICATION: rule(8_192, 'The receiving side took the message for a virus.'),
  CHALLENGE_VERIFICATION: rule(16_384, 'The receiving side asks the sender to confirm that a person sent the message.'),
  BAD_EMAIL_ADDRESS: rule(100_000, 'The address is not a valid email address.'),
  SPAM_COMPLAINT: rule(100_001, 'The recipient marked the message as spam.'),
  MANUALLY_DEACTIVATED: rule(100_002, 'The address was suppressed by hand.'),
  UNCONFIRMED: rule(100_003, 'The registration of the address was not confirmed.'),
  BLOCKED: rule(100_006, 'The receiving side blocked the message for its content or its source.'),
  SMTP_API_ERROR: rule(100_007, 'The message came in by SMTP and could not be accepted.'),
  INBOUND_ERROR: rule(100_008, 'An incoming message could not be handed to its webhook.'),
  DMARC_POLICY: rule(100_009, 'The receiving side refused the message because of the DMARC policy of its From domain.'),
  TEMPLATE_RENDERING_FAILED: rule(100_010, 'The template could not be rendered with the given model.'),
} as const satisfies Record<string, BounceTypeRule>;

export type BounceType = keyof typeof bounceTypes;

export function isBounceType(text: string): text is BounceType {
  return Object.hasOwn(bounceTypes, text);
}
