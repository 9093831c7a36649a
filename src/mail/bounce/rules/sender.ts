// Reasons that lie with us: who we are, where we send from, how often. They never condemn a recipient, so they are looked at
// before all that sounds like an unknown user ("sender address rejected: user unknown" is about the sender).
import { blockedAbroad, senderAbroad } from './languages.ts';
import type { Rule } from './rule.ts';

export const senderRules: readonly Rule[] = [
  // DMARC by name: Google, Yahoo, Apple, Comcast, Microsoft (5.7.509), Mail.ru. Its absence is a want of our domain's record.
  { type: 'DMARC_POLICY', text: /\bdmarc\b/, unless: /dmarc ?= ?(?:pass|none|bestguess)/ },
  // Exchange Online has a code for it.
  { type: 'DMARC_POLICY', status: /^5\.7\.509$/ },
  // Google Groups, in the language of the reader: "may not exist, or you have no permission to post".
  { type: 'BLOCKED', raw: /groups\.google\.com\/support|permission to post|google ?groups/ },

  // Greylisting in all spellings. First, since some of them blame a list ("blocked using grey.rbl").
  {
    type: 'TRANSIENT',
    text: /gr[ae]y-?\s?list|\bgrey\.rbl|temporarily (?:rejected|deferred).{0,40}first time|retry later to be accepted/,
  },

  // Too much in too short a time. Google (ReceivingRate, UnsolicitedRate), Yahoo, Apple, QQ, docomo, Outlook, Postfix's anvil.
  {
    type: 'TRANSIENT',
    text: /rate[- ]?limit|\bthrottl|(?:sending|connection|message|mail|delivery|receiving|hourly|unusual|abnormal|high) rate\b|at a rate that|rate (?:is )?(?:exceed|too)|sent too (?:much|many)|too (?:quickly|frequent|fast|often|much (?:mail|load|traffic|e-?mail))/,
  },
  {
    type: 'TRANSIENT',
    text: /too many (?:\w{1,25} ){0,4}?(?:messages?|mails?|e-?mails|connections?|sessions?|concurrent|attempts|commands|deliveries|transactions|threads|smtp|simultaneous|open|parallel)\b|(?:excessive|unexpected|high|large) (?:\w{1,25} )?(?:volume|number of)|frequency.{0,15}(?:limit|exceed|control)|(?:concurren\w{1,25}|simultaneous|parallel|maximum|max\.?|number of) (?:number of )?(?:\w{1,25} )?(?:connections|sessions)|connections? (?:count|rate|limit|number|quota)|deferred due to/,
  },
  {
    type: 'TRANSIENT',
    text: /(?:daily|hourly|sending|submission|messages?|mails?|e-?mails|outgoing|outbound|receiving|incoming|transmission) (?:\w{1,25} )?(?:limit|quota)s?\b.{0,30}(?:exceed|reach|hit|over)|(?:exceed|reach|hit|over)\w{0,15} .{0,40}(?:daily|hourly|sending|per (?:hour|day|minute|second|connection|session)|number of (?:messages|connections|recipients|mails|e-?mails)|sent? (?:limit|quota))|(?:messages?|mails?|recipients|e-?mails)\b.{0,20}\b(?:per|this|each|every|last|an|one) (?:hour|day|minute|second|connection|session)/,
    unless: /mailbox|storage|size/,
  },
  // RFC 5321 §4.5.3.1.10: "too many recipients" is for the next transaction.
  {
    type: 'TRANSIENT',
    text: /too many (?:\w{1,25} )?(?:recipients|rcpts?|addresses)\b|multiple (?:destination )?(?:domains|recipients) .{0,20}not/,
    unless: /invalid|unknown|bad|error|match|unique/,
  },
  // Codes of Hotmail (RP-001 …) and NetEase for the same.
  {
    type: 'TRANSIENT',
    raw: /\brp-00\d\b|\b(?:hl:(?:icc|ifc|mep|itc)|rp:(?:cel|qrc|trc)|mi:(?:cel|dmc|sfq|stc|spb|nel|fac))\b/,
  },
  { type: 'TRANSIENT', raw: /\bts0[1-4]\b|\[ts0[0-4]\]|\btss0[4-6]\b/ },

  // A TLS that is demanded, or failed: we can mend it, and the next attempt may.
  {
    type: 'TRANSIENT',
    text: /starttls|\btls (?:is )?(?:required|needed|negotiation|handshake|error)|(?:require\w{0,15}|needs?|without|support) (?:\w{1,25} )?tls|handshake fail/,
  },

  // Who may send in the name of the domain: SPF, DKIM, Sender ID. Free.fr and Hostpoint in their own words.
  {
    type: 'BLOCKED',
    text: /\bspf\b|\bspf[- ]?(?:fail|check|record|error)|sender policy framework|\bdkim\b|sender-?id (?:check|fail|polic)|domainkeys?|not (?:allowed|permitted|authori[sz]ed|designated) (?:\w{1,25} )?(?:to send|to use|sender|by (?:the )?domain)|(?:doesn't|does not) (?:allow|permit|designate) (?:sending|@ip|@fqdn|mails?|this|your)|unauthenticated (?:e-?mail|sender|message|mail)|authentication (?:information|checks?|results?)|forged|spoof|impersonat/,
    unless: /quota|mail ?box (?:size|limit|is full)/,
  },
  { type: 'BLOCKED', status: /^5\.7\.2[0-9]$/, unless: /null ?mx|does not accept|no such|unknown/ },
  // Mail that needs a login: sent to the wrong port, or to a group that takes mail of its own people only (Exchange).
  {
    type: 'BLOCKED',
    text: /fail\w{0,15} (?:to )?authenticat|authentication (?:is )?(?:required|needed|fail\w{0,15}|unsuccessful|must)|(?:must|need to|please) (?:first )?(?:be )?(?:log ?in|authenticat)|not (?:been )?authenticated|(?:smtp|pop|imap)[- ](?:auth|before-smtp)|pop before|login first|sendernotauthenticated|not (?:have )?(?:authorized|permission|permitted|allowed|enough rights).{0,30}(?:send|post|submit|deliver|e-?mail)|(?:only|members).{0,40}(?:may|can|allowed to|permitted to) (?:send|post)|restricted to (?:members|authenticated)|resolver\.rst/,
  },

  // Reverse DNS and HELO. Comcast, AOL, GMX, Google (5.7.25), Postfix, Exim; the host is never the recipient's here.
  {
    type: 'BLOCKED',
    text: /reverse[- ]?(?:dns|lookup|host|mapping|address|name|record|resolution)|\bptr\b|\brdns\b|fcrdns|\bno (?:reverse|dns a|dns ptr)|(?:cannot|can't|could not|couldn't|unable to|failed to) (?:find|resolve|verify|determine|lookup|look up|get) (?:your|the (?:client|sending|connecting|host)|client|host)? ?(?:reverse |server'?s? )?(?:host ?name|ip address|dns|domain name)|dns (?:lookup|resolution|name) (?:for|of) (?:your|client|@ip|connecting)|client host rejected: cannot find|(?:ip|hostname) (?:address )?(?:mismatch|does not match)|may (?:not )?be (?:forged|mail exchanger)|ip (?:address )?(?:without|has no|with no|lacks) (?:a |an )?(?:name|dns|hostname|valid)/,
  },
  {
    type: 'BLOCKED',
    text: /(?:helo|ehlo)\b.{0,60}(?:reject|invalid|need|require|not|denied|mismatch|forbidden|refus|bogus|fake|must|does)|(?:invalid|bad|bogus|fake|need|reject\w{0,15}).{0,30}(?:helo|ehlo)\b/,
  },

  // Lists of addresses of the web are about the content.
  {
    type: 'SPAM_NOTIFICATION',
    raw: /\buribl\b|\bsurbl\b|\bdbl\.spamhaus|(?:url|uri|link|domain)s? (?:contained |found |listed |used )?in (?:the |your )?(?:message|body|mail)|(?:blacklisted|listed|blocked|spam|malicious) (?:url|uri|link)/,
  },

  // The sender's address or domain: Postfix, Exim's callout, Sendmail ("Domain of sender address does not exist"), AOL, Orange.
  {
    type: 'BLOCKED',
    text: /\b(?:sender|envelope[- ]from|return[- ]path|mail from|originator|reverse[- ]path|from:? address|from header|from domain|sending)(?:'s)?(?: e-?mail| mail)?(?: address| domain| host| server| name)?s?[ :<(]{0,3}(?:@@|@fqdn|@ip)?[^.;]{0,40}\b(?:reject|refus|denied|not (?:exist|valid|found|accept|allow|permit|resolv|ha)|unknown|invalid|does ?n[o']t|doesn't|unresolv|unrout|cannot be|can't be|could not|couldn't|verif|block|black|bann|undeliverable|must|bad|malformed|misformat|illegal|disallow|required|is not|isn't|blackhole)/,
  },
  {
    type: 'BLOCKED',
    text: /(?:invalid|unknown|bad|illegal|unverified|unresolvable|forbidden|rejected|denied|blocked|refused|disallowed|unacceptable|blacklisted|local) (?:\w{1,25} )?(?:sender|originator|from address|return path|mail from)\b|domain of (?:the )?sender|sender(?:'s)? domain|sender verif|callback (?:verif|lookup)|verify (?:the )?sender|(?:needed|required) for (?:the )?sender|sender.{0,20}callout|(?:address|identit\w{1,25}) (?:is |are )?not verified|identities failed/,
  },
  { type: 'BLOCKED', text: senderAbroad },
  { type: 'BLOCKED', status: /^5\.1\.[78]$/ },
  // An answer to MAIL FROM speaks of its address, whatever its words.
  {
    type: 'BLOCKED',
    step: 'mail',
    text: /(?:unknown|unrouteable|unroutable|invalid|not exist|does ?n[o']t exist|not found|no such|reject|den(?:y|ied)|refus|block|polic|not accept|not allow)/,
    unless: /quota|mailbox (?:is )?full|size|too (?:big|large)|spam|unsolicited/,
  },

  // Lists of hosts are about us.
  {
    type: 'BLOCKED',
    raw: /spamhaus|spamcop|\bsorbs\b|barracudacentral|\bdnsbl|\brbls?\b|\brbl[-.]|uceprotect|backscatterer|\bpsbl|mailspike|invaluement|abuseat|abusix|manitu|nixspam|senderscore|spamrl|\bnjabl|cloudmark|hostkarma|spameatingmonkey|\bgbudb|\bcbl\b|\bxbl\b|\bpbl\b|\bsbl\b|trendmicro|ipcheck\.proofpoint|prs\.proofpoint|lashback|mail-abuse\.|ordb\.org|five-?ten|spfbl|senderbase|talosintelligence|mailchannels|\bmaps\b.{0,10}(?:rbl|dul)|\btss0[7-9]\b|\btss1\d\b|\bs3[0-9]{3}\b|\b(?:sc|sb|ou|dy|du|ph)-00\d\b|\bhvu:|\bcon:b\d|\brtr:|\brly:/,
  },
  {
    type: 'BLOCKED',
    text: /(?:black|block|deny|reject|ban|spammer|dns)[- ]?list|blacklis|\bblocklis|schwarze liste|liste noire|lista nera|lista negra|(?<!not |nicht |un)listed (?:in|on|at|by|with|as)\b|not (?:in|on) (?:the |our |my |your |any )?white ?-?list|blocked (?:using|by|at|due|for|because|from|in|with)\b(?! to inactiv)|blackhole/,
  },
  {
    type: 'BLOCKED',
    text: /\breputation\b|(?:bad|poor|low) (?:\w{1,25} )?(?:reputation|score|trust|history)|sender ?score|not (?:well )?known (?:for|good)|too (?:many|much) (?:\w{1,25} ){0,3}(?:spam|complaints|abuse|bad|invalid|unknown|errors?|junk|bounces|nonexist\w{1,25})|user complaints|suspicious (?:activity|connection|ip|sender)/,
  },
  {
    type: 'BLOCKED',
    text: /dynamic(?:ally)?[- ](?:ip|assigned|address|host|range|dns|pool)|dial-?up|residential|broadband|generic (?:host|reverse|ptr|rdns|dns)|consumer (?:ip|network|range)|geograph|from your (?:country|region|network|location)|\bopen (?:relay|proxy)/,
  },
  {
    type: 'BLOCKED',
    text: /(?:client|sending|your|source|remote|connecting|originating|the|this)(?: ?(?:smtp|mail|e-?mail|client|message|sending|source|originating))? ?(?:host|server|ip|ip address|mta|network|domain|mail ?server|system|isp|service|address range|subnet|adress\w{0,15})\b[^.;]{0,40}\b(?:reject|refus|denied|deni|block|bloqu|bann|barr|forbid|prohibit|not (?:welcome|allowed|permitted|accepted|authori[sz]ed)|restrict|filtered)|connections? (?:from .{1,40} )?(?:is |are |was )?(?:denied|rejected|blocked|not (?:allowed|accepted|permitted))|(?:access|mail|messages?|e-?mails?|traffic|deliver\w{0,15})\b (?:is |was |are |were |has been |have been |will be |will not be |not )?(?:denied|refused|blocked|rejected|forbidden|prohibited|not accepted|not allowed|(?<=not )accepted) (?:to|from|for|by) (?:your|this|the sending|@ip|@fqdn|ip\b|client|host\b)|ip (?:source )?(?:bloqu|block|bann|refus|reject)|banned (?:ip|sender|host|sending)|(?:host |client )?network not allowed|forbidden by your ip/,
    unless: /user unknown|unknown user|no such user|recipient address rejected/,
  },

  { type: 'BLOCKED', text: blockedAbroad },

  // Nobody's relay, and mail that came to the wrong machine. No verdict on the recipient: often it is a fault of setup.
  {
    type: 'BLOCKED',
    text: /relay(?:ing)?(?: ?access| mail| attempt| is| of| to| for| this){0,6}\W{0,3}(?:denied|not (?:permitted|allowed|authori[sz]ed|enabled|supported|accepted)|prohibited|refused|restrict|forbidden|disabled|blocked|rejected)|(?:not|un)(?: \w{1,25})? ?(?:able|configured|permitted|allowed|authori[sz]ed|going|willing) to relay|(?:cannot|can't|can not|won't|will not|do(?:es)? not|don't|never|not|no|unable to|unauthori[sz]ed|attempted|illegal|third[- ]party) relay|no relay|relay not|insecure mail relay|open relay|not (?:a|an|an? open) relay|rcpthosts|not (?:in|on) (?:my|our|the) (?:list of )?(?:allowed|relay|accepted) ?(?:domains|hosts|rcpthosts)?|isn't (?:in|on) (?:my|our) (?:list of )?allowed|we don't handle mail for|not accept(?:ing)? mail for (?:this|that) domain|not a gateway|is not (?:a )?(?:local|hosted) domain|non-?accepted domain/,
  },
];
