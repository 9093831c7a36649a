// The words by which mail programs of many languages announce a quotation.

/** One text for many words: a list of a line each would be as long as the rest of the room. */
function list(words: string): readonly string[] {
  return words.split('|');
}

/** "wrote", as programs say it; most with what may follow it. Compared in lower case. */
const WROTE = list(
  'wrote|writes|has written|said|sent|schrieb|schrieben|geschrieben|hat geschrieben|schreibt|' +
    'a écrit|a ecrit|écrit|écrivait|escriu|va escriure|ha escrit|escribió|escribio|ha escrito|escribe|' +
    'escribía|escreveu|escribiu|escrito por|scribeva|ha scritto|scritto|scrisse|scrive|a scris|' +
    'schreef|geschreven|schrijft|het volgende geschreven|skryf|het geskryf|skrev|skrifaði|skriver|' +
    'kirjoitti|kirjutas|rakstīja|rašė|parašė|napisał|napisała|napisał(a)|napisali|pisze|napsal|' +
    'napsala|napsal(a)|napísal|napísala|napísal(a)|napisao|napisala|napisao/la|piše|je pisal|' +
    'je pisala|je napisal|je napisala|писал|писала|писал(а)|писали|написали|написал|написала|написал(а)|пишет|пише|' +
    'написав|написала|написав(ла)|написао|написа|напісаў|напісала|írta|ezt írta|a következőt írta|' +
    'yazdı|şunu yazdı|şunları yazdı|yazmış|έγραψε|shkroi|menulis|đã viết|viết|ditulis|sumulat|' +
    'idatzi du|aliandika|kirjoittaa|yazıb',
);

/** The same where words are not set apart by blanks, or are written from the right. */
const WROTE_ANYWHERE = list(
  '写道|寫道|写到|来信|書きました|書き込み|のメッセージ|のメール|작성|님이 쓴|เขียน|כתב|כתבה|כתב/ה|كتب|كتبت|نوشت|نوشته|ने लिखा|' +
    'লিখেছেন|எழுதியது',
);

/** How such a line begins where it begins with a word. */
export const OPENINGS =
  'on|at|in|am|den|le|el|em|il|op|w dniu|dnia|dne|dňa|på|pada|în data|la data|il giorno|il|a|fecha|data|ngày|vào|tarihinde|στις|в|у|о|em|dia|den|kl|um|ke|dana|ve|kuu|2\\d{3}';

