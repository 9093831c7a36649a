// What acceptance wants to know of a message that came as one: what is sent on, and what it says.
import { collectIssues } from '#/domain/email/issues.ts';
import type { InputIssue } from '#/domain/errors.ts';
import { type IncomingMail, parseMail } from '../mime/incoming-mail.ts';
import { asBuffer } from '../mime/line-ends.ts';
import { readSubmission, type Submission } from './read-submission.ts';

export interface Submitted {
  /** Both are null only where an issue says why. */
  readonly submission: Submission | null;
  readonly mail: IncomingMail | null;
  readonly issues: readonly InputIssue[];
}

/** In this thread; `readSubmitted` of mime/offload.ts decides where. */
export function parseSubmitted(source: Uint8Array): Submitted {
  const issues = collectIssues();
  const submission = readSubmission(asBuffer(source), issues);
  return { submission, mail: submission === null ? null : parseMail(submission.source), issues: issues.found };
}
