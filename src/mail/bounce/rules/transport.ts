// Reasons that lie on the way: name servers, connections, loops, time, the receiver's machines. And last what only says no.
import { laterAbroad, refusedAbroad } from './languages.ts';
import type { Rule } from './rule.ts';

export const transportRules: readonly Rule[] = [
  // Loops come from forwarding that the recipient can mend.
  {
    type: 'SOFT_BOUNCE',
    text: /\bloop(?:s|ing|ed)?\b|too many (?:hops|received)|hop ?count|hops? exceeded|max(?:imum)? hops|routing loop|already (?:been )?(?:delivered|passed|seen)|twice/,
  },

  // TLS that could not be agreed on.
  {
    type: 'TRANSIENT',
    text: /\b(?:start)?tls\b|\bssl\b|handshake|certificate|encryption (?:required|needed|is)|cipher/,
  },

  // The network, in the words of resolvers, sockets and MTAs.
  {
    type: 'TRANSIENT',
    text: /connection (?:was |has been |is )?(?:refused|timed? ?out|reset|lost|died|dropped|closed|failed|error|abort|broken|terminated|attempt)|connect(?:ion)? (?:to|with)\b.{0,80}(?:refused|time|fail|lost|unable|error)|connect(?:ion)? (?:time|fail|error)|no route to host|network (?:is )?(?:unreachable|error|problem|down)|host (?:is )?(?:down|unreachable|not respond)|timed? ?-?out|broken pipe|lost connection|(?:unable|failed|not able|wasn't able|could not|couldn't|cannot|can't|can not) (?:to )?(?:connect|establish|reach|open|contact|communicate)|socket|no (?:answer|response|greeting|reply|connection)|not (?:respond\w{0,15}|reachable|accept(?:ing)? (?:our )?(?:network |smtp )?(?:requests|connections))|did not (?:accept|respond|answer|greet)|(?:read|write|i\/o|socket|protocol) error|end of file|session (?:closed|timed|abort|terminated|lost)|transmission (?:error|fail)|bad connection|connection dropped|unreachable|went away|conversation with|clos\w{1,25} (?:the |our |its )?connection|\beof\b|disconnect/,
  },
  {
    type: 'DNS_ERROR',
    text: /(?:dns|name ?server|name service|lookup|resolv\w{1,25}|domain name system|mx)\b.{0,60}(?:fail|error|problem|could|unable|not|invalid|timeout|bad|loop)|(?:no|invalid|bad|broken) (?:mx|dns)/,
    unless: /client|sender|reverse/,
  },

  // Tried until it was too late, or still being tried.
  {
    type: 'TRANSIENT',
    text: /failed (?:after )?\d{1,3} (?:attempts|tries)|(?:attempts|retries|tries) (?:\w{1,25} )?(?:exhausted|exceeded|failed|used up)|retry (?:time|period|limit|count|attempts?|interval)|(?:max\w{0,15}|number of|exceeded|repeated|multiple|many|several|all) (?:\w{1,25} ){0,3}?(?:retries|attempts|tries)|(?:queue|queued|spool)\b.{0,40}(?:long|time|expired|days|hours|limit|lifetime|exceed)|expired|(?:been|was) (?:in the|on the|undeliver).{0,20}(?:queue|for)|(?:not|unable|could not|couldn't|cannot).{0,60}(?:for|after|within|in|during) (?:the )?(?:last |past |more than |over )?\d{1,4} ?(?:\w{1,25} )?(?:seconds|minutes|hours?|days?|attempts|tries)|giv(?:en|ing) up|too (?:old|long)|still (?:being )?(?:re-?tried|trying|queued)|will (?:be|keep|continue)(?: to be)? (?:re-?tr|attempt|try|deliver)|(?:delivery|message|mail)\b.{0,30}(?:delay|deferr)|warning (?:message )?only|being delayed|not yet been delivered|delay reason|deferred|tr(?:y|ied) again|re-?try|resend (?:it )?later|later\b|(?:message|mail) (?:has been |is |was )?frozen|frozen on arrival/,
  },

  { type: 'TRANSIENT', text: laterAbroad },

  { type: 'BLOCKED', later: 'TRANSIENT', text: /not (?:currently )?accepting (?:network )?messages/ },

  // The receiver's own machines: later, if it says so.
  {
    type: 'SOFT_BOUNCE',
    later: 'TRANSIENT',
    text: /(?:system|server|internal|configuration|config|software|service|resources?|database|ldap|backend|back-end|local|processing|mail ?system|engine|queue|memory|file ?system|disk|transaction|unexpected|unknown|undefined|unspecified|general|generic|fatal|storage|program|mail (?:store|server)|spool|directory|protocol|policy server|milter|licen[cs]e|local delivery|routing)\b.{0,30}\b(?:error|fail\w{0,15}|problem|unavailable|unable|down|not available|trouble|insufficient|overload\w{0,15}|busy|shut|maintenance|expired|incorrect|exhaust\w{0,15}|shortage|offline|misconfig\w{0,15}|denied by)|misconfig|maintenance|shutting down|out of memory|(?:can't|cannot|could not|couldn't|unable to) (?:create|open|write|read|lock|access|append|save|fork|exec|allocate|store|process|complete|accept)|(?:could not|couldn't|cannot|can't) be (?:stored|saved|written|queued|processed|spooled)|exception|permission denied|read-only|aborted|too busy|overloaded|load (?:is )?too high|insufficient (?:system )?resources|error (?:writing|reading|opening|creating|in processing|processing)/,
    unless: /polic(?:y|ies)(?! (?:server|service|temp))|access|relay|spam/,
  },
];

/** What the two sides did not understand of one another. */
const protocolRules: readonly Rule[] = [
  {
    type: 'SOFT_BOUNCE',
    text: /syntax error|(?:command|argument|parameter)s? (?:is |was |are )?(?:un(?:recognized|known)|not (?:recognized|implemented|known|supported)|invalid)|(?:bad|invalid|wrong) sequence|(?:unrecognized|unknown|unimplemented) command|protocol error/,
  },
];

/** No reason but a no: a policy, a block. After all that says more. */
export const refusalRules: readonly Rule[] = [
  ...protocolRules,
  // Exchange Online: "Recipient address rejected: Access denied" is its directory-based edge blocking, an unknown recipient.
  { type: 'HARD_BOUNCE', status: /^5\.4\.1$/, text: /recipient address rejected: access denied/ },
  // Something does not exist, and nothing above knew what: then it is the host or the recipient.
  {
    type: 'HARD_BOUNCE',
    later: 'DNS_ERROR',
    text: /(?:domain|host|site|mx)\w{0,15}\b.{0,60}(?:(?:does not|doesn't|not|n't) exist|non-?exist|unknown|(?:not|n't|cannot|could not) (?:be )?(?:found|located|resolved|known))|domain (?:name )?(?:is )?not reachable|(?:no such|unknown|non-?existent|invalid) (?:\w{1,25} )?(?:domain|host|site)/,
    unless: /sender|client|helo|your|tempor|time ?out|timed|try again/,
  },
  {
    type: 'HARD_BOUNCE',
    unproven: 'BLOCKED',
    text: /(?:does not|doesn't|do not|don't|did not|not) exist|non-?exist|no such\b|\bunknown$|nobody (?:here|by|with)|not (?:a |our |one of our )(?:\w{1,25} )?(?:user|recipient|customer|account|mailbox|address)s?\b/,
    unless: /sender|client|helo|your |header|file|directory|command|message-id|encoding|charset|error|reason/,
  },
  // 5.1.1 with words of none of these kinds is still what its number says; 5.1.10 of Exchange Online, 5.1.351 of Outlook.com.
  {
    type: 'HARD_BOUNCE',
    status: /^5\.1\.(?:1|2|10|351)$/,
    unless: /polic|block|denied|content|reject.{0,20}message|not accept|rate|limit/,
  },
  { type: 'SOFT_BOUNCE', status: /^5\.2\.1$/, unless: /polic|block/ },
  {
    type: 'BLOCKED',
    text: /polic(?:y|ies)|not (?:been )?(?:authori[sz]ed|allowed|permitted|accept\w{0,15}|welcome|want\w{0,15})|unauthori[sz]ed|(?:access|service|permission|delivery|transaction|connection|mail|message|e-?mail|session|request)\b.{0,30}(?:denied|refused|rejected|prohibited|blocked|forbidden|discard|declin|not accept)|prohibit|refus|reject|denied|blocked|\bban(?:ned)?\b|forbidden|restrict|security|violat|abuse|suspicious|go away|listed|filter|quarantin|den(?:y|ies)|declin|not interested|bloqu|unacceptable|suppress|(?:weren't|wasn't|were not|was not) (?:sent|accepted|delivered)|not registered/,
  },
  { type: 'BLOCKED', text: refusedAbroad },
];

/** What the numbers alone say (RFC 3463, RFC 7505, IANA's registry, Exchange Online's own). */
export const statusRules: readonly Rule[] = [
  { type: 'BAD_EMAIL_ADDRESS', status: /^5\.1\.3$/ },
  { type: 'ADDRESS_CHANGE', status: /^[45]\.1\.6$/ },
  { type: 'HARD_BOUNCE', status: /^[45]\.1\.(?:[0-4]|9|1\d|20|351)$/, later: 'TRANSIENT' },
  { type: 'SOFT_BOUNCE', status: /^[45]\.2\.[1-4]$/ },
  { type: 'BLOCKED', status: /^[45]\.3\.2$/, later: 'TRANSIENT' },
  { type: 'SOFT_BOUNCE', status: /^[45]\.3\.[1-5]$/, later: 'TRANSIENT' },
  { type: 'DNS_ERROR', status: /^[45]\.4\.3$/ },
  { type: 'HARD_BOUNCE', status: /^5\.4\.(?:4|310)$/ },
  { type: 'DNS_ERROR', status: /^4\.4\.(?:4|312|316|317)$/ },
  { type: 'TRANSIENT', status: /^[45]\.4\.(?:[0-2]|5|7|300)$/ },
  { type: 'SOFT_BOUNCE', status: /^[45]\.4\.(?:6|14)$/ },
  // RFC 7293: the mailbox or its domain has another owner now.
  { type: 'HARD_BOUNCE', status: /^5\.7\.1[78]$/ },
  { type: 'BLOCKED', status: /^[45]\.[67]\.\d{1,12}$/, later: 'TRANSIENT' },
  { type: 'SOFT_BOUNCE', status: /^5\.5\.\d{1,12}$/ },
  { type: 'TRANSIENT', status: /^4\./ },
];

/** What the reply code alone says. 550 is said of everything: only as an answer to RCPT is it about the recipient. */
export const codeRules: readonly Rule[] = [
  { type: 'HARD_BOUNCE', unproven: 'BLOCKED', code: /^(?:550|551|553)$/, step: 'recipient' },
  { type: 'SOFT_BOUNCE', code: /^[45]52$/ },
  { type: 'TRANSIENT', code: /^4\d\d$/ },
  { type: 'HARD_BOUNCE', code: /^(?:521|556)$/ },
  { type: 'BLOCKED', code: /^(?:554|571|530|535)$/ },
  { type: 'SOFT_BOUNCE', code: /^50[0-4]$/ },
  // Refused for good, and nobody can read why.
  { type: 'BLOCKED', code: /^5\d\d$/ },
];
