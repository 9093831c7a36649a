// DKIM key records (RFC 6376 §3.6.1) as DNS gives them: read with the tolerance that verifiers have, and compared with the
// record that was asked for, in words for who published it.

export interface DkimRecord {
  readonly keyType: string;
  /** As p= has it, without white space; empty: the key is revoked. */
  readonly publicKey: string;
  /** h=; null: all. */
  readonly hashes: readonly string[] | null;
  readonly services: readonly string[];
  readonly flags: readonly string[];
}

export type ParsedDkimRecord =
  | { readonly ok: true; readonly record: DkimRecord }
  /** Completes a sentence that begins with "The record". */
  | { readonly ok: false; readonly reason: string };

const TAG = /^[a-z][a-z0-9_]*$/i;
const BASE64 = /^[a-z0-9+/]+={0,2}$/i;
const SPACE = /[ \t\r\n]+/g;

/** `strings`: the strings of one TXT record; a long one comes in several, which belong together without a gap (§3.6.2.2). */
export function parseDkimRecord(strings: string | readonly string[]): ParsedDkimRecord {
  const text = typeof strings === 'string' ? strings : strings.join('');
  if (/^\s*"/.test(text))
    return no('has quotation marks in its text: they belong to the form of some DNS editors only');
  if (text.includes('\\;'))
    return no('has backslashes before its semicolons: they belong to the form of zone files only');
  const tags = new Map<string, string>();
  for (const part of text.split(';')) {
    if (part.trim() === '') continue;
    const equals = part.indexOf('=');
    const name = part.slice(0, Math.max(equals, 0)).trim();
    if (!TAG.test(name)) return no('is not a list of tags like "k=rsa; p=…"');
    // §3.2: the whole list is invalid then.
    if (tags.has(name)) return no(`has the tag ${name}= twice`);
    tags.set(name, part.slice(equals + 1).trim());
  }
  const version = tags.get('v');
  if (version !== undefined && version !== 'DKIM1')
    return no(`says v=${version.split(/\s/, 1)[0]} where v=DKIM1 belongs`);
  const publicKey = tags.get('p')?.replace(SPACE, '');
  if (publicKey === undefined) return no('has no tag p=, which holds the key');
  if (publicKey !== '' && !BASE64.test(publicKey)) return no('has something in p= that is no base64');
  const hashes = tags.get('h');
  const record = {
    keyType: tags.get('k')?.toLowerCase() ?? 'rsa',
    publicKey,
    hashes: hashes === undefined ? null : listOf(hashes),
    services: listOf(tags.get('s') ?? '*'),
    flags: listOf(tags.get('t') ?? ''),
  };
  return { ok: true, record };
}

/** What is wrong with `found` in the place of `expected`, in words that follow "The record"; null: receivers accept the key. */
export function dkimRecordFlaw(found: string | readonly string[], expected: string): string | null {
  const parsed = parseDkimRecord(found);
  if (!parsed.ok) return parsed.reason;
  const wanted = parseDkimRecord(expected);
  if (!wanted.ok) throw new Error(`the expected DKIM record ${wanted.reason}`);
  const { keyType, publicKey, hashes, services } = parsed.record;
  if (publicKey === '') return 'says that the key is revoked: its p= is empty';
  if (keyType !== wanted.record.keyType) return `is for a key of the kind ${keyType}, not ${wanted.record.keyType}`;
  if (bare(publicKey) !== bare(wanted.record.publicKey)) {
    const cutOff = bare(wanted.record.publicKey).startsWith(bare(publicKey));
    return cutOff ? 'holds only the beginning of the key: it was cut off' : 'holds another key';
  }
  if (hashes !== null && !hashes.includes('sha256')) return 'allows no signatures with SHA-256 (its h=)';
  if (!services.includes('*') && !services.includes('email')) return 'is not for email (its s=)';
  return null;
}

/** The padding says nothing that the length does not. */
function bare(base64: string): string {
  return base64.replace(/=+$/, '');
}

function listOf(value: string): readonly string[] {
  return value
    .split(':')
    .map((item) => item.trim().toLowerCase())
    .filter((item) => item !== '');
}

function no(reason: string): ParsedDkimRecord {
  return { ok: false, reason };
}
