// Everything outside the process, as interfaces: use-cases, delivery and events see these and never the real thing.
// The real versions stand beside this file; tests put their own in their place.
import type { TlsaRecord, TlsFlaw } from '#/domain/delivery/tls.ts';

/** Time is a parameter: nothing outside src/runtime reads a clock or sets a timer. */
export interface Clock {
  now(): Date;
  /** Milliseconds that only ever grow; for measuring spans, not for dates. */
  monotonic(): number;
  /** Resolves after `ms`; resolves early (never rejects) when `signal` aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export interface Random {
  /** Cryptographically strong. */
  bytes(length: number): Buffer;
  /** In [0, 1), for jitter; not for secrets. */
  uniform(): number;
}

/** Secrets as they lie in the database. `purpose` names table and row: a sealed text moved to another row does not open. */
export interface SecretBox {
  seal(plain: Uint8Array, purpose: string): Buffer;
  /** Throws when it was sealed for another purpose, with a key that is not there, or was changed. */
  open(sealed: Uint8Array, purpose: string): Buffer;
  /** False: sealed with an older key, and to be sealed again before that key is dropped. */
  isCurrent(sealed: Uint8Array): boolean;
}

/** Hashes of passwords (argon2id). At most a few at once: a burst of sign-ins stands in line, and sending goes on. */
export interface Passwords {
  hash(password: string): Promise<string>;
  /**
   * `hash` null: nobody's. Takes as long, and does not match. `rehash`: to be stored in its place, made with today's
   * parameters; null when the stored one has them. Both throw RateLimited when too many wait already.
   */
  verify(hash: string | null, password: string): Promise<{ readonly matches: boolean; readonly rehash: string | null }>;
}

/** Work that nobody waits for, so that an answer neither takes its time nor tells by it that there was some. */
export interface Background extends AsyncDisposable {
  /** `what`: for the log, should it fail. */
  start(what: string, run: () => Promise<void>): void;
  /** When all that was started has ended. */
  settled(): Promise<void>;
}

export interface Ids {
  /** A UUIDv7; those of one process never decrease, also within one millisecond. */
  next(): string;
  /**
   * A UUIDv7 whose 12 bits `rand_a` (RFC 9562 §5.7) hold the retention bucket, so that a message's id alone tells the
   * partition that holds it.
   */
  nextInBucket(bucket: number): string;
}

export interface JudgedMail {
  readonly source: Uint8Array;
  /** Of the envelope; the sender is empty for notifications. */
  readonly sender: string;
  readonly recipient: string;
  readonly peerAddress: string;
  readonly helo: string;
}

export interface SpamFilter {
  /** The more, the more it looks like spam. Fails where the filter gives no answer. */
  score(mail: JudgedMail): Promise<number>;
}

export interface Load {
  /** Of the last moments, how busy this process or the whole machine was, whichever was busier: 0 to 1. */
  share(): number;
}

/** Structured log lines. Fields must never hold secrets, address lists or bodies (docs: operations). */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  child(fields: object): Log;
}

/**
 * - `events`: something was appended to the log. `queue`: a recipient became due. `config`: servers, streams, domains
 *   or limits changed. `tokens`: a token was revoked, rotated or changed. `people`: a session ended, or what somebody may
 *   do changed. `webhooks`: a webhook was made, changed, or is to send something again. `inbound`: a message came in, or was
 *   taken up again.
 */
export type Topic = 'events' | 'queue' | 'config' | 'tokens' | 'people' | 'webhooks' | 'inbound';

/** Hints between the processes of an installation: without data, may be lost, so whoever listens also looks by itself. */
export interface Channel {
  /** After commit. Many in a short time reach the others as one. */
  nudge(topic: Topic): void;
  /** Also called once after the connection was lost and is back. Returns the way to stop. */
  on(topic: Topic, listener: () => void): () => void;
}

// ── DNS ──

export type MxAnswer =
  | { readonly kind: 'hosts'; readonly hosts: readonly { readonly exchange: string; readonly preference: number }[] }
  /** The name exists and has no MX record: the domain itself is its implicit MX (RFC 5321 §5.1). */
  | { readonly kind: 'none' }
  /** RFC 7505: the domain takes no mail at all. */
  | { readonly kind: 'null-mx' }
  /** NXDOMAIN: permanent. */
  | { readonly kind: 'no-such-domain' }
  /** SERVFAIL, timeout, refused: says nothing about the domain; defer. */
  | { readonly kind: 'failed'; readonly reason: string };

export type AddressAnswer =
  | { readonly kind: 'addresses'; readonly addresses: readonly string[] }
  | { readonly kind: 'none' }
  | { readonly kind: 'failed'; readonly reason: string };

