// The reverse-path (RFC 5321 §4.4) under which a message travels: where receivers report failures to, and what SPF is
// checked against.

/** The sender's own address: its domain is verified, so SPF and DMARC alignment are the sender's to publish. */
export function reversePathOf(message: { readonly fromAddress: string }): string {
  return message.fromAddress;
}
