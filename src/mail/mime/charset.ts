// Octets to text, for the names of charsets that mail uses. What Node's decoder lacks is added here: UTF-7, the stateful
// Korean and Chinese encodings, three code pages of DOS, and names that no standard has.
import { asBuffer } from './line-ends.ts';

/** Names that TextDecoder does not know, or reads as something else than mail means. */
const aliases: Readonly<Record<string, string>> = {
  cp932: 'shift_jis',
  ms932: 'shift_jis',
  'windows-932': 'shift_jis',
  'shift-jis': 'shift_jis',
  sjis: 'shift_jis',
  cp936: 'gb18030',
  ms936: 'gb18030',
  'windows-936': 'gb18030',
  gb2312: 'gb18030',
  gbk: 'gb18030',
  'x-gbk': 'gb18030',
  cp949: 'euc-kr',
  ms949: 'euc-kr',
  uhc: 'euc-kr',
  ks_c_5601: 'euc-kr',
  ksc5601: 'euc-kr',
  cp950: 'big5',
  ms950: 'big5',
  'iso-2022-jp-1': 'iso-2022-jp',
  'iso-2022-jp-2': 'iso-2022-jp',
  'iso-2022-jp-3': 'iso-2022-jp',
  'iso-2022-jp-ms': 'iso-2022-jp',
  cp50220: 'iso-2022-jp',
  cp50221: 'iso-2022-jp',
  utf8mb4: 'utf-8',
  'unicode-1-1-utf-8': 'utf-8',
  utf: 'utf-8',
  'utf-8-sig': 'utf-8',
  'iso-10646-ucs-2': 'utf-16be',
  'ucs-2': 'utf-16be',
  macroman: 'macintosh',
  ansi: 'windows-1252',
  latin: 'windows-1252',
  '8bit': 'windows-1252',
  ascii: 'us-ascii',
  ibm437: 'cp437',
  ibm850: 'cp850',
  ibm852: 'cp852',
  'unicode-1-1-utf-7': 'utf-7',
  csunicode11utf7: 'utf-7',
};

const CP437 =
  'ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0';
const CP852 =
  'ÇüéâäůćçłëŐőîŹÄĆÉĹĺôöĽľŚśÖÜŤťŁ×čáíóúĄąŽžĘę¬źČş«»░▒▓│┤ÁÂĚŞ╣║╗╝Żż┐└┴┬├─┼Ăă╚╔╩╦╠═╬¤đĐĎËďŇÍÎě┘┌█▄ŢŮ▀ÓßÔŃńňŠšŔÚŕŰýÝţ´\u00ad˝˛ˇ˘§÷¸°¨˙űŘř■\u00a0';
const CP850 =
  'ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø×ƒáíóúñÑªº¿®¬½¼¡«»░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐└┴┬├─┼ãÃ╚╔╩╦╠═╬¤ðÐÊËÈıÍÎÏ┘┌█▄¦Ì▀ÓßÔÒõÕµþÞÚÛÙýÝ¯´\u00ad±‗¾¶§÷¸°¨·¹³²■\u00a0';

type Decode = (bytes: Uint8Array) => string;

const own: Readonly<Record<string, Decode>> = {
  'utf-7': decodeUtf7,
  'iso-2022-jp': decodeIso2022Jp,
  'iso-2022-kr': (bytes) => shifted(bytes, 'euc-kr'),
  'hz-gb-2312': (bytes) => decodeHz(bytes),
  cp437: (bytes) => byTable(bytes, CP437),
  cp852: (bytes) => byTable(bytes, CP852),
  cp850: (bytes) => byTable(bytes, CP850),
};

/** Made once a charset; their number is bounded by the names above and those of the Encoding Standard. */
const decoders = new Map<string, Decode | null>();
const MAX_LABEL = 40;

const utf8: Decode = (bytes) => asBuffer(bytes).toString('utf8');
const strictUtf8 = new TextDecoder('utf-8', { fatal: true });

