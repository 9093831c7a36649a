// What tells reports, answers and requests from the mail of people: fields first, then the words of subject and notice.
import { addressIn, isDaemon } from './addresses.ts';
import { type Field, valueOf } from './fields.ts';
import { decodeWords } from './text.ts';

export interface Envelope {
  readonly from: string;
  readonly fromAddress: string | null;
  readonly to: string | null;
  readonly subject: string;
  readonly fields: readonly Field[];
}

export function envelopeOf(fields: readonly Field[]): Envelope {
  const from = decodeWords(valueOf(fields, 'from')).slice(0, 500);
  return {
    from,
    fromAddress: addressIn(from),
    to: addressIn(valueOf(fields, 'to')),
    subject: decodeWords(valueOf(fields, 'subject'))
      .replace(/\s{1,50}/g, ' ')
      .slice(0, 500),
    fields,
  };
}

const DAEMON_NAME =
  /mail(?:er)?[ -]?daemon|mail(?:ing)? ?deliver(?:y|er)? ?(?:sub-?)?(?:system|service)|delivery (?:subsystem|system|status|notification)|system administrator|^"?postmaster\b|mail(?:er)? (?:system|administrator|administration)|mail ?server|returned mail|non-?delivery|undeliver|\bmta\b|internet mail (?:delivery|gateway)|message transfer|(?:e-?mail|spam|content)[ -]?(?:gateway|firewall|security|filter)/i;

export function isFromDaemon({ from, fromAddress, fields }: Envelope): boolean {
  if (DAEMON_NAME.test(from)) return true;
  if (fromAddress !== null && isDaemon(fromAddress) && !/^(?:no-?reply|abuse)@/i.test(fromAddress)) return true;
  return (
    /^<?(?:mailer-daemon|)>?$/i.test(valueOf(fields, 'return-path')) &&
    fields.some(({ name }) => name === 'return-path')
  );
}

/** Subjects of reports: whole phrases, where a sender puts them; in the languages of big senders. */
const REPORT_SUBJECT =
  /undeliver|(?:non|un)-?deliver|not deliver|(?:delivery|transmission|send|sending|message|mail|e-?mail) (?:status|fail|error|problem|report|notification|has failed|could not|not deliver|undeliver|return|delay|incomplete|bounce|non|reject|subsystem|system)|(?:fail\w{0,15}|error|problem|unable|notice|warning|cannot|could not|couldn't|refus\w{1,25}|reject\w{0,15})\b.{0,25}\b(?:deliver|delivery|message|mail|send|transmi)|return(?:ed|ing) (?:mail|message|e-?mail|to sender)|failure notice|\bbounced?\b|non remis|non d.livr|nicht zugestellt|unzustellbar|zustell(?:ung|bar|fehl)|no entregad|no se (?:pudo|ha podido)|n.o (?:foi )?entregue|falha|devuelto|devolvid|retourn|mancata consegna|mancato recapito|non recapitat|配信|配送|エラー|送信|不達|退信|无法投递|недоставлен|не доставлен|niedostarcz|nondeliver|user unknown|mailbox (?:full|unavailable)|mail system error|delayed|message not accepted|ndn:|\bdsn\b|quota|nooit aangekomen|returned|unsolicited bulk|apparently from you|\bvirus\b.{0,40}\bmail\b|banned (?:content|file)|message (?:you sent )?blocked|[ée]chec (?:de|d')|non (?:consegnat|recapit)|no entregable|niet (?:afgeleverd|bezorgd)|onbestelbaar|olevere|inte levere|uleverbar|ikke lever|ei voitu toimittaa|toimitus ep|zwrot|zwr[oó]con|niedor[eę]cz|nedoru[cč]|nelze doru|k[eé]zbes[ií]thet|nelivrat|доставк|не удалось доставить|недоставк|iletilemedi|teslim edileme|반송|전송.{0,3}(?:실패|되지)|배달.{0,6}(?:실패|되지|못)|未送达|未送達|无法送达|無法(?:送達|傳遞|遞送)|gửi không thành công|tidak terkirim/i;

export function hasReportSubject({ subject }: Envelope): boolean {
  return REPORT_SUBJECT.test(subject);
}

