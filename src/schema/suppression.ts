// The vocabulary of suppressions.
import { builder } from './builder.ts';

export const SuppressionReason = builder.enumType('SuppressionReason', {
  description: 'Why an address gets no mail of a stream.',
  values: {
    HARD_BOUNCE: { description: 'Mail to it bounced for good.' },
    SPAM_COMPLAINT: { description: 'Its user called mail of the stream spam. Cannot be lifted by the customer.' },
    MANUAL: { description: 'The customer said so.' },
    UNSUBSCRIBE: { description: 'Its user unsubscribed.' },
  } as const,
});

export const SuppressionOrigin = builder.enumType('SuppressionOrigin', {
  description: 'Who suppressed an address.',
  values: {
    RECIPIENT: { description: 'Its user, or the server that holds its mailbox.' },
    CUSTOMER: { description: 'The customer.' },
    OPERATOR: { description: 'The operator of the installation.' },
  } as const,
});
