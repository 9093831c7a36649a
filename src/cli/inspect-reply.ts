// One line of `inspect --replies`: what an SMTP reply would make of a message.
import { classifyEvidence } from '#/mail/bounce/classify-evidence.ts';
import { evidenceOf } from '#/mail/bounce/evidence.ts';
import { postmarkName } from './postmark-names.ts';

/** `{ id, reply, code?, enhanced? }`; what is not given is read out of the reply. */
export function inspectReply(line: unknown) {
  const given = typeof line === 'object' && line !== null ? line : {};
  const text = (name: string) => {
    const value = name in given ? (given as Record<string, unknown>)[name] : undefined;
    return typeof value === 'string' || typeof value === 'number' ? String(value) : null;
  };
  const reply = text('reply');
  if (reply === null) throw new Error('a line needs "reply", a text');
  const code = Number(text('code') ?? Number.NaN);
  const evidence = evidenceOf(reply, {
    ...(Number.isInteger(code) ? { code } : {}),
    ...(text('enhanced') === null ? {} : { status: text('enhanced') }),
  });
  const { type, temporary } = classifyEvidence(evidence);
  return { id: text('id'), kind: postmarkName(type), temporary, code: evidence.code, status: evidence.status };
}