/** Horde and its like put the word first: `Quoting Anna <a@b.example>:`. */
export const QUOTING =
  /^[\s*"'-]{0,4}(?:quoting|zitat von|citando(?: a)?|citation de|citaat van|citat från|citerer|cytat|citace|цитирую|цитата|alıntı) .{1,200}[:：]\s*$/iu;

export type Label = 'from' | 'date' | 'to' | 'cc' | 'subject';

/** The header of the quoted mail, as Outlook and others write it out. Lower case. */
const LABELS: Readonly<Record<Label, readonly string[]>> = {
  from: list(
    'from|von|absender|de|expéditeur|da|mittente|van|afzender|fra|från|avsändare|avsender|afsender|od|' +
      'nadawca|odesílatel|odosielateľ|lähettäjä|от|от кого|отправитель|від|від кого|feladó|gönderen|' +
      'kimden|remitente|remetente|από|expeditor|de la|pošiljatelj|šalje|saatja|kellelt|nuo|siuntėjas|no|' +
      'sūtītājs|frá|dari|từ|người gửi|差出人|送信者|发件人|寄件者|寄件人|發件人|보낸 사람|보낸사람|발신|จาก|מאת|من|از|reply-to|name',
  ),
  date: list(
    'sent|date|sent at|sent on|gesendet|datum|gesendet am|envoyé|envoyé le|le|enviado|enviado el|' +
      'enviada em|enviado em|enviada|fecha|data|inviato|data invio|verzonden|verzonden op|sendt|dato|' +
      'skickat|wysłano|wysłane|data wysłania|odesláno|odoslané|dátum|päivämäärä|lähetetty|дата|' +
      'отправлено|надіслано|elküldve|gönderildi|tarih|gönderilme tarihi|ημερομηνία|στάλθηκε|trimis|dată|' +
      'poslano|saadetud|kuupäev|išsiųsta|nosūtīts|sent date|tanggal|dikirim|ngày|đã gửi|送信日時|日時|日付|发送时间|' +
      '发送日期|日期|时间|寄件日期|傳送時間|보낸 날짜|날짜|일시|วันที่|תאריך|נשלח|التاريخ|تاريخ',
  ),
  to: list(
    'to|an|empfänger|à|a|destinataire|para|per|aan|til|till|do|dla|komu|vastaanottaja|кому|címzett|' +
      'kime|alıcı|προς|către|za|prima|kellele|kam|kepada|tới|đến|宛先|收件人|收件者|받는 사람|받는사람|ถึง|אל|إلى|' +
      'destinatario|adresat',
  ),
  cc: list(
    'cc|kopie|copie|copia|kopia|kopio|копия|копія|másolatot kap|bilgi|kopi|дк|dw|kopija|抄送|副本|참조|c.c|' + 'co|cc:',
  ),
  subject: list(
    'subject|re|betreff|betr|objet|sujet|asunto|assunto|oggetto|onderwerp|emne|ämne|temat|předmět|' +
      'predmet|vec|aihe|тема|tárgy|konu|θέμα|subiect|zadeva|naslov|teema|tema|temats|efni|perihal|' +
      'subjek|chủ đề|件名|主题|主旨|主題|제목|เรื่อง|נושא|الموضوع|موضوع|assumpte',
  ),
};

/** In the line of hyphens between the reply and the mail that it answers. */
export const ORIGINAL =
  /original|ursprüng|origin|oprindelig|ursprunglig|opprinnelig|oorspronkelijk|původní|pôvodn|oryginaln|исходн|оригинал|пересл|оригінал|eredeti|orijinal|özgün|alkuperäi|прв|reply (?:above|message)|antwort|πρωτότυπ|αρχικό|元の|原始|原文|原邮件|원본|أصلية|המקורית|reply to|izvorn|algne|asli|quoted|zitat/i;

export const FORWARDED =
  /forward|weitergeleitet|fwd|transféré|reenviado|encaminhad|inoltrat|doorgestuurd|videresendt|vidarebefordra|przekazan|přeposlan|preposlan|пересыл|переслан|továbbított|iletilen|転送|转发|轉寄|전달/i;

const escape = (word: string) => word.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
const byLength = (words: readonly string[]) =>
  [...new Set(words)]
    .sort((a, b) => b.length - a.length)
    .map(escape)
    .join('|');

/** Not inside of a word; `\b` knows only ASCII. */
const VERB = `(?:(?<![\\p{L}\\p{N}])(?:${byLength(WROTE)})(?![\\p{L}\\p{N}])|${byLength(WROTE_ANYWHERE)})`;

export const HAS_VERB = new RegExp(VERB, 'iu');
/** At the end, with what little may stand behind it: a name in some languages (`schreef Anna`), a colon, hyphens. */
export const ENDS_WITH_VERB = new RegExp(`${VERB}\\s*(?:\\([^)]{0,20}\\))?\\s*[:：]?\\s*-{0,10}$`, 'iu');

const labelOfWord = new Map<string, Label>();
for (const label of ['subject', 'cc', 'to', 'date', 'from'] as const) {
  for (const word of LABELS[label]) labelOfWord.set(word, label);
}

/** `*From:* x`, `From: x`, `De : x`, `发件人：x`; null for anything else. */
export function labelOf(line: string): { readonly label: Label | null; readonly value: string } | null {
  const head = line.slice(0, 80);
  const match = /^[\s*_>|]{0,10}([\p{L}][\p{L}\p{M} '.-]{0,30}?)[\s*_]{0,4}[:：]/u.exec(head);
  if (match === null) return null;
  const word = (match[1] ?? '').trim().toLowerCase();
  return { label: labelOfWord.get(word) ?? null, value: line.slice(match[0].length).replace(/^[\s*_]+/, '') };
}
