// Accepts email for delivery. One call is one email; many calls, and batches, share transactions (group commit).
import {
  AllRecipientsSuppressed,
  IdempotencyConflict,
  InvalidInput,
  NotFound,
  SenderNotVerified,
  SendingPaused,
} from '#/domain/errors.ts';
import type { MessageRow } from '#/db/messages.ts';
import { groupCommand } from '../define.ts';
import { acceptEmails } from './accept-emails.ts';
import { prepareEmail, type PreparedEmail, type SendEmailRequest } from './prepare-email.ts';

export const sendEmail = groupCommand<
  SendEmailRequest,
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
  prepare: ({ deps, caller, scope }, request) => prepareEmail(deps, caller.actor, scope, request),
  run: ({ scope, inside }, group) => acceptEmails(scope, inside, group),
});
