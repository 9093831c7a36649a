// What the inbound server hands on, and to whom: the seam between the protocol and what mail means.

import type { Judged } from '#/resolvers/incoming/recipients.ts';

export interface Recipients {
  /** Null: nobody we know, and the peer hears so. `address` is `local@domain`; its domain in A-labels, lower case. */
  judge(address: string): Promise<Judged | null>;
}

export interface ReceivedMail {
  readonly envelope: {
    /** Empty for the null sender. */
    readonly sender: string;
    readonly recipients: readonly { readonly address: string; readonly judged: Judged }[];
    readonly smtpUtf8: boolean;
  };
  readonly source: ReceivedSource;
  readonly peer: {
    readonly address: string;
    /** As the peer has called itself; proves nothing. */
    readonly helo: string;
  };
  /** e.g. `TLSv1.3 TLS_AES_256_GCM_SHA384`; null in plain text. */
  readonly tls: string | null;
  readonly receivedAt: Date;
}

export interface ReceivedSource {
  readonly size: number;
  /** Whole. A large one is read from the spool each time: keep it no longer than needed. */
  read(): Promise<Buffer>;
  /** From its beginning, never whole in memory where it is large. */
  stream(): AsyncIterable<Buffer>;
}

export interface Receiver {
  /** Held from the first octet of a mail to the answer, for whoever wants to know how many there are. */
  coming?(): Disposable;
  /**
   * Resolves when the mail is durable: 250 follows, and the peer forgets it. What it fails with is a temporary failure to
   * the peer, which comes again; an SmtpRefusal is told as it is. `mail.source` ends with it.
   */
  receive(mail: ReceivedMail): Promise<void>;
}
