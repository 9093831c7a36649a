// What is in a mail arrives as it was given, whatever it looks like on the wire: dots, line ends, long lines, borders of
// packets. That no bare CR or LF and no line above 998 octets leaves us, and that signatures hold, is checked of every mail
// of every scenario.
import { expect } from 'vitest';
import { simpleParser } from 'mailparser';
import { delivered, type Saw, type Scenario } from '../support/scenario.ts';

const bodyOf = ({ peer }: Saw) => {
  const raw = peer().messages[0]?.raw.toString('latin1') ?? '';
  return raw.slice(raw.indexOf('\r\n\r\n') + 4);
};

/** Given to SMTP with these lines ends, and what of it has to arrive. */
const source = (name: string, body: string, arrives = body): Scenario => ({
  name,
  mails: [{ source: `Subject: ${name}\r\n\r\n${body}` }],
  story: [delivered()],
  check: (saw) => expect(bodyOf(saw)).toBe(arrives),
});

/** A dot at each place around the end of a block of 65,536 octets, in which content is written. */
const dotsAtBorders = Array.from({ length: 2_200 }, (_, index) => '.'.repeat(1 + (index % 61))).join('\r\n');

export const contents: readonly Scenario[] = [
  source('lines that begin with dots', '.\r\n..\r\n...\r\n.hidden\r\na.\r\n. \r\n'),
  source('a body that is one dot', '.\r\n'),
  source('a body that looks like the end of content', 'a\r\n.\r\nMAIL FROM:<evil@evil.example>\r\n.\r\nQUIT\r\n'),
  source('dots at the borders of blocks', `${dotsAtBorders}\r\n`),
  source('an empty body', ''),
  source('nothing but empty lines', '\r\n\r\n\r\n'),
  source('a last line without its end', 'the end', 'the end\r\n'),
  source('bare LF in the middle', 'one\ntwo\r\nthree\r\n', 'one\r\ntwo\r\nthree\r\n'),
  source('bare CR in the middle', 'one\rtwo\r\nthree\r\n', 'one\r\ntwo\r\nthree\r\n'),
  source('LF . LF is no end of content, for anybody', 'a\n.\nRSET\r\nb\r\n', 'a\r\n.\r\nRSET\r\nb\r\n'),
  source('lines of 998 octets', `${'x'.repeat(998)}\r\n${'y'.repeat(997)}.\r\n`),
  source('From at the start of a line', 'From here\r\n>From there\r\n'),
  source('8-bit octets that are no UTF-8', 'caf\xe9 \xff\xfe\r\n'),
  source('blanks at the ends of lines', 'a  \r\n\t\r\n \r\nb\t\r\n'),
  source('a hundred thousand short lines', 'x\r\n'.repeat(100_000)),
  {
    name: 'one line of 20,000 octets from our API is encoded',
    mails: [{ text: 'word '.repeat(4_000), html: `<p>${'x'.repeat(20_000)}</p>` }],
    story: [delivered()],
  },
  {
    name: 'no text but a picture',
    mails: [{ text: ' ', attachments: [{ name: 'a.png', content: Buffer.alloc(5_000, 3) }] }],
    story: [delivered()],
  },
  {
    name: 'a subject of 900 letters past ASCII',
    mails: [{ subject: 'Grüße 🎉 件名 '.repeat(75) }],
    story: [delivered()],
    check: async ({ peer }) => {
      const { subject } = await simpleParser(peer().messages[0]?.raw ?? '');
      expect(subject?.trim()).toBe('Grüße 🎉 件名 '.repeat(75).trim());
    },
  },
  {
    name: 'an attachment of 6 MB, octet for octet',
    mails: [{ attachments: [{ name: 'film.mp4', content: octets(6_000_000) }] }],
    story: [delivered()],
    check: async ({ peer }) => {
      const { attachments } = await simpleParser(peer().messages[0]?.raw ?? '');
      expect(attachments[0]?.content.equals(octets(6_000_000))).toBe(true);
    },
  },
];

function octets(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0, state = 1; at < length; at++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}
