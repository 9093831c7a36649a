// Reasons that lie in the message: a virus, spam, size, form, a policy on content.
import { sizeAbroad, spamAbroad, virusAbroad } from './languages.ts';
import type { Rule } from './rule.ts';

/** Before all others: nobody says "virus" of anything else. */
export const virusRules: readonly Rule[] = [
  {
    type: 'VIRUS_NOTIFICATION',
    text: /(?:contain\w{0,15}|carr\w{2,4}|infected|has|had|found|detected|with|suspected|possible|potential|known|reject\w{0,15} .{0,20}|by|due to|a|the|of) (?:an? |the |possible )?(?:\S{1,30} )?(?:virus|malware|trojan|worm|ransomware)(?:es)?\b|(?:virus|malware|trojan|worm)(?:es)?\b.{0,40}(?:detect|found|infect|reject|in (?:the |your )?(?:message|mail|attachment|e-?mail)|alert|trouv|encontrad|gefunden|name)|infected (?:with|by|file|attach|message|mail|content|e-?mail)|(?:message|mail|attachment|file)s? (?:was |is |were |are )?infected|clamav.{0,20}found|illegal attachment/,
    unless:
      /no virus|virus or spam|spam or (?:a )?virus|virus[- ]?free|(?:anti-?)?virus (?:scan\w{0,15} |check\w{0,15} |filter\w{0,15} |engine )?(?:unavailable|error|time ?out|fail|down)|unable to (?:scan|check)|could not be scanned/,
  },
  { type: 'VIRUS_NOTIFICATION', text: virusAbroad },
  // Some answer with their holiday where a reply belongs.
  {
    type: 'AUTO_RESPONDER',
    text: /out of (?:the |my )?office|\bon (?:vacation|holiday|annual leave)\b|auto(?:matic(?:ally)?|mated)?[- ](?:reply|response|responder|answer)/,
    unless: /reject|block/,
  },
  // Challenges in a reply or a report: the sender must prove to be a person (Boxbe, Spam Arrest, Earthlink, qconfirm).
  {
    type: 'CHALLENGE_VERIFICATION',
    text: /(?:approv|authori[sz]|confirm|verif)\w{0,15} (?:the |that |this |your )?(?:sender|you are|delivery|message|yourself|e-?mail).{0,80}(?:click|link|visit|reply|guest list|@link)|guest list|challenge[- /]response|boxbe/,
    unless: /bounce|unsubscribe|whitelist you/,
  },
];

export const messageRules: readonly Rule[] = [
  // Spam by its names, also as scores and in other languages. After the lists of hosts, which say "spam" too.
  {
    type: 'SPAM_NOTIFICATION',
    text: /\bspam\b|\bspam(?:my|mer|ming|assassin|ware|trap|like|-like)|spam[\w-]{0,20}(?:score|filter|content|detected|check)|unsolicited|\bjunk\b|\buce\b|\bube\b|bulk (?:e-?)?mail|mass mail|spamming|looks like (?:an? )?(?:advert|bulk|scam)|suspected (?:of )?(?:advert|scam)|bayes|phish|blocked because its content presents a potential/,
    unless: /anti-?spam (?:system )?(?:unavailable|error|fail)|not (?:considered |marked as )?spam\b/,
  },
  { type: 'SPAM_NOTIFICATION', text: spamAbroad },
  // NetEase (163, 126) has a code for each.
  { type: 'SPAM_NOTIFICATION', raw: /\bdt:(?:spm|sum)\b/ },
  {
    type: 'SPAM_NOTIFICATION',
    text: /(?:message|mail|content|e-?mail|body|subject|header)\b.{0,30}(?:score[sd]? (?:too|of|above|over)|(?:looks|appears|considered|classified|identified|detected|recogni[sz]ed|marked|flagged) (?:like|to be|as) (?:an? )?(?:spam|bulk|undesir|malicious|suspicious|unwanted|abus|fraud|scam))|(?:high|too high|excessive) (?:spam )?score|\bscored? (?:of )?\d|content (?:filter|scan|analysis)\w{0,15}.{0,30}(?:reject|refus|block|den)|rejected by .{0,25}(?:content|filter)|(?:filtered|blocked|rejected) (?:by|due to|because of|for) (?:the |its |your |message |our )?(?:content|body|subject|keyword|heuristic)/,
  },

  // Too big for the receiver. Before policy: "size limit" is none.
  {
    type: 'SOFT_BOUNCE',
    text: /(?:message|mail|e-?mail|size|data|letter|body|header|content|attachment|file|limit)s?\b.{0,50}(?:too (?:big|large|long)|exceed\w{0,15}|larger than|bigger than|over (?:the )?(?:max\w{0,15}|limit|size)|size limit|is greater|length limit|maximum)|too (?:large|big)\b|(?:exceed\w{0,15}|over|above|larger than|greater than) .{0,40}(?:size|length|limit|maximum|kb|mb|bytes|octets)|(?:max\w{0,15}|fixed|allowed|permitted) (?:\w{1,25} )?(?:message |mail )?size|size[ =:].{0,20}(?:big|large|limit|exceed)/,
    unless: /queue|too long (?:to|for|without)|took too long/,
  },
  { type: 'SOFT_BOUNCE', text: sizeAbroad },
  { type: 'SOFT_BOUNCE', status: /^[45]\.(?:2\.[23]|3\.4)$/, unless: /polic|block|spam|denied|violat/ },

  // Form: what is not as the RFCs or the receiver want it.
  {
    type: 'BLOCKED',
    text: /rfc ?-?\d{3,4}|not (?:rfc|standards?)[- ]?(?:\d{3,4})?[- ]?compl|compliant|bare (?:lf|cr|line ?feed|newline|carriage)|(?:missing|duplicate|multiple|invalid|malformed|bad|illegal|no|forbidden|invalid|more than one|required|unrecognized|too many) (?:\w{1,25}[- ]?){0,2}?(?:headers?|message-id|date|from:|subject|mime|character|body|header field)|header (?:line |field )?(?:format |syntax )?(?:error|missing|is missing|was missing|is invalid|invalid|is required|required|is not)|8-?bit|7-?bit|\bmime\b.{0,30}(?:error|invalid|bad|malform|not)|non-?ascii|(?:unsupported|unacceptable|unknown|invalid) (?:charset|encoding|character|language|media)|empty (?:message|body|subject)|smtputf8|internationali[sz]ed|line (?:is )?too long|line length/,
  },
  {
    type: 'BLOCKED',
    text: /attachment|executable|file (?:type|extension|name)|\.(?:exe|zip|scr|js)\b|message content|(?:prohibited|banned|forbidden|dangerous|disallowed|objectionable|unacceptable|offensive|inappropriate|restricted) (?:\w{1,25} )?(?:content|word|file|phrase|type|keyword)|content (?:is |was |has been )?(?:reject|not (?:accept|allow|permit)|block|refus|violat|restrict|den)|encrypted|password/,
  },
];
