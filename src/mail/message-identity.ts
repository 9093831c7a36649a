// The identity of a stored message, from which delivery composes it and the API shows its source: the same bytes at any time.
import type { MessageIdentity } from './compose.ts';
import { feedbackId } from './feedback-id.ts';

export interface IdentifiedMessage {
  readonly id: string;
  readonly accountId: string;
  readonly serverId: string;
  readonly streamId: string;
  readonly fromAddress: string;
  readonly messageIdHeader: string;
  readonly acceptedAt: Date;
}

export function identityOf(message: IdentifiedMessage): MessageIdentity {
  return {
    messageId: message.messageIdHeader,
    date: message.acceptedAt,
    seed: message.id,
    feedbackId: feedbackId({ ...message, domain: fromDomain(message) }),
  };
}

/** In A-labels, as acceptance writes addresses: the domain in whose name the message goes. */
export function fromDomain({ fromAddress }: Pick<IdentifiedMessage, 'fromAddress'>): string {
  return fromAddress.slice(fromAddress.lastIndexOf('@') + 1);
}
