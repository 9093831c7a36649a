// An SMTP server that misbehaves on command: what a test needs of the world's mail servers. On node:net alone, because a
// proper server library would refuse to do most of it.

import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import { PeerSession, type SessionHost } from './smtp-peer-session.ts';

export interface PeerCommand {
  /** In capitals: `EHLO`, `MAIL`, `RCPT`, `DATA`, … and `.` for the end of content. */
  readonly verb: string;
  readonly line: string;
  /** Local part of the address in MAIL and RCPT, without `+suffix`; else empty. */
  readonly localPart: string;
}

/** What the session knows when a command comes. */
export interface PeerSessionState {
  readonly number: number;
  readonly secure: boolean;
  readonly user: string | null;
  readonly mailFrom: string | null;
  readonly recipients: readonly string[];
  readonly remoteAddress: string | null;
}

/** Reply lines joined by CRLF, without the last CRLF; `drop` closes without a word, `reset` by RST, `hang` never answers. */
export type PeerAnswer =
  | string
  /** One byte a packet. */
  | { readonly trickle: string }
  /** Some time later. */
  | { readonly late: string; readonly afterMs: number }
  | { readonly reply: string; readonly closeAfter: true }
  | { readonly raw: string }
  /** Reads nothing more after this answer. */
  | { readonly reply: string; readonly stopReading: true }
  | 'drop'
  | 'reset'
  | 'hang';

export interface PeerScript {
  greeting: PeerAnswer;
  extensions: readonly string[];
  /** What EHLO says under TLS; null: the same. */
  extensionsUnderTls: readonly string[] | null;
  /** Null or undefined: the default answer, which goes by the recipient's local part. */
  answer: (command: PeerCommand, session: PeerSessionState) => PeerAnswer | null | undefined;
  /** Before each answer. */
  delayMs: number;
  /** Closes the connection once this much content has been read. */
  dropAfterContentBytes: number | null;
  /** Replies amid the content, and reads on without listening. */
  refuseAfterContentBytes: { readonly bytes: number; readonly reply: string } | null;
  /** Says 421 and closes once it has heard nothing for so long. */
  closesIdleAfterMs: number | null;
  /**
   * `inject` sends commands' replies in plain text behind the 220. The handshake is answered with garbage (`break`), with
   * the connection's end (`close`), its reset (`reset`), or not at all (`silent`).
   */
  startTls: 'offer' | 'inject' | 'break' | 'close' | 'reset' | 'silent' | 'off';
  /** For a handshake: PEM, with what else belongs to a context, e.g. `maxVersion`. */
  certificate: SecureContextOptions;
  /** TLS from the first byte. */
  implicitTls: boolean;
  auth: { readonly user: string; readonly password: string } | null;
}

export interface ReceivedMessage {
  readonly mailFrom: string;
  /** What stood behind the address in MAIL, e.g. `SIZE=12 BODY=8BITMIME`. */
  readonly parameters: string;
  readonly recipients: readonly string[];
  /** Dots taken out again; without the final dot. */
  readonly raw: Buffer;
  readonly messageId: string | null;
  readonly secure: boolean;
  readonly user: string | null;
  /** Number of the connection that brought it, from 1. */
  readonly connection: number;
  /** Where it came from. */
  readonly remoteAddress: string | null;
}

export interface SmtpPeer extends AsyncDisposable {
  readonly port: number;
  /** Accepted with 2yz to the final dot. */
  readonly messages: readonly ReceivedMessage[];
  /** Content that came in whole, whether or not accepted or answered. */
  readonly seen: readonly ReceivedMessage[];
  /** Every line that came as a command, over all connections; `<connected>` and `<closed>` mark the ends. */
  readonly log: readonly string[];
  readonly connections: number;
  readonly openConnections: number;
  setScript(script: Partial<PeerScript>): void;
  /** From now on the final dot is not answered until the returned function is called; it answers all that wait. */
  holdFinalDot(): () => void;
  /** How often this message was accepted for this recipient. */
  copies(messageId: string, recipient: string): number;
  /** Sent to every open connection, unasked. */
  say(bytes: string): void;
  /** Ends every open connection. */
  hangUp(): void;
  /** Resolves when `condition` holds; looks again whenever something happened. */
  until(condition: (peer: SmtpPeer) => boolean): Promise<void>;
  close(): Promise<void>;
}