export type TextAnswer =
  /** One text for each record, its character-strings joined; CNAMEs were followed. */
  | { readonly kind: 'texts'; readonly texts: readonly string[] }
  /** The name exists and has no such record. */
  | { readonly kind: 'none' }
  | { readonly kind: 'no-such-name' }
  /** SERVFAIL, timeout, refused, a loop: says nothing about the name. */
  | { readonly kind: 'failed'; readonly reason: string };

export type CnameAnswer =
  /** From the first target to the last name, each without a dot at its end. */
  | { readonly kind: 'chain'; readonly names: readonly string[] }
  | { readonly kind: 'none' }
  | { readonly kind: 'no-such-name' }
  | { readonly kind: 'failed'; readonly reason: string };

export interface Dns {
  /** `domain` in ASCII form (A-labels). Never throws. */
  mx(domain: string): Promise<MxAnswer>;
  /** IPv6 before IPv4. Never throws. */
  addresses(host: string): Promise<AddressAnswer>;
  /** Asked anew each time: somebody has just published it and waits. Never throws. */
  txt(
    name: string,
    options?: {
      /** CNAMEs are followed only where the resolver does it, as those of the world do: for what is asked very often. */
      readonly inOneQuery?: boolean;
    },
  ): Promise<TextAnswer>;
  /** Likewise. */
  cname(name: string): Promise<CnameAnswer>;
}

export type SecureAnswer<T> =
  /** `secure`: DNSSEC vouches for it, by the word of a resolver that is trusted. `ttl` in milliseconds. */
  | { readonly kind: 'records'; readonly records: readonly T[]; readonly secure: boolean; readonly ttl: number }
  | { readonly kind: 'none'; readonly secure: boolean; readonly ttl: number }
  /** SERVFAIL, also for what DNSSEC refutes; timeout, refused. */
  | { readonly kind: 'failed'; readonly reason: string };

/** Lookups that say whether the answer is secure (RFC 4035 §3.2.3). Nothing is kept. Never throws. */
export interface SecureDns {
  tlsa(name: string): Promise<SecureAnswer<TlsaRecord>>;
  /** Whether there are such records: what they say is asked for by `Dns`. */
  probe(name: string, type: 'MX' | 'A' | 'AAAA'): Promise<SecureAnswer<null>>;
}

/** Never throws. */
export interface ReverseNames {
  /** Whether an IPv6 address has a PTR record. */
  ask(address: string): Promise<'named' | 'nameless' | 'unknown'>;
  /** The address of ours that the system would call this IPv6 address from; null: there is no way. */
  addressTowards(address: string): Promise<string | null>;
}

// ── policies of receivers, by HTTPS (RFC 8461 §3.3) ──

export type PolicyAnswer =
  | { readonly kind: 'text'; readonly text: string }
  | {
      readonly kind: 'failed';
      readonly flaw: 'sts-policy-fetch-error' | 'sts-webpki-invalid';
      readonly reason: string;
    };

export interface PolicyFetcher {
  /** From public addresses alone, under TLS that verifies, without following redirects. Never throws. */
  fetch(domain: string): Promise<PolicyAnswer>;
}

// ── HTTP client, for calls to where customers say ──

