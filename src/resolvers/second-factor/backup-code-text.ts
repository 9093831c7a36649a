// Backup codes as people read and type them: 16 characters of Crockford's base32 (80 bits) in groups of four. Case, dashes
// and blanks do not matter, and neither does whether 0 or O, 1 or l was read.
import { createHash } from 'node:crypto';
import { BACKUP_CODES } from '#/domain/identity/rules.ts';
import type { Random } from '#/runtime/ports.ts';

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const CHARACTERS = 16;
const TYPED = /^[0-9a-hjkmnp-tv-z]{16}$/;
/** More than any way to write a code. */
const MAX_TYPED = 100;

export interface BackupCodeSet {
  /** Shown this once. */
  readonly codes: readonly string[];
  readonly hashes: readonly Buffer[];
}

export function makeBackupCodes(random: Random): BackupCodeSet {
  const bare = Array.from({ length: BACKUP_CODES }, () =>
    // 256 is a multiple of 32: no character is likelier.
    Array.from(random.bytes(CHARACTERS), (byte) => ALPHABET.charAt(byte % ALPHABET.length)).join(''),
  );
  return { codes: bare.map((code) => code.replace(/(.{4})(?=.)/g, '$1-')), hashes: bare.map(hash) };
}

/** Null for what cannot be a code. */
export function backupCodeHashOf(typed: string): Buffer | null {
  if (typed.length > MAX_TYPED) return null;
  const code = typed
    .toLowerCase()
    .replace(/[\s\-–—]/g, '')
    .replaceAll('o', '0')
    .replace(/[il]/g, '1');
  return TYPED.test(code) ? hash(code) : null;
}

function hash(code: string): Buffer {
  return createHash('sha256').update(`backup code\0${code}`).digest();
}