/** What notices say in their first lines. Loose, since it only counts together with another sign. */
const REPORT_WORDS =
  /(?:unknown|invalid|no such|non-?existent) (?:\w{1,25} )?(?:user|recipient|mailbox|address|account)|error message|(?:(?:could|can|was|were|has|have|did|is|are)(?: ?not|n't)|unable to|failed to|cannot|wasn't able to|error|problem) (?:\w{1,25} ){0,3}?(?:deliver|send|sent|reach|transmit|relay|be deliver|been deliver|be sent|be reach|process)|deliver\w{0,15} (?:to|of|for)\b.{0,80}(?:fail|delay|error|unsuccess|not)|(?:delivery|message|mail|e-?mail)\b.{0,40}(?:fail|undeliver|reject|refus|return|bounc|not (?:be )?deliver|delay|error|discard)|following (?:address|recipient|error|user|destination)|delivery (?:status|fail|error|report)|permanent (?:fatal )?error|(?:user|mailbox|recipient|address|account)\b.{0,40}(?:unknown|full|not found|not exist|n't exist|disabled|invalid|unavailable|quota)|undeliver|returned (?:to|mail)|transcript of session|konnte nicht|nicht zugestellt|n'a (?:pas )?pu|pas pu .tre|non remis|no (?:pudo|se pudo|ha podido|puede)|n.o (?:pode|foi|p.de)|(?:non )?(?:è stato|.{1,3} stato) possibile|送信できません|届けできません|配信できません|エラー|见|退回|无法|не (?:может|было) быть доставлен|не удалось|не доставлен|(?:was|were|been) (?:blocked|considered|discarded|quarantined)|nie (?:mo[zż]e|mog[lł]|zosta[lł]).{0,30}dor[eę]cz|niet (?:worden )?(?:afgeleverd|bezorgd)|kunde inte|kunne ikke|nepoda[rř]ilo|nelze doru|nem siker[uü]lt|iletileme|teslim edileme|전송되지|배달되지|無法|未能/i;

export function hasReportWords(notice: string): boolean {
  return REPORT_WORDS.test(notice.slice(0, 4_000));
}

const ANSWER_SUBJECT =
  /^(?:\W{0,3}(?:auto(?:matic(?:ally)?|mated)?[ -]?(?:reply|response|respon[sd]er|answer|generated|re)?\W|autoreply|autorespon)|out[ -]of[ -](?:the )?office|oof\b|ooo\b|(?:\w{1,25} ){0,3}vacation\b|away from|on (?:holiday|leave|vacation)|(?:re: ?)?(?:automatic|automated|auto)[ -]?(?:reply|response|answer)|abwesen|automatische (?:antwort|abwesenheit)|r.ponse automatique|absence|absent|respuesta autom|fuera de (?:la )?oficina|resposta autom|risposta automatica|fuori (?:sede|ufficio)|automatisch antwoord|afwezig|autosvar|automatiskt svar|frånvaro|odpowied. automatyczna|automatyczna odpowied|autoodpowied|automatick|automatikus v|r.spuns automat|automaattinen|automatisk (?:svar|fra)|fra kontoret|poissa|nieobecn|otomatik|balasan otomatis|tr. l.i t. đ.ng|автоматич\S{1,6} (?:ответ|відпов|отговор)|автоответ|автовідпов|отсутств|αυτόματη|תשובה אוטומטית|رد تلقائي|ตอบกลับอัตโนมัติ|自動(?:返信|応答|回覆|答覆)|自动(?:回复|答复)|外出|休假|자동 ?(?:회신|응답|답장)|부재중|不在)/i;
const ANSWER_ANYWHERE =
  /\bauto[ -]?(?:reply|respon(?:se|der))\b|automatic (?:reply|response)|out of (?:the )?office|on (?:annual |maternity |paternity )?(?:vacation|holiday|leave)\b|vacation (?:reply|response|message|notice)|away (?:from (?:my|the) (?:mail|office|desk|computer)|message|notice)|is away|has left the company/i;
const ANSWER_WORDS =
  /out of (?:the |my )?office|on (?:annual |maternity |paternity )?(?:vacation|holiday|leave)\b|away from (?:my|the) (?:mail|e-?mail|office|desk)|auto(?:matic(?:ally)?|mated)?[ -]?(?:generated )?(?:reply|response|respon[sd]er|answer)|i (?:am|will be) (?:currently )?(?:away|out|absent|unavailable|travel)|until i (?:return|get back|am back)|when i (?:return|get back|am back)|limited access to (?:my )?e-?mail|bin (?:ich )?(?:derzeit |zur zeit )?(?:nicht|abwesend|im urlaub)|thank you for (?:your (?:e-?mail|message|inquiry|enquiry)|contacting)|we (?:have )?received your (?:e-?mail|message|request|inquiry)|absent|vacaciones|en cong|自動返信|no longer (?:work|employ|with)/i;

/** An answer that says itself what it is. */
const ANSWER_ITSELF =
  /this is an? (?:auto-?respon\w{1,25}|auto(?:matic(?:ally)?|mated)?[ -]?(?:generated )?(?:reply|response|answer|message)|autoreply)|(?:dies|dieses) ist eine automatisch|ceci est (?:une r.ponse|un message) automatique|este es un mensaje autom|esta . uma (?:resposta|mensagem) autom/i;

/** RFC 3834 and what came before it. */
export function isMarkedAutomatic({ fields, subject }: Envelope): boolean {
  const submitted = valueOf(fields, 'auto-submitted').toLowerCase();
  if (submitted.startsWith('auto-replied') || submitted.includes('vacation')) return true;
  if (/auto[_-]?reply|vacation/i.test(valueOf(fields, 'precedence'))) return true;
  const marks = [
    'x-autoreply',
    'x-autorespond',
    'x-autoresponder',
    'x-auto-reply',
    'x-autogenerated',
    'x-mail-autoreply',
    'x-vacation',
    'x-autoreply-from',
    'x-precedence',
    'x-autorespond-to',
  ];
  return (
    fields.some(({ name, value }) => marks.includes(name) && !/^(?:no|mirror|bulk|list|junk)$/i.test(value)) ||
    ANSWER_SUBJECT.test(subject)
  );
}

export function isAnswer(envelope: Envelope, text: string): boolean {
  if (ANSWER_SUBJECT.test(envelope.subject)) return true;
  const words = ANSWER_WORDS.test(text.slice(0, 4_000));
  if (isMarkedAutomatic(envelope) || ANSWER_ITSELF.test(text.slice(0, 2_000))) return true;
  return (
    ANSWER_ANYWHERE.test(envelope.subject) && (words || /^(?:re|aw|antw|sv|rép|res|r)\s?:/i.test(envelope.subject))
  );
}

const CHALLENGE_SUBJECT =
  /(?:please |action required.{0,20})?(?:confirm|verify|authenticate|validate) (?:your|that|this|the|my) (?:message|e-?mail|mail|identity|address|delivery|sender|request)|(?:sender|e-?mail|message|mail|delivery|human) (?:verification|confirmation|authentication|challenge)|verification (?:required|request|needed|of)|confirm\w{0,15} (?:required|requested|needed|to deliver|request)|challenge|\[?(?:spam ?arrest|boxbe|bluebottle|tmda|spamblocker|anti-?spam|qconfirm|knowspam|mailblocks|vanquish|choicemail|uol)\b|verifying|your (?:message|e-?mail|mail) (?:to .{1,80} )?(?:is |has been )?(?:awaiting|waiting|requires|pending|held|quarantin)|whitelist|approve/i;
const CHALLENGE_WORDS =
  /(?:confirm|verif|prove|approv|authenticat|validat|release|whitelist|allow)\w{0,15}\b.{0,160}(?:deliver|human|person|real|legitimate|not spam|spam|click|link|reply|sender|guest list|whitelist|inbox|once|time|https?:)|spam ?arrest|boxbe|bluebottle|\btmda\b|spamblocker|challenge[/ -]response|(?:click|reply|follow|visit).{0,120}(?:so that|in order|to (?:have|get|let|allow|confirm|verify|release|complete|deliver)|your (?:message|e-?mail|mail))/i;
const CHALLENGE_STRONG =
  /(?:challenge[/ -]response|spam ?arrest|boxbe|bluebottle|\btmda\b|spamblocker|qconfirm|knowspam|mailblocks|vanquish|choicemail|uol ?antispam)|(?:has not (?:yet )?been delivered|will (?:not )?be delivered|(?:is|are) (?:being )?held|waiting|hold).{0,200}(?:confirm|verif|click|repl(?:y|ies|ying)|prove|human)|(?:confirm|verify|verif\w{1,25}|prove) (?:that )?(?:you are|you're|the sender|yourself|this (?:message|e-?mail|mail) (?:was|is|came))|(?:only|one)[- ]time (?:confirmation|verification|process|request|step)|add(?:ed)? (?:you |me )?to (?:the|my|our|his|her) (?:\w{1,25} )?(?:guest|white|allowed|approved|safe|buddy|friends?) ?-?list/i;

export function isChallenge({ subject }: Envelope, text: string): boolean {
  const start = text.slice(0, 4_000).replace(/\s{1,50}/g, ' ');
  if (CHALLENGE_ALONE.test(start)) return true;
  return CHALLENGE_STRONG.test(start)
    ? CHALLENGE_SUBJECT.test(subject) || CHALLENGE_WORDS.test(start)
    : CHALLENGE_SUBJECT.test(subject) && CHALLENGE_WORDS.test(start);
}

/** Phrases of such services, which nobody else writes. */
const CHALLENGE_ALONE =
  /(?:control|reduce|stop|avoid|fight|eliminate) (?:\w{1,25} )?(?:spam|junk)\b.{0,120}(?:allow|accept|approv|receive|only)\w{0,15}.{0,80}(?:senders?|approved|click|link)|(?:add|put) yourself to (?:my|the|his|her|our) .{0,20}list|(?:list of )?(?:approved|allowed|trusted) senders.{0,200}(?:link|click|form|request|reply)|requires? permission\b.{0,120}(?:send|click|request)|request permission to (?:send|e-?mail)|tira-teima|(?:just this once|only have to do this once|one-time (?:request|process)).{0,120}(?:click|link|repl|receive)|sua mensagem (?:seja|ser.) (?:encaminhada|entregue).{0,80}(?:clique|confirm)|(?:click|reply|respond).{0,60}to prove (?:that )?you/i;

/** Requests by mail, as List-Unsubscribe's mailto brings them. */
export function requestIn({ subject }: Envelope, text: string): 'unsubscribe' | 'subscribe' | null {
  const words = `${subject}\n${text.slice(0, 300)}`.trim().toLowerCase();
  const first =
    /^(?:re: ?)?\W{0,3}(unsubscribe|subscribe|opt-?out|remove(?: me)?|abmelden|austragen|d.sinscri\w{1,25}|desuscribir|cancelar)\b[^\n]{0,40}/.exec(
      words,
    )?.[1];
  if (first === undefined) return null;
  return first === 'subscribe' ? 'subscribe' : 'unsubscribe';
}
