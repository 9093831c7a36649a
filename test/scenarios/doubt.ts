// After the final dot without an answer: nobody knows whether the mail arrived. RETRY sends it again, the same message, to
// the same host; NEVER_TWICE leaves it. The next exchanger is never tried.
import { expect } from 'vitest';
import { at, closing, deferred, delivered, doubted, once, type Saw, type Scenario } from '../support/scenario.ts';

const sentTwice = ({ peer }: Saw) => {
  const [first, second, ...more] = peer().seen;
  expect(more).toEqual([]);
  expect(second?.messageId).toBe(first?.messageId);
  expect(bodyOf(second?.raw)).toBe(bodyOf(first?.raw));
};

const sentOnce = ({ peer }: Saw) => expect(peer().seen.length).toBe(1);

export const doubts: readonly Scenario[] = [
  {
    name: 'an answer to the final dot that takes 90 seconds gives one copy',
    peer: at('.', { late: '250 2.0.0 Accepted at last', afterMs: 90_000 }),
    story: [delivered()],
    check: (saw) => {
      sentOnce(saw);
      expect(saw.recipient().doubts).toBe(0);
    },
  },
  {
    name: 'an answer that takes 90 seconds, to mail of which there must be no second copy',
    peer: at('.', { late: '250 2.0.0 Accepted at last', afterMs: 90_000 }),
    inDoubt: 'NEVER_TWICE',
    story: [delivered()],
    check: sentOnce,
  },
  {
    name: 'no answer to the final dot, ever: in doubt when patience ends, then sent again',
    peer: once(at('.', 'hang')),
    story: [doubted({ says: /no answer within 97000 ms/ }), delivered()],
    check: sentTwice,
  },
  {
    name: 'no answer to the final dot, ever, and no second copy is wanted',
    peer: at('.', 'hang'),
    inDoubt: 'NEVER_TWICE',
    story: [doubted()],
    check: sentOnce,
  },
  ...(['drop', 'reset'] as const).flatMap((ending): Scenario[] => [
    {
      name: `${ending} after the final dot: sent again with the same Message-ID`,
      peer: once(at('.', ending)),
      story: [doubted(), delivered()],
      check: sentTwice,
    },
    {
      name: `${ending} after the final dot, and no second copy is wanted`,
      peer: at('.', ending),
      inDoubt: 'NEVER_TWICE',
      story: [doubted()],
      check: sentOnce,
    },
  ]),
  {
    name: 'half an answer to the final dot is none',
    peer: once(at('.', closing('250-2.0.0 Accep'))),
    story: [doubted(), delivered()],
    check: sentTwice,
  },
  {
    name: 'garbage as the answer to the final dot',
    peer: once(at('.', { raw: '\x15\x03\x01 what?\r\n' })),
    story: [doubted(), delivered()],
    check: sentTwice,
  },
  {
    name: 'three doubts and no more: then it is left in doubt',
    peer: at('.', 'drop'),
    story: [doubted(), doubted(), doubted()],
    check: ({ peer, recipient }) => {
      expect(peer().seen.length).toBe(3);
      expect(recipient().doubts).toBe(3);
    },
  },
  {
    name: 'the next exchanger is not tried in doubt, and gets nothing',
    hosts: { first: at('.', 'drop'), second: {} },
    inDoubt: 'NEVER_TWICE',
    story: [doubted({ host: 'first' })],
    check: ({ peer }) => expect(peer('second').connections).toBe(0),
  },
  {
    name: 'the retry of what is in doubt goes to the same exchanger again',
    hosts: { first: once(at('.', 'drop')), second: {} },
    story: [doubted({ host: 'first' }), delivered({ host: 'first' })],
    check: ({ peer }) => expect(peer('second').connections).toBe(0),
  },
  {
    name: 'deferred before, in doubt then: both stand on record',
    peer: once(at('RCPT', '451 4.3.0 Not now'), at('.', 'drop')),
    story: [deferred(451), doubted(), delivered()],
    check: ({ recipient }) => expect(recipient().doubts).toBe(1),
  },
];

function bodyOf(raw: Buffer | undefined): string {
  const text = raw?.toString('latin1') ?? '';
  return text.slice(text.indexOf('\r\n\r\n'));
}
