// The part of a report that is written for people: where it ends and the returned message begins, whom it names as failed,
// and what it says of each. One reading for all mail systems; what differs between them is only how the lines look.
import { findAddresses, isDaemon, sameAddress } from './addresses.ts';

/** Lines of a notice that are looked at. */
const MAX_LINES = 600;
const MAX_NAMED = 100;
/** Of what is said of one recipient. */
const MAX_REASON = 1_500;

/** "The message follows", in words or as a rule. Anchored, so that each line is tried once. */
const FOLLOWS = [
  // qmail, Exim, Postfix, Sendmail, Yahoo, Google, DragonFly, Courier, IMail, MXLogic, Zoho, Outlook …
  /^[\s>*#_=-]{0,80}(?:below this line is a copy|(?:this|here|included|below) is (?:a )?copy of|(?:a )?copy of (?:the|your) (?:original )?message|(?:the |your )?(?:original|unsent|undelivered|undeliverable|returned|bounced|rejected|failed|unsuccessful) (?:message|mail|e-mail|email)(?: headers?)?(?: (?:text|body))?(?: (?:follows?|below|begins?|starts?|is attached below|included below))?\s{0,5}[-:.=*]|(?:the )?(?:message|mail) headers? (?:follows?|below)|headers? (?:of the )?(?:original )?message|the (?:body|header|first .{1,20}) of the (?:message|mail)|returned message (?:begins|follows)|returned text follows|text of message|message text follows|begin (?:of )?(?:returned|original) message|start of (?:returned|forwarded|original) message|the following is a copy|forwarded message|urspr.ngliche nachricht|mensaje original|message d'origine|mensagem original|included is a copy|your message (?:header )?(?:follows|reads)|message contents? follows?)/i,
  // Sendmail: `   ----- Message body suppressed -----`; x-systems: `---- Message header follows ----`.
  /^\s{0,20}-{3,30}\s?(?:message|original|unsent|undelivered|header|headers|returned|mail)\b[^\n]{0,60}-{2,30}\s*$/i,
];
/** Fields that only a message on its way has: a notice may cite From, To, Subject and Date. */
const TRAVELLED =
  /^(?:received|return-path|message-id|mime-version|x-[\w-]{2,40}|dkim-signature|delivered-to|content-type|content-transfer-encoding|list-[\w-]{2,30}):/i;
const FIELD_LINE = /^(?:[A-Z][A-Za-z0-9-]{1,50}:(?:\s|$)|[ \t]+\S|From \S+@)/;

export interface Split {
  readonly notice: string;
  /** From the first field of the returned message on; '' where it does not follow. */
  readonly original: string;
}

export function splitNotice(text: string): Split {
  const lines = text.split('\n', 20_000);
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? '';
    if (at > 0 && line.length < 200 && FOLLOWS.some((pattern) => pattern.test(line))) {
      return cut(lines, at, firstField(lines, at + 1));
    }
    if (startsMessage(lines, at)) return cut(lines, at, at);
  }
  return { notice: text, original: '' };
}

function cut(lines: readonly string[], end: number, start: number): Split {
  return { notice: lines.slice(0, end).join('\n'), original: lines.slice(start).join('\n') };
}

function firstField(lines: readonly string[], from: number): number {
  for (let at = from; at < Math.min(from + 12, lines.length); at++) {
    if (/^(?:>?From |[A-Z][\w-]{1,50}:)/i.test(lines[at] ?? '')) return at;
  }
  return from;
}

function startsMessage(lines: readonly string[], at: number): boolean {
  if (!TRAVELLED.test(lines[at] ?? '') && !/^From \S+@/.test(lines[at] ?? '')) return false;
  let fields = 0;
  for (let next = at; next < at + 8 && next < lines.length; next++) {
    if (!FIELD_LINE.test(lines[next] ?? '')) break;
    fields++;
  }
  return fields >= 4;
}

/** How sure it is that an address is one that failed. */
const SURE = { STATED: 3, REPLY: 2, MENTIONED: 1, NOT: 0 } as const;
type Sureness = (typeof SURE)[keyof typeof SURE];

