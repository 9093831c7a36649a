// The commands of a transaction, and what is refused before the peer is asked at all.

import type { SmtpReply, SmtpTransaction } from '../ports.ts';

/** Keyword in capitals → its parameters, as EHLO gave them. */
export type Capabilities = ReadonlyMap<string, string>;

/** A command is one line, whatever a caller hands in (RFC 5321 §4.1.1). */
export function assertOneLine(text: string, what: string): void {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code < 0x20 || code === 0x7f) throw new TypeError(`Control character in the ${what}`);
  }
}

export function mailCommand(transaction: SmtpTransaction, capabilities: Capabilities): string {
  assertOneLine(transaction.reversePath, 'reverse-path');
  let command = `MAIL FROM:<${transaction.reversePath}>`;
  if (capabilities.has('SIZE')) command += ` SIZE=${transaction.size}`;
  if (transaction.eightBit && capabilities.has('8BITMIME')) command += ' BODY=8BITMIME';
  if (transaction.smtpUtf8) command += ' SMTPUTF8';
  return command;
}

export function rcptCommand(recipient: string): string {
  assertOneLine(recipient, 'recipient');
  return `RCPT TO:<${recipient}>`;
}

/** The reply that the peer would give, worked out from what it announced; null when it may take the message. */
export function localRefusal(transaction: SmtpTransaction, capabilities: Capabilities): SmtpReply | null {
  // RFC 1870 §4: no figure, or 0, means no fixed limit.
  const limit = Number.parseInt(capabilities.get('SIZE') ?? '', 10);
  if (limit > 0 && transaction.size > limit) {
    return { code: 552, enhancedCode: '5.3.4', text: 'Message size exceeds the limit announced by host' };
  }
  if (transaction.smtpUtf8 && !capabilities.has('SMTPUTF8')) {
    return { code: 553, enhancedCode: '5.6.7', text: 'Host does not take internationalized addresses (SMTPUTF8)' };
  }
  return null;
}
