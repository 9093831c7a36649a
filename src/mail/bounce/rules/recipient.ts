// Reasons that lie with the recipient: full, disabled, moved, unknown; its domain included.
import { disabledAbroad, fullAbroad, movedAbroad, unknownAbroad } from './languages.ts';
import type { Rule } from './rule.ts';

export const recipientRules: readonly Rule[] = [
  // A delivery program that failed says nothing certain of the user, even if its own output does (procmail, vdelivermail, maildrop).
  {
    type: 'SOFT_BOUNCE',
    later: 'TRANSIENT',
    text: /command (?:output|died|failed|time limit)|x-unix|child (?:process )?(?:status|exit|return)|exit(?:ed)?(?: with)?(?: status| code| value)?:? ?[1-9]\d?\b|mailer (?:error|died|fail)|\bpipe (?:failed|to|error)|delivery (?:program|agent|to command) .{0,20}(?:fail|error)|(?:service|program) (?:configuration|failed|returned)|procmail:|maildrop:|signal \d|(?:couldn't|can't|cannot|could not|unable to|failed to) (?:create|open|lock|write|chdir|stat|fork|exec)|\/var\/(?:spool|mail)\//,
  },

  // Full: mailbox, folder or quota. Before "disabled" and "unknown", as "552 5.1.1 boite pleine" of Orange.
  {
    type: 'SOFT_BOUNCE',
    text: /over ?-?quota|(?:over|above|beyond|out of|exceed\w{0,15}|exceeds?) (?:\w{1,25} ){0,4}?(?:quota|storage|allocation|(?:mail|disk|disc) ?space|mailbox size|mailbox limit)\b|quota\b.{0,25}(?:exceed|full|violat|reach|over|fail|error|limit|would|is|used up)|(?:disk|disc|disque|mail) ?quota|\bquota d|not enough (?:\w{1,25} )?(?:space|storage|room)|no (?:more )?(?:disk |storage |free )?space|(?:disk|disc|storage|file ?system|partition|mail ?store|drive)\b.{0,15}\b(?:is )?full|mail ?bo?x\b.{0,30}(?:\bfull\b|exceed|over (?:its|the|their|size)|too (?:large|big)|at (?:its|the) (?:limit|quota|capacity)|(?:size|storage|maximum|message|capacity) limit|limit)|mail ?box full|(?:account|inbox|folder|maildrop|mail ?folder|mail ?dir|mailfile|user|recipient|storage|store)\b.{0,40}\b(?:is |was |are |over )?(?:full|over (?:the |its |storage )?(?:limit|quota|capacity))\b|insufficient (?:disk|storage|system storage|quota|space|mailbox)|out of (?:disk|storage|space)|storage (?:limit|space|allocation|capacity)|exceeded storage|maximum (?:mailbox|storage)|(?:max\w{0,15}|limit|number) .{0,30}stored|too many (?:stored )?messages (?:in|on|for|stored) (?:this|the|that|mailbox)|mailfolder is full/,
  },
  {
    type: 'SOFT_BOUNCE',
    text: fullAbroad,
  },

  // Moved, with or without a new address. RFC 5321: 251 and 551; Notes and Exchange in words.
  {
    type: 'ADDRESS_CHANGE',
    text: /(?:user|recipient|mailbox|account|has|have) (?:has |have |been |was )?moved|(?:has|have) changed (?:his|her|their|its|my|e-?mail|address|mail)|(?:address|e-?mail|mailbox)(?: address)? (?:has |have |was |is )?(?:been )?(?:changed|replaced)|(?:new|changed|current|forwarding) (?:e-?mail |mail )?address (?:is|:|for)|use (?:the |my |his |her |our )?new (?:e-?mail |mail )?address|moved (?:to|permanently)|change of address/,
    unless: /message(?:s)? (?:has |have |was |been ){0,6}moved/,
  },

  { type: 'ADDRESS_CHANGE', text: movedAbroad },

  // Disabled, closed for a while, not paid, unused: Postmark counts it as soft; the same words for domains and services.
  {
    type: 'SOFT_BOUNCE',
    text: /(?:account|mail ?box|user|recipient|addressee|e-?mail|inbox|login|domain|service|customer|subscri\w{1,25}|address)\b[^.;]{0,50}\b(?:(?:temporarily |currently |been |is |was |not |permanently ){0,6})(?:disabled|suspend|inactiv|locked|frozen|on hold|dormant|deactivat|de-activat|not (?:yet )?(?:active|activated|enabled|in service)|barred|passiv|blocked|expired|discontinued|restricted|archived|terminated|cancell?ed|closed|unused)/,
    unless:
      /client|sender|your (?:ip|host|server|domain|account)|\bip\b|connection closed|time ?out|unknown user|user unknown|does ?n[o']t exist|no such|no longer|session|password|black|content|message (?:was |is |has been )?blocked/,
  },
  {
    type: 'SOFT_BOUNCE',
    text: /no longer (?:active|enabled|in service)|(?:disabled|suspended|inactive|locked|deactivated|dormant|expired|blocked|frozen|closed|discontinued) (?:account|mail ?box|user|recipient|address|e-?mail|domain|due to inactivity)|address rejected: (?:inactive|disabled|suspended|locked)|not (?:logged in|been used) (?:for|in)|user (?:is )?(?:not (?:active|activated)|overdue)|hasn't (?:paid|logged)|unpaid|overdue/,
  },
  { type: 'SOFT_BOUNCE', text: disabledAbroad },
  // 450 of RFC 5321: "mailbox unavailable (e.g., mailbox busy)", where 550 says that there is none.
  {
    type: 'TRANSIENT',
    code: /^4\d\d$/,
    text: /(?:mail ?box|user|recipient|account)(?: is)? (?:not available|unavailable)/,
  },
  // Who cannot be reached now, in so many words.
  {
    type: 'TRANSIENT',
    text: /verification in progress|(?:unverified|verification) .{0,60}(?:time ?out|defer|connect|lookup fail|later)|temporar\w{1,25} (?:unavailable|disabled|locked|inaccessible|not available|suspended|lookup)|currently (?:unavailable|not available|busy|unable)|mailbox (?:is )?(?:busy|locked|in use)|(?:resources|service|mailbox|server|system) temporarily|temporar\w{1,25} (?:\w{1,25} ){0,2}?(?:problem|error|fail|unable|glitch|issue|reject|defer|block|unavail)/,
    unless: /permanent|user unknown|invalid recipient/,
  },

  // The domain or host does not exist: for good, unless the name server could not say. Postfix, Exim, Sendmail, Courier, Exchange.
  {
    type: 'DNS_ERROR',
    text: /(?:name service|dns|host(?:name)? lookup|name ?server|resolver|mx lookup)\b.{0,80}\b(?:try again|tempor|servfail|server fail|time(?:d)? ?out|defer|later)|servfail|(?:tempor\w{1,25}|soft) .{0,20}(?:dns|name|lookup|resolution|resolving)|lookup .{0,20}(?:tempor|timed out)|dns (?:soft|server) (?:error|fail\w{0,15}|returned)/,
    unless: /(?:user|ldap|alias|recipient|account|address) lookup/,
  },
  {
    type: 'HARD_BOUNCE',
    later: 'DNS_ERROR',
    text: /host(?: or domain name)? (?:is )?(?:not found|unknown|does not exist)|(?:host|domain|mail domain|domain name|hostname|site|destination)(?: name)?(?: part)?\b[ :'"(]{0,3}(?:@fqdn|@@)?[^.;]{0,20}\b(?:(?:could|can)(?: ?not|n't) be (?:found|resolved|reached)|not (?:be )?found|couldn't be found|unknown|(?:does|do) ?n[o']t exist|doesn't exist|non-?exist\w{0,15}|is not (?:valid|a valid|registered)|invalid|unrouteable|unroutable|not exist|has no (?:mx|mail|dns|valid)|not resolv\w{1,25}|isn't (?:valid|registered)|expired)|domain is not reachable|(?:no such|unknown|unrouteable|unroutable|invalid|non-?existent|bad|illegal|unresolvable) (?:mail )?(?:domain|host|site)|host\/domain|nxdomain|no-domain|no (?:mx|dns|a)\b.{0,15}\b(?:record|entr|or a|host)|lowest numbered mx|(?:couldn't|could not|cannot|can't|unable to) (?:find|resolve|lookup|look up) (?:\w{1,25} ){0,3}(?:host|domain|mx|mail exchanger|@fqdn)|name or service not known|no (?:address|data|host|dns|mail server|mail exchanger|mailserver)s?(?: \w{1,25})? (?:found|associated|known|available|exist|for)|domain (?:does not|doesn't) (?:accept|receive|have)|dns (?:lookup failure|domain .{0,40}does not exist)|all (?:relevant )?mx|illegal host|unknown mail(?:er)? (?:domain|host)|not a valid domain/,
    unless: /sender|client|helo|your (?:ip|host|domain|reverse|server|client|helo|mail ?server)|mail from|reverse/,
  },
  { type: 'HARD_BOUNCE', later: 'DNS_ERROR', code: /^(?:521|556)$/ },
  {
    type: 'HARD_BOUNCE',
    later: 'DNS_ERROR',
    text: /null ?mx|indicated no smtp service|malformed or unexpected name server reply|(?:@fqdn|host|domain|server|system|site|machine|address)\b.{0,40}(?:does not|doesn't|do not|never|not) (?:accept|receive|handle|host|process|support)s?(?:ing)? (?:any |inbound |incoming |e-?)?(?:mail|e-?mail|messages|smtp)|no mail (?:is )?accepted/,
    unless: /from (?:your|this|@ip|ip)|sender|spam|full|quota/,
  },

  // Unknown. "Unknown" and its kind beside a word for the recipient, in both orders; the languages of big receivers.
  {
    type: 'HARD_BOUNCE',
    unproven: 'BLOCKED',
    text: /(?:unknown|no such|non[- ]?exist\w{1,25}|(?:not a|no) known|unrouteable|unroutable|unresolvable|unrecogni[sz]ed|undeliverable|undefined|unallocated) (?:or \w{1,25} )?(?:local )?(?:mail |e-?mail |virtual |domain |destination |smtp |internet )?(?:user|account|recipient|mail ?box|address|addressee|person|name|alias|destination|e-?mail|local[- ]?part|rcpt|login|member|local|object|inbox|usr|individual|customer|employee|user ?id|id)\b/,
  },
  {
    type: 'HARD_BOUNCE',
    unproven: 'BLOCKED',
    text: /(?:user|account|recipient|mail ?box|addressee?|person|name|alias|destination|e-?mail|local[- ]?part|rcpt|login|member|customer|inbox|username|mail address|userid|employee)s?(?:\(s\))?\b[ :'"(@<]{0,4}[^.;]{0,45}?\b(?:unknown|not (?:be )?found|not exist\w{0,15}|not known|not recogni[sz]ed|not listed|not registered|not present|not valid|not local|not in (?:our|the|my|this)|not on (?:this|file|our|the)|not a (?:valid|known|local|registered|current)|not (?:a |an )?(?:user|here|our|ours)|no longer|non-?exist\w{0,15}|unrouteable|unroutable|undeliverable|unallocated|never exist\w{0,15}|doesn't|does not|doesnt|didn't|cannot be (?:found|resolved)|could ?n[o']t be (?:found|resolved)|could not (?:be )?(?:found|resolved)|couldn't (?:be )?found|wasn't found|isn't|hasn't|do not exist|don't exist|invalid|mis-?spelled|incorrect|removed|deleted|was not found|has left)/,
    unless:
      /no longer being|not valid rfc|does not (?:accept|comply|meet|allow|permit|want|wish|like|conform)|doesn't (?:accept|allow|like|want|match)|sender (?:address|domain|verif)|invalid (?:header|message|dns|helo|command|sender|data|char)/,
  },
  // Exim: the sender wrote the field, the address may be right.
  {
    type: 'SOFT_BOUNCE',
    text: /may not follow|incorrectly constructed|angle-?brackets nested|expected word or|source-routed|missing or malformed local part|unmatched double-?quote/,
  },
  {
    type: 'BAD_EMAIL_ADDRESS',
    text: /(?:bad|invalid|illegal|malformed|wrong|improper|incorrect) (?:\w{1,25} ){0,2}?(?:address|recipient|mailbox|destination|rcpt)\b.{0,20}(?:syntax|format|character)|(?:address|recipient|mailbox)\b.{0,25}(?:syntax|format) (?:error|is|invalid|incorrect)|(?:syntax|format) (?:error|invalid) in (?:\w{1,25} )?(?:address|recipient|mailbox|rcpt)|malformed address|syntactically/,
    unless: /sender|from:? (?:address|header)|header/,
  },
  {
    type: 'HARD_BOUNCE',
    unproven: 'BLOCKED',
    text: /(?:invalid|bad|illegal|not a valid|no valid|not our|wrong|incorrect|unavailable|unauthori[sz]ed|mistyped) (?:\w{1,25} ){0,2}?(?:user ?id|user|account|recipient|mail ?box|address|addressee|alias|destination|e-?mail|local[- ]?part|rcpt|login|inbox|customer)|bad[_-]recipient|mail ?box name (?:is )?(?:not allowed|invalid)|(?:recipient|address|recipient address|@@:?) (?:was |is )?rejected\.?(?: @@)?$|recip(?:ient)?[_ -]?not[_ -]?found|(?:user|recipient|mailbox|account|addressee?)[ _-](?:not[ _-]found|unknown|unavailable|invalid)|usernotfound|recipnotfound|nosuchuser|not ?unique|ambiguous/,
    unless: /sender|originator|header|from address|helo/,
  },
  {
    type: 'HARD_BOUNCE',
    unproven: 'BLOCKED',
    text: /(?:doesn't|does not|don't|do not) have (?:an? )?(?:\S{1,40} )?(?:account|mailbox|user|e-?mail|inbox)|(?:no|not) (?:an? )?(?:mail ?box|user|account|recipient|person|one|body|address|such)\b.{0,25}(?:here|by that name|found|with that|exist|named|of that name|at this|on this|match|under)|nobody here|nobody by|no mail ?box|no (?:\w{1,25} ){1,2}?(?:mail ?box|user|recipient)s?\b|no record (?:of|for)|(?:cannot|can't|could not|couldn't|unable to|did not|failed to) (?:find|locate|identify|determine|route) (?:\w{1,25} ){0,3}?(?:user|mail ?box|recipient|account|person|address|alias|anyone)\b|(?:mail ?box|recipient|user|account|address) (?:is )?(?:not available|unavailable|unreachable)|(?:recipient|address) verif\w{1,25} fail|callout verification failed|address (?:rejected|not) (?:as )?(?:unknown|undeliverable|invalid|non|present)|address unknown|unknown (?:to|in|at|on|here)\b|not (?:in|on|listed in|found in) (?:our |the |this |my |your |public )?(?:\w{1,25} ){0,2}?(?:directory|system|server|database|domain|address ?book|user list|records?|table|ldap|list|name & address)|that (?:user|address|account|mailbox)|wasn't found at|no longer (?:exist|work|employ|with|at|on server|accept|valid|in use|available|avail|monitor|active|here|used|receiv)|left the (?:company|organi)|is unable to receive mail|couldn't be found|unable to find (?:the |that )?(?:user|recipient|mailbox)|could not find|cannot find (?:the |that )?(?:user|recipient|mailbox)|delivery to this address|user not (?:known|present)|lookup fail\w{0,15}: user/,
    unless: /reverse|your (?:host|ip|domain)|sender|no (?:more|free) /,
  },
  { type: 'HARD_BOUNCE', unproven: 'BLOCKED', text: unknownAbroad },
];
