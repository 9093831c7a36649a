// The SMTP client as its tests use it: short timeouts, one mail, a peer that answers one verb in its own way.
import type { SmtpConnectOptions, SmtpConnectResult, SmtpSession, SmtpTransaction } from '#/runtime/ports.ts';
import { createSmtpClient } from '#/runtime/smtp-client.ts';
import { FakeClock } from './fake-clock.ts';
import type { PeerAnswer, PeerScript } from './smtp-peer.ts';

// Stands still: what runs out here are real timers.
export const client = createSmtpClient({ clock: new FakeClock() });
export const short = { connect: 2_000, greeting: 2_000, command: 2_000, data: 2_000, finalDot: 2_000 };

export function dial(
  peer: { readonly port: number },
  options: Partial<SmtpConnectOptions> = {},
): Promise<SmtpConnectResult> {
  const target = { host: 'mail.example.test', address: '127.0.0.1', port: peer.port };
  return client.connect(target, {
    heloName: 'us.example',
    tls: 'none',
    verifyCertificate: false,
    timeouts: short,
    ...options,
  });
}

export async function open(
  peer: { readonly port: number },
  options: Partial<SmtpConnectOptions> = {},
): Promise<SmtpSession> {
  const result = await dial(peer, options);
  if (!result.ok) throw new Error(`no session: ${result.phase} ${result.failure ?? result.reply?.text}`);
  return result.session;
}

export function mail(change: Partial<SmtpTransaction> & { readonly text?: string } = {}): SmtpTransaction {
  const content = Buffer.from(change.text ?? 'Message-ID: <1@us.example>\r\nSubject: Hi\r\n\r\nHello\r\n', 'latin1');
  return {
    reversePath: 'from@us.example',
    recipients: ['to@them.example'],
    size: content.length,
    eightBit: false,
    smtpUtf8: false,
    content: [content],
    beforeFinalDot: async () => {},
    ...change,
  };
}

export function at(verb: string, answer: PeerAnswer): Partial<PeerScript> {
  return { answer: (command) => (command.verb === verb ? answer : null) };
}

export const plain = ['SIZE 10000000', '8BITMIME'];
