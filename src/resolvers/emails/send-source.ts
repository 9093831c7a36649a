// Accepts a whole message for delivery, as SMTP submission brings it: the same transaction, rules and errors as sendEmail.
import type { MessageRow } from '#/db/messages.ts';
import {
  AllRecipientsSuppressed,
  IdempotencyConflict,
  InvalidInput,
  NotFound,
  SenderNotVerified,
  SendingPaused,
} from '#/domain/errors.ts';
import { groupCommand } from '../define.ts';
import { acceptEmails } from './accept-emails.ts';
import type { PreparedEmail } from './prepare-email.ts';
import { prepareSource, type SendSourceRequest } from './prepare-source.ts';

export const sendSource = groupCommand<
  SendSourceRequest,
  MessageRow,
  PreparedEmail,
  [
    typeof InvalidInput,
    typeof SenderNotVerified,
    typeof AllRecipientsSuppressed,
    typeof SendingPaused,
    typeof IdempotencyConflict,
    typeof NotFound,
  ]
>({
  permission: 'email.send',
  errors: [InvalidInput, SenderNotVerified, AllRecipientsSuppressed, SendingPaused, IdempotencyConflict, NotFound],
  announces: ['queue', 'events'],
  prepare: ({ deps, caller, scope }, request) => prepareSource(deps, caller.actor, scope, request),
  run: ({ scope, inside }, group) => acceptEmails(scope, inside, group),
});
