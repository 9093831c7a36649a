// Public ids: a prefix that tells the kind, and the UUIDv7 as 26 characters of Crockford base32 (the TypeID form), so that
// a double click selects them, they sort by time, and the same string stands in API, log, webhook and SMTP header.

export const idPrefixes = {
  account: 'acc',
  user: 'usr',
  server: 'srv',
  stream: 'str',
  token: 'tok',
  domain: 'dom',
  signature: 'sig',
  suppression: 'sup',
  suppressionImport: 'imp',
  message: 'msg',
  event: 'evt',
  bounce: 'bnc',
  attempt: 'att',
  inboundMessage: 'inb',
  inboundRule: 'rul',
  audit: 'aud',
  webhook: 'whk',
  webhookDelivery: 'whd',
  session: 'ses',
  factor: 'tfa',
  invitation: 'inv',
  contact: 'ect',
  staffAccess: 'sta',
} as const;

export type IdKind = keyof typeof idPrefixes;

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const VALUES = new Map(Array.from(ALPHABET).map((character, value) => [character, value]));
const kindByPrefix = new Map<string, IdKind>();
for (const kind of Object.keys(idPrefixes)) if (isIdKind(kind)) kindByPrefix.set(idPrefixes[kind], kind);

function isIdKind(text: string): text is IdKind {
  return text in idPrefixes;
}

/** `uuid` in its canonical 36 characters. */
export function encodeId(kind: IdKind, uuid: string): string {
  const hex = uuid.replaceAll('-', '');
  // 26 characters hold 130 bits: two zero bits lead, then 5 bits a character.
  let encoded = '';
  let bits = 0;
  let pending = 2;
  for (let index = 0; index < 32; index++) {
    bits = (bits << 4) | Number.parseInt(hex.charAt(index), 16);
    pending += 4;
    while (pending >= 5) {
      pending -= 5;
      encoded += ALPHABET.charAt((bits >> pending) & 31);
    }
    bits &= (1 << pending) - 1;
  }
  return `${idPrefixes[kind]}_${encoded}`;
}

/** The kind and UUID, or null for anything that is not an id of ours. */
export function decodeId(id: string): { readonly kind: IdKind; readonly uuid: string } | null {
  if (id.length !== 30 || id.charAt(3) !== '_') return null;
  const kind = kindByPrefix.get(id.slice(0, 3));
  if (kind === undefined) return null;
  let hex = '';
  let bits = 0;
  let pending = -2;
  for (let index = 4; index < 30; index++) {
    const value = VALUES.get(id.charAt(index));
    if (value === undefined || (index === 4 && value > 7)) return null;
    bits = (bits << 5) | value;
    pending += 5;
    while (pending >= 4) {
      pending -= 4;
      hex += ((bits >> pending) & 15).toString(16);
    }
    bits &= (1 << Math.max(pending, 0)) - 1;
  }
  return { kind, uuid: formatUuid(hex) };
}

/** The UUID inside `id` when it is of `kind`, else null. */
export function decodeIdOf(kind: IdKind, id: string): string | null {
  const decoded = decodeId(id);
  return decoded?.kind === kind ? decoded.uuid : null;
}

export function formatUuid(hex: string): string {
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** An id may be drawn that much after its row's time: clocks of nodes differ and are set back. */
export const ID_SLACK_MS = 5 * 60_000;

/** The lowest UUIDv7 of a millisecond. */
export function firstIdAt(ms: number): string {
  const time = Math.min(Math.max(Math.trunc(ms), 0), 0xffff_ffff_ffff);
  return formatUuid(time.toString(16).padStart(12, '0').padEnd(32, '0'));
}