export interface Named {
  readonly address: string;
  /** What the notice says of it. */
  readonly reason: string;
}

export interface NoticeContext {
  /** To whom the notice is addressed and who writes it: these did not fail, unless they are named alone in plain words. */
  readonly parties: readonly string[];
  /** Recipients of the returned message. */
  readonly sentTo: readonly string[];
}

interface Mention {
  readonly address: string;
  readonly line: number;
  readonly sureness: Sureness;
}

export function readNames(notice: string, context: NoticeContext): readonly Named[] {
  const lines = notice.split('\n', MAX_LINES);
  const mentions = mentionsIn(lines, context);
  const best = mentions.reduce((most, { sureness }) => Math.max(most, sureness), 0);
  if (best === 0) return [];
  const chosen = chooseMentions(mentions, best, context);
  const addresses = [...new Map(chosen.map((mention) => [mention.address.toLowerCase(), mention.address])).values()];
  const marks = new Set(chosen.map(({ line }) => line));
  return addresses.slice(0, MAX_NAMED).map((address) => ({
    address,
    reason: reasonOf(
      lines,
      mentions
        .filter((mention) => sameAddress(mention.address, address) && mention.sureness > 0)
        .map(({ line }) => line),
      marks,
    ),
  }));
}

function chooseMentions(
  mentions: readonly Mention[],
  best: number,
  { parties, sentTo }: NoticeContext,
): readonly Mention[] {
  const chosen = mentions.filter(({ sureness }) => sureness === best);
  if (best > SURE.MENTIONED) {
    const others = chosen.filter(({ address }) => !parties.some((party) => sameAddress(party, address)));
    return others.length > 0 ? others : chosen;
  }
  const known = chosen.filter(({ address }) => sentTo.some((sent) => sameAddress(sent, address)));
  if (known.length > 0) return known;
  return new Set(chosen.map(({ address }) => address.toLowerCase())).size <= 2 ? chosen.slice(0, 1) : [];
}

