// Feeds broken mail to everything that reads what strangers send. Mutates samples and, where they are, the files of the
// shared corpora; nothing may fail, take long for its size, or hold memory. The same seed gives the same inputs.
import { readReturned } from '#/mail/bounce/read-report.ts';
import { MailTooBig } from '#/mail/mime/limits.ts';
import { parseMail } from '#/mail/mime/incoming-mail.ts';
import { strippedReply } from '#/mail/reply/stripped-reply.ts';
import { parseReport } from '#/mail/reports/read-report.ts';
import { parseSubmitted } from '#/mail/source/parse-submitted.ts';

export interface FuzzOptions {
  readonly seconds: number;
  readonly seed: number;
  readonly samples: readonly Buffer[];
}

export interface FuzzResult {
  readonly inputs: number;
  readonly slowest: { readonly parser: string; readonly ms: number; readonly size: number };
  readonly peakMemory: number;
  readonly failure: Failure | null;
}

export interface Failure {
  readonly parser: string;
  readonly problem: string;
  readonly input: Buffer;
}

/** What one look may take: some milliseconds for anything, and some for each 10 KB; of the processor, not of the clock. */
const BASE_MS = 60;
const MS_A_KB = 0.6;
const MAX_INPUT = 300_000;
const MAX_RSS = 1_500_000_000;

type Parser = (input: Buffer) => unknown;

const parsers: Readonly<Record<string, Parser>> = {
  parseMail: (input) => strippedReply(parseMail(input)),
  readReturned,
  parseReport,
  parseSubmitted,
};

/** What breaks parsers: boundaries, encodings left open, words that patterns look for. */
const WORDS = [
  '\n',
  '\r',
  '\r\n',
  '\n\n',
  '\0',
  ' ',
  '\t',
  '--',
  '--b',
  '--b--',
  '"',
  "'",
  '(',
  ')',
  '<',
  '>',
  ',',
  ';',
  ':',
  '=',
  '=?',
  '?=',
  '=?utf-8?q?',
  '=?utf-8?b?',
  '\\',
  '\xff',
  '\xc3\xa9',
  '\x1b$B',
  '~{',
  '+AGE-',
  '%41',
  '*0*=',
  'name*1=',
  'Content-Type: multipart/mixed; boundary=b\n',
  'Content-Type: message/rfc822\n\n',
  'Content-Transfer-Encoding: base64\n',
  'Content-Transfer-Encoding: quoted-printable\n',
  'Content-Type: text/html; charset=utf-7\n',
  '<blockquote>',
  '</div>',
  '<!--',
  '<![CDATA[',
  '<!DOCTYPE a [<!ENTITY b "c">]>',
  '&amp;',
  '&#x10ffff;',
  '<feedback>',
  '<record>',
  '</record>',
  '{"policies":[',
  'On Jan 5, 2019 at 10:00, a@b.example wrote:',
  '> ',
  '-- \n',
  'From: ',
  'Final-Recipient: rfc822; a@b.example\n',
  'Status: 5.1.1\n',
  'Diagnostic-Code: smtp; 550 5.1.1 ',
  'Feedback-Type: abuse\n',
  '550 ',
  '@',
  'From ',
];

export async function fuzz({ seconds, seed, samples }: FuzzOptions): Promise<FuzzResult> {
  const random = mulberry32(seed);
  const end = performance.now() + seconds * 1_000;
  let slowest = { parser: '', ms: 0, size: 0 };
  let peakMemory = 0;
  let inputs = 0;
  for (; performance.now() < end; inputs++) {
    const input = mutate(samples, random);
    for (const [parser, parse] of Object.entries(parsers)) {
      const { ms, problem } = await look(parse, input);
      if (problem !== null) return { inputs, slowest, peakMemory, failure: { parser, problem, input } };
      if (ms > slowest.ms) slowest = { parser, ms, size: input.length };
    }
    if (inputs % 200 === 0) {
      peakMemory = Math.max(peakMemory, process.memoryUsage.rss());
      if (peakMemory > MAX_RSS)
        return { inputs, slowest, peakMemory, failure: { parser: 'all', problem: 'memory', input } };
    }
  }
  return { inputs, slowest, peakMemory, failure: null };
}

