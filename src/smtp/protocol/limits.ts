// What one process of an SMTP server gives to whom. Figures are for each process: connections are spread over them.

export interface ListenerLimits {
  /** Sessions in all; what comes beyond gets 421. */
  readonly sessions: number;
  /** Of one IPv4 address, or of one /64 of IPv6. */
  readonly sessionsOfNetwork: number;
  /** Octets of a message, and what is announced by SIZE. */
  readonly messageBytes: number;
  /** Octets of all messages that are being received and kept in memory. */
  readonly bytesInMemory: number;
  /** Octets of a command line. */
  readonly commandBytes: number;
  /** Commands that bring no message (NOOP, RSET, EHLO, HELP, VRFY) since the last message. */
  readonly idleCommands: number;
  /** Recipients of a session that were refused since the last message. */
  readonly refusedRecipients: number;
  /** For the handshake where TLS comes first. */
  readonly handshakeMs: number;
  /** Without a whole command. */
  readonly idleMs: number;
  /** From DATA to the final dot, whatever the rate. */
  readonly dataMs: number;
  /** Octets a second on average after the first `dataGraceMs`. */
  readonly dataBytesPerSecond: number;
  readonly dataGraceMs: number;
  /** Messages that are being received when the process ends may take as long. */
  readonly drainMs: number;
}

export const COMMON_LIMITS: Omit<ListenerLimits, 'messageBytes'> = {
  // Some 60 KB each with TLS.
  sessions: 1_000,
  // Large providers send over some ten connections from an address; smtp-source and pools of applications over 50.
  sessionsOfNetwork: 100,
  bytesInMemory: 256 * 1024 * 1024,
  // RFC 5321 §4.5.3.1.4 asks for 512, extensions for some hundred more each; our tokens take 130 in AUTH.
  commandBytes: 4_096,
  idleCommands: 100,
  refusedRecipients: 50,
  // A slow phone takes two seconds.
  handshakeMs: 20_000,
  // RFC 5321 §4.5.3.2.7 says five minutes for a server; pools of applications keep connections for about one.
  idleMs: 5 * 60_000,
  // 50 MB at 0.5 Mbit/s.
  dataMs: 15 * 60_000,
  dataBytesPerSecond: 512,
  dataGraceMs: 30_000,
  drainMs: 10_000,
};
