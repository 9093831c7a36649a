// The reply parser against what servers and hostile peers send, whole and in pieces.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type RawReply, ReplyParser, toReply } from '#/runtime/smtp-client/reply-parser.ts';

function parse(...chunks: readonly (string | Buffer)[]): {
  replies: RawReply[];
  problem: string | null;
  midReply: boolean;
} {
  const parser = new ReplyParser();
  const replies: RawReply[] = [];
  let problem: string | null = null;
  for (const chunk of chunks) problem ??= parser.push(Buffer.from(chunk), replies);
  return { replies, problem, midReply: parser.midReply };
}

function reply(text: string) {
  const raw = parse(text).replies[0];
  return raw === undefined ? null : toReply(raw);
}

describe('refuses', () => {
  test.each([
    'hello\r\n',
    '25 ok\r\n',
    '2500 ok\r\n',
    '150 hm\r\n',
    '650 hm\r\n',
    '250\tok\r\n',
    '\r\n',
    ' 250 ok\r\n',
    '2\x0050 ok\r\n',
    'HTTP/1.1 400 Bad Request\r\n',
  ])('what is not a reply: %j', (line) => {
    const { replies, problem } = parse(line);
    expect(replies).toEqual([]);
    expect(problem).toMatch(/^not an SMTP reply/);
  });

  test('a reply that changes its code midway', () => {
    expect(parse('250-yes\r\n550 no\r\n')).toMatchObject({
      replies: [],
      problem: expect.stringContaining('changes its code'),
    });
  });

  test('more than 100 lines', () => {
    expect(parse('250-x\r\n'.repeat(99), '250 x\r\n').problem).toBeNull();
    expect(parse('250-x\r\n'.repeat(100)).problem).toContain('100 lines');
  });

  test('more than 64 KB, also in one endless line', () => {
    expect(parse(`250-${'x'.repeat(4_000)}\r\n`.repeat(20)).problem).toContain('65536 bytes');
    expect(parse(`250 ${'x'.repeat(70_000)}`).problem).toContain('65536 bytes');
    expect(parse('250 ', ...Array.from({ length: 70 }, () => 'x'.repeat(1_000))).problem).toContain('65536 bytes');
  });
});

describe('reads', () => {
  test('codes, enhanced codes and texts', () => {
    expect(reply('250 2.1.5 Ok\r\n')).toEqual({ code: 250, enhancedCode: '2.1.5', text: 'Ok' });
    expect(reply('250 Ok\r\n')).toEqual({ code: 250, enhancedCode: null, text: 'Ok' });
    expect(reply('250\r\n')).toEqual({ code: 250, enhancedCode: null, text: '' });
    expect(reply('550 5.7.515\r\n')).toEqual({ code: 550, enhancedCode: '5.7.515', text: '' });
    expect(reply('220 4.2.1.9 is no enhanced code\r\n')?.enhancedCode).toBeNull();
    expect(reply('550 3.1.1 nor is this\r\n')?.enhancedCode).toBeNull();
  });

  test('several lines as one text, the enhanced code taken out of each', () => {
    expect(reply('550-5.1.1 The account\r\n550-5.1.1\r\n550 5.1.1 does not exist\r\n')).toEqual({
      code: 550,
      enhancedCode: '5.1.1',
      text: 'The account does not exist',
    });
  });

  test('a second, different enhanced code as text', () => {
    expect(reply('550-5.1.1 a\r\n550 5.7.1 b\r\n')).toEqual({ code: 550, enhancedCode: '5.1.1', text: 'a 5.7.1 b' });
  });

  test('bare LF, UTF-8 and broken UTF-8', () => {
    expect(reply('250 Grüße\n')?.text).toBe('Grüße');
    const broken = parse(Buffer.from([0x32, 0x35, 0x30, 0x20, 0xff, 0x0d, 0x0a])).replies[0];
    expect(broken && toReply(broken).text).toBe('\ufffd');
  });

  test('control characters away and no more than 1,000 characters', () => {
    expect(reply('250 a\x00b\x1b[31mc\x7f\r\n')?.text).toBe('ab[31mc');
    expect(reply(`250 ${'x'.repeat(3_000)}\r\n`)?.text).toHaveLength(1_000);
  });

  test('a line above 4 KB cut to 4 KB', () => {
    const { replies, problem } = parse(`250 ${'x'.repeat(9_000)}`, 'y'.repeat(9_000), '\r\n250 next\r\n');
    expect(problem).toBeNull();
    expect(replies.map((raw) => raw.lines[0]?.length)).toEqual([4_096, 8]);
  });

  test('an unfinished reply as unfinished', () => {
    expect(parse('250-first\r\n')).toEqual({ replies: [], problem: null, midReply: true });
    expect(parse('250 with').midReply).toBe(true);
    expect(parse('250 whole\r\n').midReply).toBe(false);
  });

  test('the same replies however they are cut into chunks', () => {
    const text = '220 hi\r\n250-a\r\n250-SIZE 10\r\n250 ok\r\n354 go\r\n550-5.1.1 é no\r\n550 5.1.1 x\r\n';
    const whole = parse(text).replies;
    const bytes = Buffer.from(text);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: bytes.length }), { maxLength: 20 }), (cuts) => {
        const edges = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
        const chunks = edges.slice(1).map((edge, index) => bytes.subarray(edges[index], edge));
        expect(parse(...chunks).replies).toEqual(whole);
      }),
    );
  });

  test('never throws and never keeps much, whatever comes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 20 }), (chunks) => {
        for (const raw of parse(...chunks.map((chunk) => Buffer.from(chunk))).replies) {
          expect(toReply(raw).text.length).toBeLessThanOrEqual(1_000);
        }
      }),
    );
  });
});
