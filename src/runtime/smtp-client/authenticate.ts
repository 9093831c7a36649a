// AUTH (RFC 4954) with PLAIN (RFC 4616) or, for old servers, LOGIN. Secrets pass the transcript by.

import type { SmtpReply } from '../ports.ts';
import type { Channel } from './channel.ts';
import { type RawReply, toReply } from './reply-parser.ts';

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

/** Null when the peer let us in. */
export async function authenticate(
  channel: Channel,
  credentials: Credentials,
  mechanisms: string,
  ms: number,
): Promise<{ readonly reply: SmtpReply | null; readonly failure: string | null } | null> {
  const offered = mechanisms.toUpperCase().split(/\s+/);
  const mechanism = offered.includes('PLAIN') ? 'PLAIN' : offered.includes('LOGIN') ? 'LOGIN' : null;
  if (mechanism === null) return { reply: null, failure: 'the peer offers neither AUTH PLAIN nor AUTH LOGIN' };
  const { user, password } = credentials;
  // RFC 4616 §2: NUL separates the fields.
  if (`${user}${password}`.includes('\0')) return { reply: null, failure: 'NUL in the credentials' };
  const plain = encode(`\0${user}\0${password}`);
  channel.secrets = [plain, encode(password), password].filter((secret) => secret !== '');
  const raw =
    mechanism === 'PLAIN'
      ? await tell(channel, 'AUTH PLAIN ***', `AUTH PLAIN ${plain}`, ms)
      : await login(channel, user, password, ms);
  channel.secrets = [];
  if (raw === null) return { reply: null, failure: channel.failure };
  if (raw.code === 235) return null;
  return raw.code >= 400
    ? { reply: toReply(raw), failure: null }
    : { reply: null, failure: `unexpected reply ${raw.code} to AUTH` };
}

async function login(channel: Channel, user: string, password: string, ms: number): Promise<RawReply | null> {
  const start = await tell(channel, 'AUTH LOGIN', 'AUTH LOGIN', ms);
  if (start?.code !== 334) return start;
  const named = await tell(channel, '***', encode(user), ms);
  return named?.code === 334 ? tell(channel, '***', encode(password), ms) : named;
}

function tell(channel: Channel, shown: string, command: string, ms: number): Promise<RawReply | null> {
  channel.transcript?.client(shown);
  channel.commandUnseen(command);
  return channel.reply(ms);
}

function encode(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}

/** Where credentials may go in plain text. An unusual spelling of a loopback address counts as none: no harm in that. */
export function isLoopback(address: string): boolean {
  return /^(?:::ffff:)?127\./i.test(address) || address === '::1';
}