/** A slow look is repeated: the machine may have been busy, the parser is not. */
async function look(parse: Parser, input: Buffer): Promise<{ readonly ms: number; readonly problem: string | null }> {
  const most = BASE_MS + (input.length / 1_024) * MS_A_KB;
  let ms = Number.POSITIVE_INFINITY;
  for (let tries = 0; tries < 4 && ms > most; tries++) {
    const start = process.cpuUsage();
    try {
      await parse(input);
    } catch (error) {
      if (!(error instanceof MailTooBig))
        return { ms, problem: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    }
    const { user, system } = process.cpuUsage(start);
    ms = Math.min(ms, (user + system) / 1_000);
  }
  return { ms, problem: ms > most ? `took ${Math.round(ms)} ms for ${input.length} octets` : null };
}

type Random = () => number;

function mutate(samples: readonly Buffer[], random: Random): Buffer {
  const pick = (below: number) => Math.floor(random() * below);
  const sample = () => samples[pick(samples.length)] ?? Buffer.alloc(0);
  let input = Buffer.from(sample().subarray(0, MAX_INPUT));
  for (let changes = 1 + pick(8); changes > 0; changes--) {
    const at = pick(input.length + 1);
    const to = Math.min(input.length, at + pick(pick(4) === 0 ? 4_000 : 60));
    const before = input.subarray(0, at);
    const word = Buffer.from(WORDS[pick(WORDS.length)] ?? '', 'latin1');
    switch (pick(8)) {
      case 0:
        input = Buffer.concat([before, input.subarray(to)]);
        break;
      case 1:
        input = Buffer.concat([before, word, input.subarray(at)]);
        break;
      case 2:
        input = Buffer.concat([before, repeat(word, 1 + pick(3_000)), input.subarray(at)]);
        break;
      case 3:
        input = Buffer.concat([before, repeat(input.subarray(at, to), 1 + pick(50)), input.subarray(at)]);
        break;
      case 4:
        input = Buffer.concat([before, sample().subarray(pick(2_000))]);
        break;
      case 5:
        if (at < input.length) input[at] = pick(256);
        break;
      case 6:
        input = Buffer.from(
          input.toString('latin1').replace(/\r?\n/g, ['\r\n', '\r', '\n'][pick(3)] ?? '\n'),
          'latin1',
        );
        break;
      default:
        input = input.subarray(0, at);
    }
    input = Buffer.from(input.subarray(0, MAX_INPUT));
  }
  return input;
}

function repeat(bytes: Buffer, times: number): Buffer {
  return Buffer.concat(
    Array.from({ length: Math.min(times, Math.ceil(100_000 / Math.max(1, bytes.length))) }, () => bytes),
  );
}

function mulberry32(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Enough to begin with where there are no corpora. */
export const samples: readonly Buffer[] = [
  'From: Anna <a@b.example>\nTo: c@d.example\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\nDate: Mon, 2 Mar 2026 10:00:00 +0100\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\nHi =C3=A4\n\nOn Mon, 2 Mar 2026 at 09:00, C <c@d.example> wrote:\n> old\n> text\n> here\n--b\nContent-Type: application/pdf; name*0="a"; name*1="b.pdf"\nContent-Transfer-Encoding: base64\n\nQUJDRA==\n--b--\n',
  'From: MAILER-DAEMON@b.example\nTo: x@b.example\nSubject: Undelivered\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\nNo such user.\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; b.example\n\nFinal-Recipient: rfc822; a@c.example\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 no such user\n--b\nContent-Type: message/rfc822\n\nFrom: x@b.example\nMessage-ID: <1@b.example>\n\nHi\n--b--\n',
  'From: fbl@c.example\nContent-Type: multipart/report; report-type=feedback-report; boundary=b\n\n--b\n\nspam\n--b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\nVersion: 1\nSource-IP: 192.0.2.1\n--b\nContent-Type: message/rfc822\n\nFrom: x@b.example\n\nHi\n--b--\n',
  '<?xml version="1.0"?><feedback><report_metadata><org_name>c</org_name><report_id>1</report_id><date_range><begin>1</begin><end>2</end></date_range></report_metadata><policy_published><domain>b.example</domain><p>none</p></policy_published><record><row><source_ip>192.0.2.1</source_ip><count>1</count></row></record></feedback>',
  '{"organization-name":"c","report-id":"1","date-range":{"start-datetime":"2026-01-01T00:00:00Z"},"policies":[{"policy":{"policy-type":"sts","policy-domain":"b.example"},"summary":{"total-successful-session-count":1}}]}',
  '<html><body><p>Hi</p><div class="gmail_quote">On Mon, Mar 2, 2026 at 9:00 AM C &lt;c@d.example&gt; wrote:<blockquote>old</blockquote></div></body></html>',
].map((text) => Buffer.from(text));