export interface HttpRequest {
  readonly method: 'POST';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

export type HttpResult = {
  /** Null: no answer; `error` says why. A redirect is an answer like every other: none is followed. */
  readonly status: number | null;
  readonly error: string | null;
  /** The header of that name. */
  readonly retryAfter: string | null;
  /** The beginning of the answer's body as text, control characters removed. */
  readonly head: string;
  readonly latencyMs: number;
};

/** Connects to public addresses alone, and to the very address that was judged. */
export interface HttpClient {
  /**
   * What is wrong with this URL, by its text or by where DNS says that it leads; null: nothing, though it may not answer.
   * Never throws.
   */
  flawOf(url: string): Promise<string | null>;
  /** Judges the URL, and each address that it connects to, again. Never throws. */
  send(request: HttpRequest): Promise<HttpResult>;
}

// ── SMTP client (RFC 5321) ──

/** What is known of the peer of an encrypted connection. */
export interface TlsCheck {
  /** Null: it may be anybody. */
  readonly verifiedBy: 'WEBPKI' | 'DANE' | null;
  /** Why it is not verified; null where it is. */
  readonly flaw: TlsFlaw | null;
}

export interface SmtpTarget {
  /** Name used for TLS (SNI) and shown on the attempt. */
  readonly host: string;
  /** Address that is dialled: already resolved and judged; the client never resolves. */
  readonly address: string;
  readonly port: number;
}

export interface SmtpConnectOptions {
  readonly heloName: string;
  /** `opportunistic`: STARTTLS when offered, a bad certificate does not fail it. `required`: no TLS is a failure. `implicit`: TLS from the first byte. */
  readonly tls: 'none' | 'opportunistic' | 'required' | 'implicit';
  /** Certificate must verify for `host`. False for `opportunistic` delivery to the world. */
  readonly verifyCertificate: boolean;
  /** It must match one of these (RFC 7672), whatever else it is worth; usable ones alone. */
  readonly tlsa?: readonly TlsaRecord[];
  readonly auth?: { readonly user: string; readonly password: string };
  readonly localAddress?: string;
  readonly timeouts?: Partial<SmtpTimeouts>;
  readonly signal?: AbortSignal;
}

/** Milliseconds per phase; defaults stand beside the client with the RFC 5321 §4.5.3.2 figures. */
export interface SmtpTimeouts {
  readonly connect: number;
  readonly greeting: number;
  readonly command: number;
  /** From DATA to 354, and per block of content. */
  readonly data: number;
  /** From the final dot to its reply. Too short makes duplicates. */
  readonly finalDot: number;
}

export type SmtpPhase =
  | 'connect'
  | 'greeting'
  | 'ehlo'
  | 'starttls'
  | 'auth'
  | 'mail'
  | 'rcpt'
  | 'data'
  | 'content'
  | 'final-dot'
  | 'rset'
  | 'quit';

export interface SmtpReply {
  readonly code: number;
  /** RFC 3463, e.g. `5.1.1`; null when the reply has none. */
  readonly enhancedCode: string | null;
  /** Text without code and enhanced code, lines joined by a space, at most 1,000 characters, control characters removed. */
  readonly text: string;
}

export interface SmtpTransaction {
  /** Reverse-path without angle brackets; empty for the null sender. */
  readonly reversePath: string;
  readonly recipients: readonly string[];
  readonly size: number;
  readonly eightBit: boolean;
  readonly smtpUtf8: boolean;
  /**
   * RFC 5322 source with CRLF line ends, not dot-stuffed. Read once; who gives an iterator rather than an array lets go of
   * what was written long before its outcome is known.
   */
  readonly content: Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
  /**
   * The same message in 7 bits, asked for where the host has no 8BITMIME; null: it cannot be had, and the host is not
   * asked. Without it 8-bit content goes as it is.
   */
  readonly sevenBit?: () => Promise<Pick<SmtpTransaction, 'content' | 'size'> | null>;
  /**
   * Awaited after all content has been written and before the final dot is: whoever needs to know after a crash that
   * the message may have been taken records it here. A rejection aborts the transaction without the dot. `accepted`:
   * which of the recipients the peer took, by their index.
   */
  beforeFinalDot(accepted: readonly number[]): Promise<void>;
}

export type SmtpTransactionResult = {
  /** One for each recipient, in order; null when none was got. */
  readonly recipientReplies: readonly (SmtpReply | null)[];
  /** Reply that decided: to the final dot, or to the command that refused; null when the connection failed first. */
  readonly reply: SmtpReply | null;
  readonly phase: SmtpPhase;
  /** The final dot was written and no reply to it came: the peer may or may not have the message. */
  readonly inDoubt: boolean;
  /** Text of the network failure when `reply` is null. */
  readonly failure: string | null;
  readonly transcript: readonly string[];
};

export interface SmtpSession {
  readonly target: SmtpTarget;
  /** e.g. `TLSv1.3 TLS_AES_256_GCM_SHA384`; null in plain text. */
  readonly tls: string | null;
  /** Null in plain text. */
  readonly check: TlsCheck | null;
  readonly extensions: ReadonlySet<string>;
  /** May take another transaction. */
  readonly usable: boolean;
  /** Never throws for what the peer or network does: it says so in the result. */
  send(transaction: SmtpTransaction): Promise<SmtpTransactionResult>;
  /** QUIT politely, then close; never throws. */
  close(): Promise<void>;
  destroy(): void;
}

export type SmtpConnectResult =
  | { readonly ok: true; readonly session: SmtpSession; readonly transcript: readonly string[] }
  | {
      readonly ok: false;
      readonly phase: SmtpPhase;
      readonly reply: SmtpReply | null;
      readonly failure: string | null;
      readonly tls: string | null;
      /** What was wrong with TLS itself, where that is why there is no session. */
      readonly flaw: TlsFlaw | null;
      readonly transcript: readonly string[];
      /** Of several that were tried, the one that this is about. */
      readonly target?: SmtpTarget;
    };

export interface SmtpClient {
  /** Never throws. */
  connect(target: SmtpTarget, options: SmtpConnectOptions): Promise<SmtpConnectResult>;
}

// ── large mail on its way in ──

export interface SpoolFile extends AsyncDisposable {
  readonly path: string;
  /** Octets so far. */
  readonly size: number;
  /** One after the other: the next begins when this has ended. */
  write(bytes: Uint8Array): Promise<void>;
  read(): Promise<Buffer>;
  /** From its beginning, in pieces of some ten kilobytes. */
  stream(): AsyncIterable<Buffer>;
}

export interface Spool {
  /** A new file; its disposal removes it. */
  create(): Promise<SpoolFile>;
}
