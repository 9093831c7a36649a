// Dot-stuffing against a plain definition of it, over every way to cut content into blocks.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DotStuffer } from '#/runtime/smtp-client/dot-stuffing.ts';

function wire(...blocks: readonly string[]): string {
  const stuffer = new DotStuffer();
  const sent = blocks.map((block) => Buffer.concat(stuffer.stuff(Buffer.from(block, 'latin1'))).toString('latin1'));
  return sent.join('') + stuffer.end().toString('latin1');
}

/** What a server makes of it (RFC 5321 §4.5.2): content up to the first lone dot, one dot less on lines that begin with one. */
function received(sent: string): { content: string; rest: string } {
  const end = `\r\n${sent}`.indexOf('\r\n.\r\n');
  return { content: sent.slice(0, end).replace(/(^|\r\n)\./g, '$1'), rest: sent.slice(end + 3) };
}

describe('the final dot', () => {
  test.each([
    ['', '.\r\n'],
    ['a\r\n', 'a\r\n.\r\n'],
    ['a', 'a\r\n.\r\n'],
    ['a\r', 'a\r\n.\r\n'],
    ['a\n', 'a\n\r\n.\r\n'],
    ['\r\n', '\r\n.\r\n'],
    ['.', '..\r\n.\r\n'],
    ['.\r\n', '..\r\n.\r\n'],
    ['a\r\n.\r\nb\r\n', 'a\r\n..\r\nb\r\n.\r\n'],
    ['a\n.\r\nb', 'a\n..\r\nb\r\n.\r\n'],
  ])('after %j', (content, expected) => {
    expect(wire(content)).toBe(expected);
  });

  test('stands after exactly one CRLF where the last one lies across blocks', () => {
    expect(wire('a\r', '\n')).toBe('a\r\n.\r\n');
    expect(wire('a', '\r', '\n', '')).toBe('a\r\n.\r\n');
  });
});

test('a block that needs nothing is passed on itself, not copied', () => {
  const block = Buffer.from('a.b\r\nc.\r\n');
  const [same, ...more] = new DotStuffer().stuff(block);
  expect(same).toBe(block);
  expect(more).toEqual([]);
});

test('a dot at the start of a block counts when the block before ended a line', () => {
  expect(wire('a\r\n', '.\r\n')).toBe('a\r\n..\r\n.\r\n');
  expect(wire('a\r', '\n.b')).toBe('a\r\n..b\r\n.\r\n');
  expect(wire('a', '.b')).toBe('a.b\r\n.\r\n');
});

const pieces = fc.array(fc.constantFrom('a', '.', '..', '\r\n', '\r\n', '\r\n.', '\r\n.\r\n', 'text'), {
  maxLength: 40,
});

test('however it is cut, the peer reads back the content and nothing after it', () => {
  fc.assert(
    fc.property(pieces, fc.array(fc.nat(120), { maxLength: 12 }), (parts, cuts) => {
      const content = parts.join('');
      const edges = [0, ...cuts.map((cut) => Math.min(cut, content.length)).toSorted((a, b) => a - b), content.length];
      const sent = wire(...edges.slice(1).map((edge, index) => content.slice(edges[index], edge)));
      const closed = content === '' || content.endsWith('\r\n') ? content : `${content}\r\n`;
      expect(received(sent)).toEqual({ content: closed, rest: '' });
    }),
    { numRuns: 2_000 },
  );
});

test('no line of any content is a lone dot, whether lines end in CRLF or bare LF', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('.', '\r', '\n', '\0', 'a'), { maxLength: 60 }), (parts) => {
      const sent = wire(...parts);
      expect(sent.slice(0, -3).split('\n')).not.toContainEqual(expect.stringMatching(/^\.\r?$/));
    }),
    { numRuns: 2_000 },
  );
});
