// Mails that look like trouble to whoever moves them on: what goes in by SMTP as bytes, and what our API makes of parts.
import type { ScenarioMail } from './scenario.ts';

export interface NastyMail extends ScenarioMail {
  readonly name: string;
  /** The body that has to arrive, where bytes were given and line ends have to be mended; unless given, those bytes. */
  readonly arrives?: string;
}

/** `body` as Latin-1. */
const bytes = (name: string, header: string, body: string, arrives?: string): NastyMail => ({
  name,
  source: `Subject: ${name}\r\n${header}\r\n${body}`,
  ...(arrives === undefined ? {} : { arrives }),
});

const utf8 = (text: string) => Buffer.from(text).toString('latin1');
const eightBit = 'MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n';

function nested(depth: number): string {
  if (depth === 0) return 'Content-Type: text/plain\r\n\r\nthe innermost\r\n.\r\nFrom within\r\n';
  const boundary = `=_${depth}`;
  return [
    `Content-Type: multipart/mixed; boundary="${boundary}"`,
    '',
    `preamble ${depth}`,
    `--${boundary}`,
    `${nested(depth - 1)}--${boundary}`,
    '',
    `a part without a header at ${depth}`,
    `--${boundary}--`,
    `epilogue ${depth}`,
    '',
  ].join('\r\n');
}

/** Octets of every value, the same at each run. */
function octets(length: number): Buffer {
  const made = Buffer.alloc(length);
  for (let at = 0, state = length + 1; at < length; at++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    made[at] = state >>> 24;
  }
  return made;
}

export const nastyMails: readonly NastyMail[] = [
  bytes('dots', '', '.\r\n..\r\n...\r\n.a\r\n. \r\n.\t\r\n'),
  bytes('the end of content', '', 'a\r\n.\r\nQUIT\r\n.\r\n\r\n.\r\n'),
  bytes('an empty body', '', ''),
  bytes('one empty line', '', '\r\n'),
  bytes('many empty lines', '', '\r\n'.repeat(50)),
  bytes('blanks at ends of lines', '', 'a  \r\n \t \r\n\t\r\n  \r\n'),
  bytes('no final line end', '', 'the end', 'the end\r\n'),
  bytes('bare LF', '', 'one\ntwo\n.\nthree\r\n', 'one\r\ntwo\r\n.\r\nthree\r\n'),
  bytes('bare CR', '', 'one\rtwo\r.\rthree\r\n', 'one\r\ntwo\r\n.\r\nthree\r\n'),
  bytes('lines of 998 octets', '', `${'x'.repeat(998)}\r\n.${'y'.repeat(997)}\r\n`),
  bytes('From at the starts of lines', '', 'From here\r\n>From there\r\n>>From\r\nFrom\r\n'),
  bytes('8-bit text', eightBit, utf8('Grüße aus Köln, zehn € und ein 🎉.\r\n')),
  bytes('8-bit octets that are no text', eightBit, '\x80\xff\xfe caf\xe9\r\n'),
  bytes('control characters', '', 'a\x01b\x0bc\x0cd\x1be\x7ff\r\n'),
  bytes('a header field of 60,000 octets', `X-Long:${`\r\n ${'long '.repeat(180)}`.repeat(65)}\r\n`, 'body\r\n'),
  bytes(
    'a hundred fields',
    Array.from({ length: 100 }, (_, n) => `X-Field-${n}: ${'v'.repeat(n)}\r\n`).join(''),
    'b\r\n',
  ),
  bytes('folded fields', 'X-Folded: a\r\n\t b\r\n   c\r\nX-Empty:\r\nX-Blank: \r\n', 'body\r\n'),
  bytes('encoded words', 'X-W: =?utf-8?q?Gr=C3=BC=C3=9Fe?= =?utf-8?b?8J+OiQ==?=\r\n', 'body\r\n'),
  bytes(
    'multiparts within multiparts',
    `MIME-Version: 1.0\r\n${nested(12).split('\r\n\r\n')[0]}\r\n`,
    nested(12).slice(nested(12).indexOf('\r\n\r\n') + 4),
  ),
  bytes('a boundary that is never closed', 'Content-Type: multipart/mixed; boundary=b\r\n', '--b\r\n\r\ntext\r\n'),
  bytes('a hundred thousand lines', '', '.x\r\n'.repeat(100_000)),
  bytes(
    'smuggling',
    '',
    'a\r\n\x2e\r\nMAIL FROM:<>\r\n\n.\n\r.\rb\r\n',
    'a\r\n.\r\nMAIL FROM:<>\r\n\r\n.\r\n\r\n.\r\nb\r\n',
  ),
  {
    name: 'UTF-8 everywhere',
    subject: 'Grüße 🎉 件名',
    text: 'Zehn € aus Köln\n.\n',
    html: '<p>Zehn € aus Köln 🎉</p>',
  },
  { name: 'a subject of 900 letters', subject: '件名 '.repeat(300).trim(), text: 'x' },
  { name: 'a line of 20,000 octets', text: 'word '.repeat(4_000) },
  { name: 'a file of every octet', attachments: [{ name: 'übersicht "1".pdf', content: octets(70_000) }] },
  { name: 'as large as we take', attachments: [{ name: 'film.mp4', content: octets(7_000_000) }] },
];
