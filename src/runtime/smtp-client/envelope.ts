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

/** What this peer can be sent: in 7 bits where it takes no 8 (RFC 6152 §3); null: it would have to be, and cannot. */
export async function fitting(
  transaction: SmtpTransaction,
  capabilities: Capabilities,
): Promise<SmtpTransaction | null> {
  const { eightBit, smtpUtf8, sevenBit } = transaction;
  // RFC 6531 §3.1: whoever offers SMTPUTF8 takes 8 bits; and where it is not offered, that is what the mail fails for.
  if (!eightBit || smtpUtf8 || sevenBit === undefined || capabilities.has('8BITMIME')) return transaction;
  const converted = await sevenBit();
  return converted === null ? null : { ...transaction, ...converted, eightBit: false };
}

export const unconvertible: SmtpReply = {
  code: 554,
  enhancedCode: '5.6.3',
  text: 'Host takes no 8-bit content (8BITMIME), and this message cannot be converted',
};

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