function mentionsIn(lines: readonly string[], context: NoticeContext): readonly Mention[] {
  const mentions: Mention[] = [];
  const became = new Map<string, string>();
  let above = '';
  for (const [line, text] of lines.entries()) {
    for (const { address, start, end } of findAddresses(text)) {
      if (mentions.length >= 4 * MAX_NAMED) return mentions;
      const before = text.slice(Math.max(0, start - 100), start);
      const sureness = surenessOf(before, text.slice(end, end + 60), above, address, context);
      const last = mentions.at(-1);
      // The address that we sent to stands behind the one it became.
      if (/(?:expanded|generated) from:?\s?[<("']{0,2}$/i.test(before) && last !== undefined && line - last.line <= 2) {
        became.set(last.address.toLowerCase(), address);
        mentions[mentions.length - 1] = { ...last, address };
      } else mentions.push({ address: became.get(address.toLowerCase()) ?? address, line, sureness });
    }
    if (text.trim() !== '') above = text;
  }
  return mentions;
}

/** Said of whom the mail came from, or whom to ask. */
const OTHERS =
  /(?:mail from:?|\bfrom:?|sender:?|sent by:?|reply-to:?|return-path:?|\bid:?|contact(?:ing)?:?|mailto:|please [a-z ]{0,30}to:?|(?:write|forward|report|complain\w*) to:?|send (?:an? )?(?:e-?mail|mail|message) to:?|(?:assistance|help|questions|support|abuse|information|errors?)[a-z, ]{0,40}(?:to|at|via|contact|:)|\bvia|e-?mail us at|postmaster(?: at)?:?|administrator:?|on behalf of|your address|recorded as|references:?|subject:.{0,80}|\bby)\s{0,5}[<("'[]{0,3}$/i;
const OTHERS_ABOVE =
  /(?:\bsent by|\bfrom|sender|sender is|contact|please (?:contact|send mail to|e-?mail)|assistance[a-z ,]{0,30}|help[a-z ,]{0,30}to|support)\s{0,3}:?\s*$/i;
/** A field or a phrase that names whom it was for. */
const TOLD =
  /(?:rcpt to\s?:?|\b(?:final-|original-|failed |intended |x-failed-)?recipients?(?: name| address(?:es)?)?(?:\(s\))?\s?[:=]|(?:^|\s)(?:e-?mail|mail) address(?:es)?\s?[:=]|(?:^|\s)address(?:es)?(?:\(es\))?\s?[:=]|^\s*to\s?:|(?:deliver\w*|deliverable|sen[dt]|transmit\w*|relay\w*|reach\w*|forward\w*|bounced|return\w*)\b[^.;]{0,60}\b(?:to|for)(?: the)?(?: following)?(?: user| recipients?| addresse?s?| mailbox| account)?(?:\(s\)|\(es\))?\s?:?|your (?:e-?mail|mail|message)(?: sent)? (?:to|for)|(?:message|mail|e-?mail) (?:addressed )?(?:to|for)|user(?:name)?\s?[:=]|mailbox\s?[:=]?|(?:user|recipient|account|mailbox|address)|entreg\w{0,6} (?:a|para|ao|al)|zugestellt|an die (?:adresse|empf.nger)|remis\w* . |destinataire\s?:?|destinatario\s?:?|(?:expanded|generated) from:?|was addressed,?|original(?:ly)? (?:to|for))\s{0,5}[<("'[]{0,3}$/i;

function surenessOf(before: string, after: string, above: string, address: string, context: NoticeContext): Sureness {
  const line = before.trim();
  if (OTHERS.test(before) && !/(?:expanded|generated|forwarded|redirected) from:?\s?[<("']{0,2}$/i.test(before))
    return SURE.NOT;
  const standsFirst = /^[\s>*•<("'[.-]*(?:smtp:|rfc822;)?\s*[<("'[]{0,3}$/i.test(before);
  if (standsFirst && OTHERS_ABOVE.test(above.trim())) return SURE.NOT;
  const party = context.parties.some((one) => sameAddress(one, address));
  if (TOLD.test(before)) return party && !/rcpt to|recipient/i.test(before) ? SURE.MENTIONED : SURE.STATED;
  if (isDaemon(address) && !standsFirst) return SURE.NOT;
  if (
    standsFirst &&
    /^[\s>"')\]]*(?:$|[:;,]|\.\.\.|[[(]|(?:on|--?|\.{3})\s|[A-Z0-9]|\s{2,}|\t|(?:has|is|was|does|could|cannot|user|not|unknown)\b)/i.test(
      after,
    )
  ) {
    return party || isDaemon(address) ? SURE.MENTIONED : SURE.STATED;
  }
  if (/^[\s<]{0,8}[45]\d\d[ -][^@]{0,20}$/.test(before) && /^>?\s?(?:\.{3}|:)/.test(after) && !party)
    return SURE.STATED;
  if (party) return SURE.NOT;
  return /(?:^|\s|:|<<<)[45]\d\d[ -]|\bsaid\b/.test(line) || /^>?\s?\.{3}/.test(after) ? SURE.REPLY : SURE.MENTIONED;
}

/** The lines from each mention to the next recipient's, or to the end of its paragraph once something was said. */
function reasonOf(lines: readonly string[], at: readonly number[], marks: ReadonlySet<number>): string {
  const reasons: string[] = [];
  let length = 0;
  let upTo = -1;
  for (const start of at) {
    if (start < upTo) continue;
    // Sendmail's transcript: the reply stands above the line that names the recipient.
    for (let above = start - 1; above >= Math.max(0, start - 2) && /^\s*<<< /.test(lines[above] ?? ''); above--) {
      reasons.push(lines[above] ?? '');
    }
    let said = 0;
    let line = start;
    for (; line < lines.length && length < MAX_REASON; line++) {
      const text = (lines[line] ?? '').trim();
      if (line > start && marks.has(line)) break;
      if (text === '' && said > 0) break;
      if (text !== '' && (line > start || /[a-z]{3}.{0,20}\s.{0,20}[a-z]{3}/i.test(text))) said++;
      reasons.push(text.slice(0, MAX_REASON));
      length += text.length + 1;
    }
    upTo = line;
    if (length >= MAX_REASON) break;
  }
  return reasons.join('\n').slice(0, MAX_REASON).trim();
}
