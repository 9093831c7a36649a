// Takes an email back, as far as it was not handed over yet.
import { withdraw } from '#/db/delivery-queue.ts';
import { findMessages, type MessageRow } from '#/db/messages.ts';
import { listRecipients } from '#/db/recipients.ts';
import { Conflict, NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { append } from '#/events/append.ts';
import { command } from '../define.ts';

export const cancelEmail = command({
  permission: 'email.send',
  errors: [NotFound, Conflict],
  announces: ['events'],
  audit: (_input: { readonly id: string }, message: MessageRow) => ({
    action: 'email.cancel',
    subjectIds: [encodeId('message', message.id)],
  }),
  async run({ scope, inside, fail }, { id }) {
    const [message] = await findMessages(scope, [id], scope.now);
    if (message === undefined) return fail(new NotFound());
    const withdrawn = new Set(await withdraw(scope, id));
    if (withdrawn.size === 0) fail(new Conflict('Nothing of this email is left to cancel.'));
    const recipients = await listRecipients(scope, [id]);
    const { accountId, serverId, streamId, tag, metadata } = message;
    await append(
      scope,
      recipients
        .filter(({ ordinal }) => withdrawn.has(ordinal))
        .map(({ address }) => ({
          accountId,
          serverId,
          streamId,
          messageId: id,
          recipient: address,
          tag,
          metadata,
          id: inside.ids.next(),
          type: 'CANCELLED' as const,
          data: null,
        })),
    );
    return message;
  },
});
