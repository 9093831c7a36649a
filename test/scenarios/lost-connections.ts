// Receivers that hang up, reset or fall silent, in every phase. Before the final dot nothing can have arrived, so the mail
// comes again and there is one copy.
import { at, closing, deferred, delivered, once, type Scenario } from '../support/scenario.ts';
import type { PeerAnswer } from '../support/smtp-peer.ts';

const endings = [
  ['hangs up', 'drop', /closed/],
  ['resets the connection', 'reset', /ECONNRESET|closed/],
  ['falls silent', 'hang', /no answer within 4000 ms/],
] as const satisfies readonly (readonly [string, PeerAnswer, RegExp])[];

const commands = ['EHLO', 'MAIL', 'RCPT', 'DATA'] as const;
const unpipelined = ['SIZE 10000000', '8BITMIME'];
const large = 'All of this is one long letter to somebody who reads slowly.\n'.repeat(10_000);

export const lostConnections: readonly Scenario[] = [
  {
    name: 'nothing listens',
    hosts: { mx: null },
    story: [
      deferred(/ECONNREFUSED/, { host: 'mx', againIn: [24, 36] }),
      deferred(/ECONNREFUSED/, { againIn: [48, 72] }),
    ],
  },
  ...endings.map(
    ([how, answer, says]): Scenario => ({
      name: `the receiver ${how} in place of a greeting`,
      peer: once({ greeting: answer }),
      story: [deferred(says, { againIn: [24, 36] }), delivered()],
      check: ({ peer }) => sawNoCommand(peer().log),
    }),
  ),
  ...commands.flatMap((verb) =>
    endings.map(
      ([how, answer, says]): Scenario => ({
        name: `the receiver ${how} at ${verb}`,
        peer: once(at(verb, answer)),
        story: [deferred(says), delivered()],
      }),
    ),
  ),
  ...['RCPT', 'DATA'].map(
    (verb): Scenario => ({
      name: `the receiver hangs up at ${verb}, without PIPELINING`,
      peer: [at(verb, 'drop', { extensions: unpipelined }), { extensions: unpipelined }],
      story: [deferred(/closed/), delivered()],
    }),
  ),
  {
    name: 'the receiver hangs up after half a greeting',
    peer: once({ greeting: closing('220-peer.test speaks') }),
    story: [deferred(/closed/), delivered()],
  },
  {
    name: 'the receiver hangs up after half a reply to RCPT',
    peer: once(at('RCPT', closing('250-2.1.5 Recip'))),
    story: [deferred(/closed/), delivered()],
  },
  {
    name: 'the receiver hangs up as the content begins',
    peer: once({ dropAfterContentBytes: 1 }),
    // A small mail and its dot leave in one packet: what of it was read nobody knows.
    story: [{ outcome: 'IN_DOUBT', code: null }, delivered()],
  },
  ...[1, 70_000, 400_000].map(
    (bytes): Scenario => ({
      name: `the receiver hangs up after ${bytes} octets of a large mail`,
      peer: once({ dropAfterContentBytes: bytes }),
      mails: [{ text: large }],
      story: [deferred(/closed|ECONNRESET|EPIPE/), delivered()],
    }),
  ),
  {
    name: 'the receiver stops reading amid a large mail',
    peer: once(at('DATA', { reply: '354 Go ahead', stopReading: true })),
    mails: [{ attachments: [{ name: 'film.mp4', content: Buffer.alloc(6_000_000, 7) }] }],
    story: [deferred(/no answer within 4000 ms/), delivered()],
  },
  {
    name: 'the receiver hangs up at QUIT',
    peer: at('QUIT', 'drop'),
    story: [delivered()],
  },
  {
    name: 'the receiver never answers QUIT',
    peer: at('QUIT', 'hang'),
    story: [delivered()],
  },
  {
    name: 'the receiver says 500 to QUIT',
    peer: at('QUIT', '500 5.5.1 What?'),
    story: [delivered()],
  },
  {
    name: 'a greeting that comes late is waited for',
    peer: { greeting: { late: '220 peer.test, sorry', afterMs: 2_000 } },
    story: [delivered()],
    check: ({ peer }) => {
      if (peer().connections !== 1) throw new Error('it was not waited for');
    },
  },
];

function sawNoCommand(log: readonly string[]): void {
  const beforeRecovery = log.slice(0, log.indexOf('<connected>', 1));
  if (beforeRecovery.some((line) => !line.startsWith('<') && line !== 'QUIT'))
    throw new Error(`a command was sent before the greeting: ${beforeRecovery.join(', ')}`);
}
