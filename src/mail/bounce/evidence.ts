// What a receiver said, made comparable: reply code, enhanced code and the step it answers read out of the text, and the
// text without what varies (addresses, hosts, numbers of messages), so that one pattern fits the same reason everywhere.
import { statusIn } from './delivery-status.ts';
import { foldAccents } from './rules/languages.ts';

export type Step = 'connection' | 'mail' | 'recipient' | 'content';

export interface Evidence {
  readonly code: number | null;
  /** RFC 3463, `5.1.1`. */
  readonly status: string | null;
  readonly step: Step | null;
  /** Lower case, one line; `@@` an address, `@link`, `@fqdn`, `@ip`. What the patterns in `rules/` are matched against. */
  readonly text: string;
  /** The same with hosts and links as they are: names of blocklists, and links that say the reason. */
  readonly raw: string;
}

/** Replies of RFC 5321 lines rarely pass 512 octets, joined ones 2,000. Patterns are matched against no more. */
export const MAX_EVIDENCE = 1_500;

export interface KnownFacts {
  readonly code?: number | null;
  readonly status?: string | null;
  readonly step?: Step | null;
}

export function evidenceOf(source: string, known: KnownFacts = {}): Evidence {
  const text = unwrapped(
    source
      .slice(0, MAX_EVIDENCE)
      .replace(/\s{1,200}/g, ' ')
      .trim(),
  );
  const raw = foldAccents(text.toLowerCase())
    .replaceAll('’', "'")
    // Of a reply of several lines each brings the codes again.
    .replace(/\b[245]\d\d[ -]#?[245]\.\d{1,3}\.\d{1,3}\b/g, ' ')
    .replace(/\b[245]\d\d-(?=\D)/g, ' ')
    .replace(ADDRESS, '@@')
    .replace(/\bhost [\w.-]{1,100} ?\[[0-9a-f:.]{2,45}\](?:[: ]{1,2}(?:said|refused to talk to me))?:?/g, ' ')
    .replace(INTRODUCTION, ' ')
    .replace(/ {2,10}/g, ' ')
    .trim();
  return {
    code: known.code ?? codeIn(text),
    status: known.status ?? statusOf(text),
    step: known.step ?? stepIn(text),
    text: raw
      .replace(/\bhttps?:\/\/[^\s<>"')]{1,300}/g, '@link')
      .replace(/\[?\b\d{1,3}(?:\.(?:\d{1,3}|x{1,3})){3}\b\]?/g, '@ip')
      .replace(/\b(?:[a-z0-9_-]{1,63}\.){1,8}[a-z]{2,15}\b\.?/g, (name) =>
        /^(?:e\.g|i\.e|etc|err\.)/.test(name) ? name : '@fqdn',
      ),
    raw,
  };
}

/** `5.1.0 - Unknown address error 550-'…' (delivery attempts: 0)` of IronPort and early Amazon SES: what counts is cited. */
function unwrapped(text: string): string {
  const [, code = '', cited = ''] =
    /^(?:smtp; )?[45]\.\d\.\d - [A-Za-z ]{5,60} ([45]\d\d)-'(.{4,1400})'/.exec(text) ?? [];
  return cited === '' ? text : `${code} ${cited}`;
}

/** How Exim, Postfix, qmail and GMX introduce what the other side said: their "server", "error" and "not" are not its words. */
const INTRODUCTION =
  /\bsmtp error from remote (?:mail(?:er)? )?(?:server )?(?:(?:after|for) (?:initial connection|(?:end of |pipelined )?[a-z]{4}(?: from| to)?(?: command)?))?[:,]? ?(?:@@)?(?: size=\d{1,12})?:?|\(in reply to [^()]{1,40}\)|\bremote host said:|\bdoes not like (?:recipient|sender)\.|\bgiving up on [^ ]{1,60}/g;

/** Begins where a word does: tried at each letter of a long one, it would cost its length squared. */
const ADDRESS = /<?(?<![^\s<>@"(),;:[\]])[^\s<>@"(),;:[\]]{1,128}@[^\s<>@"(),;]{1,255}>?|<>/g;

/** The reply code: at the start, after what introduces a reply, or before an enhanced code. */
const CODES = [
  /^[^\w<]{0,8}([45]\d\d)(?=[ -]|: |$)/,
  /(?:said|returned|reply|response|replied|responded|was|reason|error_code ?|failed with|<<<|error(?: code)?|server|status|code|connection|command|data|>|\]|\))[:=]?[ :]{1,3}["'(]?([45]\d\d)(?=[ -]|["'),;]|$)/i,
  /(?<![\d.])([45]\d\d)[ -]{1,2}[(#]{0,2}[45]\.\d{1,3}\.\d{1,3}/,
  /(?:^|[\s:;("'])([45]\d\d)(?:[ -]|: )(?=[A-Za-z<#[])/,
];

export function codeIn(text: string): number | null {
  for (const pattern of CODES) {
    const code = pattern.exec(text)?.[1];
    if (code !== undefined) return Number(code);
  }
  return null;
}

function statusOf(text: string): string | null {
  const found = statusIn(text);
  if (found !== null) return found;
  return /(?<![\d.])([45]\.\d{1,3}\.\d{1,3})(?!\.?\d)/.exec(text)?.[1] ?? null;
}

/** Postfix, Exim, DragonFly, qmail, GMX, and Gmail's "(state 14)". */
const STEPS: readonly (readonly [RegExp, Step])[] = [
  [
    /in reply to (?:the )?(?:end of )?data\b|after (?:end of )?(?:pipelined )?data\b|(?:after|when) (?:sending |i sent |transfer of )(?:the )?(?:message|mail text|data)|did not like our data|end of data|\[data\]|smtp:data|\(state 1[5-8]\)/i,
    'content',
  ],
  [
    /in reply to rcpt|after (?:pipelined )?rcpt|did not like our rcpt|following rcpt|does not like recipient|rcpt[ _]to|smtp:rcpt|rcpt command|\(state 1[34]\)/i,
    'recipient',
  ],
  [
    /in reply to mail from|after (?:pipelined )?mail from|did not like our mail|does not like sender|mail from:|mail_from|mail command/i,
    'mail',
  ],
  [
    /in reply to (?:helo|ehlo)|after (?:helo|ehlo)|refused to talk to me|after initial connection|while performing the (?:helo|ehlo|initial)/i,
    'connection',
  ],
];

function stepIn(text: string): Step | null {
  return STEPS.find(([pattern]) => pattern.test(text))?.[1] ?? null;
}
