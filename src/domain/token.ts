// API tokens: kind prefix, 32 base62 characters of randomness (190 bits), 6 of CRC-32 over all before them. The checksum
// lets a wrong character be refused without asking the database, and lets scanners tell a token from chance.
import { crc32 } from 'node:zlib';

export const tokenPrefixes = { serverLive: 'vrs_', serverSandbox: 'vrt_', account: 'vra_' } as const;
/** The secret of a person's session has the same form. */
export const SESSION_PREFIX = 'vru_';
export type TokenPrefix = (typeof tokenPrefixes)[keyof typeof tokenPrefixes] | typeof SESSION_PREFIX;

/** Published for secret scanners: docs/tokens.md. */
export const tokenPattern = /^vr[sta]_[0-9A-Za-z]{38}$/;

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const RANDOM_CHARACTERS = 32;

/** `random` gives that many strong bytes; bytes of 248 and more are thrown away, so that no character is likelier. */
export function makeToken(prefix: TokenPrefix, random: (length: number) => Uint8Array): string {
  let body: string = prefix;
  while (body.length < prefix.length + RANDOM_CHARACTERS) {
    for (const byte of random(RANDOM_CHARACTERS)) {
      if (byte < 248 && body.length < prefix.length + RANDOM_CHARACTERS) body += BASE62.charAt(byte % 62);
    }
  }
  return body + checksum(body);
}

const sessionPattern = /^vru_[0-9A-Za-z]{38}$/;

export function isWellFormedToken(text: string): boolean {
  return text.length === 42 && tokenPattern.test(text) && checksum(text.slice(0, 36)) === text.slice(36);
}

export function isWellFormedSession(text: string): boolean {
  return text.length === 42 && sessionPattern.test(text) && checksum(text.slice(0, 36)) === text.slice(36);
}

/** Anything like a token or session in it, with whatever follows without a break (another one, say), as its kind alone. */
export function redactTokens(text: string): string {
  return text.replace(/(vr[stau]_)[0-9A-Za-z_]{38,}|(whsec_)[0-9A-Za-z+/=]{30,}/g, '$1$2…');
}

/** What may be shown of a token for ever: its kind and last four characters. */
export function tokenHint(token: string): string {
  return `${token.slice(0, 4)}…${token.slice(-4)}`;
}

function checksum(text: string): string {
  let rest = crc32(text);
  let digits = '';
  for (let index = 0; index < 6; index++) {
    digits = BASE62.charAt(rest % 62) + digits;
    rest = Math.floor(rest / 62);
  }
  return digits;
}