export const peerTls = {
  key: readFileSync(new URL('./certs/key.pem', import.meta.url)),
  cert: readFileSync(new URL('./certs/cert.pem', import.meta.url)),
};

const defaults: PeerScript = {
  greeting: '220 peer.test ESMTP',
  extensions: ['PIPELINING', 'SIZE 10000000', '8BITMIME', 'SMTPUTF8', 'ENHANCEDSTATUSCODES'],
  extensionsUnderTls: null,
  answer: () => null,
  delayMs: 0,
  dropAfterContentBytes: null,
  refuseAfterContentBytes: null,
  closesIdleAfterMs: null,
  startTls: 'off',
  certificate: peerTls,
  implicitTls: false,
  auth: null,
};

/** Several scripts: one for each connection in turn, the last one for all that follow. */
export async function startSmtpPeer(
  script: Partial<PeerScript> | readonly Partial<PeerScript>[] = {},
  address: { readonly host?: string; readonly port?: number } = {},
): Promise<SmtpPeer> {
  const messages: ReceivedMessage[] = [];
  const seen: ReceivedMessage[] = [];
  const log: string[] = [];
  const sockets = new Set<Socket>();
  const sessions = new Set<PeerSession>();
  const watchers = new Set<() => void>();
  let scripts: readonly PeerScript[] = (Array.isArray(script) ? script : [script]).map((one) => ({
    ...defaults,
    ...one,
  }));
  let connections = 0;
  let held: Promise<void> | null = null;

  const sessionHost: SessionHost = {
    script: (connection) => scripts[Math.min(connection, scripts.length) - 1] ?? defaults,
    finalDotHeld: () => held,
    command: (line) => changed(() => log.push(line)),
    seen: (message) => changed(() => seen.push(message)),
    accepted: (message) => changed(() => messages.push(message)),
  };

  function changed(change: () => void): void {
    change();
    for (const watcher of watchers) watcher();
  }

  // Without noDelay each of several pipelined replies would wait 40 ms for the client's acknowledgement of the one before.
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    const session = new PeerSession(socket, ++connections, sessionHost);
    sessions.add(session);
    socket.on('error', () => {});
    socket.once('close', () => {
      sockets.delete(socket);
      sessions.delete(session);
      changed(() => log.push('<closed>'));
    });
    changed(() => log.push('<connected>'));
    session.start();
  });
  const { host = '127.0.0.1', port = 0 } = address;
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve));

  const peer: SmtpPeer = {
    port: portOf(server.address()),
    messages,
    seen,
    log,
    get connections() {
      return connections;
    },
    get openConnections() {
      return sockets.size;
    },
    setScript(change) {
      scripts = scripts.map((one) => ({ ...one, ...change }));
    },
    holdFinalDot() {
      const gate = Promise.withResolvers<void>();
      held = gate.promise;
      return () => {
        held = null;
        gate.resolve();
      };
    },
    copies(messageId, recipient) {
      return messages.filter((message) => message.messageId === messageId && message.recipients.includes(recipient))
        .length;
    },
    say(bytes) {
      for (const session of sessions) session.say(bytes);
    },
    hangUp() {
      for (const socket of sockets) socket.end();
    },
    until(condition) {
      return new Promise((resolve) => {
        const look = () => {
          if (!condition(peer)) return;
          watchers.delete(look);
          resolve();
        };
        watchers.add(look);
        look();
      });
    },
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
    [Symbol.asyncDispose]: () => peer.close(),
  };
  return peer;
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') throw new TypeError('not listening on a port');
  return address.port;
}
