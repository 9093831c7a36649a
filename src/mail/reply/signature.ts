// The signature at the end of a text: below the line of RFC 3676 (`-- `), or the line that a program or a phone adds.
import type { Line } from './lines.ts';

/** RFC 3676 wants `-- `; programs write what they like. */
const DELIMITER = /^\s{0,3}(?:--|—|–|__|_{5,})\s{0,3}$/;
/** Longer than this it is text under a ruled line. */
const MAX_LINES = 12;
/** A ruled line also parts passages. */
const MAX_BELOW_RULE = 8;
const MAX_DEVICE_LINE = 120;

const DEVICE =
  /^[\s*_<(]{0,4}(?:sent (?:from|with|via|by|using)\s|(?:von|aus) (?:mein|unterwegs|outlook|yahoo|gmx|web\.de)|gesendet (?:von|mit|über)|diese nachricht wurde von mein|envoyé (?:de|depuis|avec|à partir)|provenance\s?:|télécharger outlook|enviad[oa] (?:desde|do|de|a partir|via|con)|inviato (?:da|con|dal)|verzonden (?:vanaf|met|via|vanuit)|verstuurd (?:vanaf|met)|sendt fra|skickat från|skickades från|lähetetty|wysłan[eoya]+ z|odesláno z|odoslané z|отправлено (?:с|из)|надіслано з|(?:iphone|ipad|android)\S{0,8} (?:cihazımdan|gönderildi|küldve)|küldve|trimis de pe|poslano (?:z|s|iz)|στάλθηκε από|get outlook for|outlook für|obtenez outlook|obtener outlook|scarica outlook|iphoneから送信|從我的|从我的|发自我的|傳送自我的|나의 \S{1,12}에서 보냄|dikirim dari|được gửi từ|נשלח מ|أرسلت من)/iu;

export interface Signature {
  /** Its first line. */
  readonly start: number;
}

/** Looks from the end upwards: what is no more than a few lines above it. */
export function findSignature(lines: readonly Line[]): Signature | null {
  let end = lines.length;
  while (end > 0 && lines[end - 1]?.blank === true) end--;
  const delimiter = delimiterAbove(lines, end);
  const start = deviceLine(lines, delimiter ?? end) ?? delimiter;
  return start === null ? null : { start };
}

/** The topmost delimiter that has no more than a signature below it. */
function delimiterAbove(lines: readonly Line[], end: number): number | null {
  let found: number | null = null;
  for (let at = end - 1, solid = 0; at > 0 && solid <= MAX_LINES; at--) {
    const line = lines[at] as Line;
    if (line.blank) continue;
    if (DELIMITER.test(line.text) && (solid <= MAX_BELOW_RULE || !/_/.test(line.text))) found = at;
    solid++;
  }
  return found;
}

/** `Sent from my iPhone`: a short line by itself, last of all, with text above it. */
function deviceLine(lines: readonly Line[], before: number): number | null {
  let at = before - 1;
  while (at > 0 && lines[at]?.blank === true) at--;
  for (let looked = 0; at > 0 && looked < 2; at--, looked++) {
    const line = lines[at] as Line;
    if (line.blank || line.text.length > MAX_DEVICE_LINE) return null;
    const alone = lines[at - 1]?.blank === true || looked > 0;
    if (DEVICE.test(line.text) && !isSentence(line.text))
      return alone || /^\s{0,3}sent from my\b/i.test(line.text) ? at : null;
  }
  return null;
}

/** "Sent from my desk, which is easier" is what somebody wrote; "Sent from my iPhone, please excuse typos" is not. */
function isSentence(text: string): boolean {
  if (/excuse|brevity|typo|pardon|forgive|https?:|www\./i.test(text)) return false;
  // Carriers name themselves and the model: `Sent via the Samsung Galaxy S23, an AT&T 5G smartphone`.
  if (/^[^.!?]{0,110}(?:smartphone|phone|tablet|device|handheld|gesendet)[\s.*_>]{0,4}$/i.test(text)) return false;
  return text.trim().split(/\s+/).length > 9 || /,\s/.test(text);
}
