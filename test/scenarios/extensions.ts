// What a receiver offers in EHLO is used, and what it does not offer is done without: converted, refused before it is sent,
// or left out.
import { expect } from 'vitest';
import { at, bounced, delivered, type Saw, type Scenario } from '../support/scenario.ts';

const offering = (...extensions: readonly string[]) => ({ extensions });
const parametersOf = ({ peer }: Saw) => peer().messages[0]?.parameters ?? '';

/** Handed in by SMTP as it stands, in UTF-8. */
const eightBit = Buffer.from(
  [
    'Subject: Gruesse',
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=utf-8',
    'Content-Transfer-Encoding: 8bit',
    '',
    'Grüße aus Köln, zehn € und ein 🎉.',
    '',
  ].join('\r\n'),
).toString('latin1');

const eightBitParts = Buffer.from(
  [
    'Subject: Gruesse in zwei Teilen',
    'MIME-Version: 1.0',
    'Content-Type: multipart/alternative; boundary=b',
    'Content-Transfer-Encoding: 8bit',
    '',
    'Für alte Programme.',
    '--b',
    'Content-Type: text/plain; charset=utf-8',
    'Content-Transfer-Encoding: 8bit',
    '',
    'Grüße aus Köln.',
    '--b',
    'Content-Type: text/html; charset=utf-8',
    '',
    '<p>nothing past ASCII here</p>',
    '--b--',
    '',
  ].join('\r\n'),
).toString('latin1');

export const extensions: readonly Scenario[] = [
  {
    name: 'no extension at all',
    peer: offering(),
    story: [delivered()],
    check: (saw) => expect(parametersOf(saw)).toBe(''),
  },
  {
    name: 'HELP, ETRN, DSN, X-ANYTHING and other strange keywords are left alone',
    peer: offering('HELP', 'ETRN', 'DSN', 'X-ANYTHING 1 2 3', 'XCLIENT NAME ADDR', '', '!!', 'AUTH=LOGIN'),
    story: [delivered()],
    check: (saw) => expect(parametersOf(saw)).toBe(''),
  },
  {
    name: 'without PIPELINING each command waits for its reply',
    peer: offering('SIZE 10000000'),
    story: [delivered()],
    check: ({ peer }) =>
      expect(peer().log.map((line) => line.split(' ')[0])).toEqual(
        ['<connected>', 'EHLO', 'MAIL', 'RCPT', 'DATA', 'QUIT', '<closed>'].slice(0, peer().log.length),
      ),
  },
  {
    name: 'CHUNKING and BINARYMIME are not needed',
    peer: offering('CHUNKING', 'BINARYMIME', '8BITMIME'),
    story: [delivered()],
    check: ({ peer }) => expect(peer().log.some((line) => line.startsWith('BDAT'))).toBe(false),
  },
  {
    name: 'SIZE announces what is sent, to the octet',
    peer: offering('SIZE 10000000', 'PIPELINING'),
    story: [delivered()],
    check: ({ peer }) => {
      const [message] = peer().messages;
      expect(message?.parameters).toBe(`SIZE=${message?.raw.length}`);
    },
  },
  {
    name: 'SIZE without a figure is no limit',
    peer: offering('SIZE'),
    mails: [{ text: 'x'.repeat(100_000) }],
    story: [delivered()],
  },
  {
    name: 'SIZE 0 is no limit',
    peer: offering('SIZE 0'),
    story: [delivered()],
  },
  {
    name: 'a mail above the SIZE that is offered bounces and is not sent',
    peer: offering('SIZE 5000'),
    mails: [{ text: 'One of many lines.\n'.repeat(1_000) }],
    story: [bounced(552, 'SOFT_BOUNCE', { unsent: true })],
    check: ({ peer }) => expect(peer().log.some((line) => line.startsWith('MAIL'))).toBe(false),
  },
  {
    name: 'a mail below the SIZE that is offered is sent',
    peer: offering('SIZE 5000'),
    story: [delivered()],
  },
  {
    name: '8-bit text from our API is sent as 7 bits, with 8BITMIME or without',
    peer: offering('8BITMIME'),
    mails: [{ subject: 'Grüße', text: 'Zehn € aus Köln', html: '<p>Zehn € aus Köln 🎉</p>' }],
    story: [delivered()],
    check: ({ peer }) => expect(isSevenBit(peer().messages[0]?.raw)).toBe(true),
  },
  {
    name: '8-bit content of an application goes as it is where 8BITMIME is offered',
    peer: offering('8BITMIME'),
    mails: [{ source: eightBit }],
    story: [delivered()],
    check: (saw) => {
      expect(parametersOf(saw)).toBe('BODY=8BITMIME');
      expect(saw.peer().messages[0]?.raw.toString()).toContain('Grüße aus Köln, zehn € und ein 🎉.');
    },
  },
  {
    name: '8-bit content is converted where 8BITMIME is not offered, and signed after that',
    peer: offering('PIPELINING'),
    mails: [{ source: eightBit }],
    story: [delivered()],
    check: (saw) => {
      expect(parametersOf(saw)).toBe('');
      expect(isSevenBit(saw.peer().messages[0]?.raw)).toBe(true);
      expect(saw.peer().messages[0]?.raw.toString()).toMatch(
        /^Content-Transfer-Encoding: (?:quoted-printable|base64)/im,
      );
    },
  },
  {
    name: '8-bit content in one of several parts is converted where 8BITMIME is not offered',
    peer: offering('PIPELINING'),
    mails: [{ source: eightBitParts }],
    story: [delivered()],
    check: ({ peer }) => {
      expect(isSevenBit(peer().messages[0]?.raw)).toBe(true);
      expect(peer().messages[0]?.raw.toString()).toContain('<p>nothing past ASCII here</p>');
    },
  },
  {
    name: 'an address past ASCII goes where SMTPUTF8 is offered',
    peer: offering('SMTPUTF8', '8BITMIME', 'PIPELINING'),
    mails: [{ to: ['jörg'] }],
    story: [delivered()],
    check: (saw) => {
      expect(parametersOf(saw)).toContain('SMTPUTF8');
      expect(saw.peer().messages[0]?.recipients).toEqual([`jörg@${saw.place.domain}`]);
    },
  },
  {
    name: 'an address past ASCII bounces where SMTPUTF8 is not offered, unsent',
    peer: offering('8BITMIME', 'PIPELINING'),
    mails: [{ to: ['jörg'] }],
    story: [bounced(553, null, { says: /5\.6\.7/, unsent: true })],
    check: ({ peer }) => expect(peer().log.some((line) => line.startsWith('MAIL'))).toBe(false),
  },
  {
    name: 'SMTPUTF8 is not asked for where no address needs it',
    peer: offering('SMTPUTF8', '8BITMIME'),
    mails: [{ subject: 'Grüße 🎉', text: 'Köln' }],
    story: [delivered()],
    check: (saw) => expect(parametersOf(saw)).not.toContain('SMTPUTF8'),
  },
  {
    name: 'EHLO is answered by one line, without extensions',
    peer: at('EHLO', '250 peer.test'),
    story: [delivered()],
    check: (saw) => expect(parametersOf(saw)).toBe(''),
  },
];

const isSevenBit = (raw: Buffer | undefined) => raw !== undefined && raw.every((byte) => byte < 0x80);