/** Null for a charset that is unknown. */
function decoderOf(label: string): Decode | null {
  const plain = label
    .trim()
    .toLowerCase()
    .replace(/^["']+|["']+$/g, '');
  if (plain.length > MAX_LABEL) return null;
  const known = decoders.get(plain);
  if (known !== undefined) return known;
  const found = findDecoder(plain);
  // Names that are unknown are not kept: there is no end of them.
  if (found !== null) decoders.set(plain, found);
  return found;
}

function findDecoder(plain: string): Decode | null {
  const spelled = plain.replace(/^x-(?=utf|iso|windows|cp)/, '').replace(/^iso(\d{4})/, 'iso-$1');
  for (const name of [plain, spelled, spelled.replaceAll('_', '-'), spelled.replace(/^cp-?(?=125\d$)/, 'windows-')]) {
    const label = aliases[name] ?? name;
    const decode = own[label];
    if (decode !== undefined) return decode;
    if (label === 'utf-8' || label === 'utf8') return utf8;
    try {
      const decoder = new TextDecoder(label);
      return decoder.encoding === 'utf-8' ? utf8 : (bytes) => decoder.decode(bytes);
    } catch {
      continue;
    }
  }
  return null;
}

export function isCharset(label: string): boolean {
  return decoderOf(label) !== null;
}

/**
 * Never fails: octets that mean nothing become U+FFFD. Without a charset, and with one that nobody knows, UTF-8 is tried
 * and then windows-1252, which means something for every octet. US-ASCII with octets past it is no ASCII, and treated so.
 */
export function decodeText(bytes: Uint8Array, charset: string | null): string {
  const label = charset?.trim().toLowerCase() ?? '';
  const decode = label === '' || label === 'us-ascii' || label === 'ascii' ? null : decoderOf(label);
  const text = decode === null ? guess(bytes) : decode(bytes);
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
}

function guess(bytes: Uint8Array): string {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return (decoderOf('windows-1252') ?? utf8)(bytes);
  }
}

function byTable(bytes: Uint8Array, table: string): string {
  return asBuffer(bytes)
    .toString('latin1')
    .replace(/[\x80-\xff]/g, (char) => table.charAt(char.charCodeAt(0) - 0x80));
}

/** Two escapes in a row are an error to the Encoding Standard, and what words of a header make when they are joined. */
function decodeIso2022Jp(bytes: Uint8Array): string {
  const text = asBuffer(bytes)
    .toString('latin1')
    .replace(/(?:\x1b[($][@BJI])+(?=\x1b[($][@BJI])/g, '');
  return new TextDecoder('iso-2022-jp').decode(Buffer.from(text, 'latin1'));
}

/** RFC 1557: between SO and SI two octets a character, without their eighth bit. */
function shifted(bytes: Uint8Array, base: string): string {
  const out = Buffer.alloc(bytes.length);
  let length = 0;
  let high = 0;
  for (const byte of bytes) {
    if (byte === 0x0e) high = 0x80;
    else if (byte === 0x0f) high = 0;
    else {
      if (byte === 0x0a) high = 0;
      out[length++] = byte > 0x20 ? byte | high : byte;
    }
  }
  // The announcement of the charset at the start of the text.
  const text = new TextDecoder(base).decode(out.subarray(0, length));
  return text.replaceAll('\x1b$)C', '');
}

/** RFC 1843: `~{` and `~}` switch, `~~` is a tilde, `~` before a line end is nothing. */
function decodeHz(bytes: Uint8Array): string {
  const out = Buffer.alloc(bytes.length);
  let length = 0;
  let high = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (byte === 0x7e) {
      const next = bytes[at + 1];
      if (next === 0x7b) high = 0x80;
      else if (next === 0x7d) high = 0;
      else if (next === 0x7e) out[length++] = 0x7e;
      else if (next !== 0x0a) {
        out[length++] = byte;
        continue;
      }
      at++;
    } else {
      if (byte === 0x0a) high = 0;
      out[length++] = byte > 0x20 ? byte | high : byte;
    }
  }
  return new TextDecoder('gb18030').decode(out.subarray(0, length));
}

const BASE64 = new Int8Array(256).fill(-1);
const BASE64_DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
for (let value = 0; value < 64; value++) BASE64[BASE64_DIGITS.charCodeAt(value)] = value;

/** RFC 2152: from `+` to whatever is no base64, two octets a character; `+-` is a plus. */
function decodeUtf7(bytes: Uint8Array): string {
  const out = Buffer.alloc(bytes.length * 2);
  let length = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (byte !== 0x2b) {
      length = out.writeUInt16LE(byte, length);
      continue;
    }
    let bits = 0;
    let held = 0;
    const start = ++at;
    for (; at < bytes.length; at++) {
      const value = BASE64[bytes[at] as number] as number;
      if (value < 0) break;
      bits = ((bits << 6) | value) & 0x3f_ffff;
      held += 6;
      if (held >= 16) {
        held -= 16;
        length = out.writeUInt16LE((bits >> held) & 0xffff, length);
      }
    }
    if (at === start) length = out.writeUInt16LE(0x2b, length);
    // The hyphen belongs to it; anything else is text.
    if (bytes[at] !== 0x2d) at--;
  }
  return out.toString('utf16le', 0, length);
}
