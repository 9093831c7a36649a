import fc from 'fast-check';
import { encode, wrap } from 'nodemailer/lib/qp';
import { expect, test } from 'vitest';
import { quotedPrintable } from '#/mail/quoted-printable.ts';
import { Scratch } from '#/mail/scratch.ts';

const canonical = (text: string) => Buffer.from(text.replace(/\r\n|\r|\n/g, '\r\n'));
const theirs = (body: Buffer) => wrap(encode(body), 76);

/** Undoes the encoding, by the words of RFC 2045 §6.7. */
function decode(text: string): Buffer {
  const joined = text.replaceAll('=\r\n', '');
  return Buffer.from(
    joined.replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  );
}

const piece = fc.oneof(
  fc.constantFrom('\n', '\r\n', '=', ' ', '\t', '.', ',', 'ä', 'привет', '🎉', '€', ' \n', '=3D', '\0', '\x7f'),
  fc.stringMatching(/^[a-zA-Z0-9<>"/:;-]{1,90}$/),
  fc.string({ unit: 'binary', maxLength: 20 }),
);
const body = fc.array(piece, { maxLength: 60 }).map((pieces) => pieces.join('').toWellFormed());

test('every line fits, and what comes back is what went in', () => {
  fc.assert(
    fc.property(body, (text) => {
      const bytes = canonical(text);
      const written = quotedPrintable(bytes, new Scratch()).toString('latin1');
      for (const line of written.split('\r\n')) expect(line.length).toBeLessThanOrEqual(76);
      expect(written).not.toMatch(/[^\r\n\t\x20-\x7e]|[ \t]\r\n|[ \t]$/);
      expect(decode(written).equals(bytes)).toBe(true);
    }),
    { numRuns: 2_000 },
  );
});

test('is what nodemailer writes', () => {
  fc.assert(
    fc.property(body, (text) => {
      const bytes = canonical(text);
      expect(quotedPrintable(bytes, new Scratch()).toString('latin1')).toBe(theirs(bytes));
    }),
    { numRuns: 5_000 },
  );
});
