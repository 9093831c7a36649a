// A batch: each email succeeds or fails by itself, but one request brings only so many, and only so much.
import type { MessageRow } from '#/db/messages.ts';
import { MAX_BATCH_BYTES, MAX_BATCH_MESSAGES } from '#/domain/email/limits.ts';
import { BadUserInput, type ExpectedError } from '#/domain/errors.ts';
import { authorize, type Caller } from '../define.ts';
import type { Deps } from '../deps.ts';
import type { SendEmailRequest } from './prepare-email.ts';
import { sendEmail } from './send-email.ts';

export async function sendEmails(
  deps: Deps,
  caller: Caller,
  requests: readonly SendEmailRequest[],
): Promise<readonly (MessageRow | ExpectedError)[]> {
  authorize(caller, sendEmail.permission, sendEmail.stepUp, deps.clock);
  if (requests.length > MAX_BATCH_MESSAGES)
    throw new BadUserInput(`The batch has ${requests.length} emails; at most ${MAX_BATCH_MESSAGES} are allowed.`);
  // Nearly always fewer code units than a third of it, each of which is three octets at most: then none are counted.
  if (3 * unitsOf(requests) > MAX_BATCH_BYTES && bytesOf(requests) > MAX_BATCH_BYTES)
    throw new BadUserInput(`The emails of the batch have more than ${MAX_BATCH_BYTES} octets together.`);
  return sendEmail.many(deps, caller, requests);
}

function unitsOf(requests: readonly SendEmailRequest[]): number {
  let units = 0;
  for (const { html, text, attachments } of requests) {
    units += (html?.length ?? 0) + (text?.length ?? 0);
    for (const { content } of attachments ?? []) units += content.length;
  }
  return units;
}

/** Of what weighs. Attachments as they are given, in base64, which is their size on the wire. */
function bytesOf(requests: readonly SendEmailRequest[]): number {
  let bytes = 0;
  for (const { html, text, attachments } of requests) {
    bytes += Buffer.byteLength(html ?? '') + Buffer.byteLength(text ?? '');
    for (const { content } of attachments ?? []) bytes += content.length;
  }
  return bytes;
}
