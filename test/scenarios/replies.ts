// Replies of every form: what can be understood is, what cannot be trusted ends the connection, and nothing of it reaches
// a log or a customer as control characters.
import { expect } from 'vitest';
import { at, bounced, closing, deferred, delivered, doubted, once, type Scenario } from '../support/scenario.ts';

export const replies: readonly Scenario[] = [
  {
    name: 'a greeting of many lines',
    peer: { greeting: '220-peer.test\r\n220-No spam, please.\r\n220 ESMTP' },
    story: [delivered()],
  },
  {
    name: 'a refusal of many lines is read whole',
    peer: at('RCPT', '550-5.1.1 The account that you tried to reach\r\n550-5.1.1 does not exist.\r\n550 5.1.1 Sorry'),
    story: [
      bounced(550, 'HARD_BOUNCE', {
        suppresses: true,
        says: /^550 5\.1\.1 The account that you tried to reach does not exist\. Sorry$/,
      }),
    ],
  },
  {
    name: 'replies byte by byte',
    peer: {
      greeting: { trickle: '220 peer.test' },
      answer: ({ verb }) =>
        ({
          EHLO: { trickle: '250-peer.test\r\n250-PIPELINING\r\n250 SIZE 10000000' },
          MAIL: { trickle: '250 2.1.0 Sender ok' },
          RCPT: { trickle: '250 2.1.5 Recipient ok' },
          DATA: { trickle: '354 Go ahead' },
          '.': { trickle: '250 2.0.0 Accepted' },
        })[verb],
    },
    story: [delivered()],
  },
  {
    name: 'an accepting line of 3,000 octets',
    peer: at('RCPT', `250 ${'ok '.repeat(1_000)}`),
    story: [delivered()],
  },
  {
    name: 'a refusal of 60,000 octets is cut',
    peer: at(
      'RCPT',
      Array.from({ length: 60 }, () => `550-5.7.1 ${'x'.repeat(990)}`).join('\r\n') + '\r\n550 5.7.1 end',
    ),
    story: [bounced(550, 'BLOCKED')],
    check: ({ recipient }) => expect(recipient().attempts[0]?.response?.length).toBeLessThan(1_100),
  },
  {
    name: 'a reply without end is given up',
    peer: once(at('EHLO', { raw: '250-AND-SO-ON\r\n'.repeat(10_000) })),
    story: [deferred(/reply/), delivered()],
  },
  {
    name: 'a line without end is given up',
    peer: once({ greeting: { raw: `220 ${'x'.repeat(200_000)}` } }),
    story: [deferred(/larger than/), delivered()],
  },
  {
    name: 'codes alone, without text',
    peer: { greeting: '220', answer: ({ verb }) => ({ MAIL: '250', RCPT: '250', DATA: '354', '.': '250' })[verb] },
    story: [delivered()],
  },
  {
    name: 'a refusal without text',
    peer: at('RCPT', '550'),
    story: [bounced(550, 'HARD_BOUNCE', { suppresses: true })],
  },
  {
    name: 'line ends that are LF alone',
    peer: {
      greeting: { raw: '220 peer.test\n' },
      answer: ({ verb }) => (verb === 'MAIL' ? { raw: '250 ok\n' } : null),
    },
    story: [delivered()],
  },
  {
    name: 'EHLO keywords in small letters count',
    peer: at('EHLO', '250-peer.test\r\n250-pipelining\r\n250-size 10000000\r\n250 8bitmime'),
    story: [delivered()],
    check: ({ peer }) => expect(peer().messages[0]?.parameters).toMatch(/^SIZE=\d+$/),
  },
  {
    name: 'a code that changes amid a reply is not believed',
    peer: once(at('RCPT', '250-2.1.5 Perhaps\r\n550 5.1.1 or not')),
    story: [deferred(/changes its code/), delivered()],
  },
  {
    name: '354 where MAIL was asked',
    peer: once(at('MAIL', '354 Go ahead')),
    story: [deferred(/unexpected reply 354/), delivered()],
  },
  {
    name: '250 where DATA was asked: no content is sent',
    peer: once(at('DATA', '250 2.0.0 Ok')),
    story: [deferred(/unexpected reply 250/), delivered()],
    check: ({ peer }) => expect(peer().seen.length).toBe(1),
  },
  {
    name: '354 to the final dot says nothing: in doubt',
    peer: once(at('.', '354 Go on')),
    story: [doubted(), delivered()],
  },
  {
    name: '250 in place of a greeting',
    peer: once({ greeting: '250 peer.test' }),
    story: [deferred(/unexpected reply 250/), delivered()],
  },
  {
    name: 'a code of 600 is none',
    peer: once(at('MAIL', '600 5.1.1 Beyond all')),
    story: [deferred(/not an SMTP reply/), delivered()],
  },
  {
    name: 'HTTP in place of SMTP',
    peer: once({ greeting: closing('HTTP/1.1 400 Bad Request') }),
    story: [deferred(/not an SMTP reply/), delivered()],
  },
  {
    name: 'SSH in place of SMTP',
    peer: once({ greeting: 'SSH-2.0-OpenSSH_9.2' }),
    story: [deferred(/not an SMTP reply/), delivered()],
  },
  {
    name: 'NUL, escape and 8-bit octets in a refusal do not reach the customer',
    peer: at('RCPT', { raw: '550 5.1.1 No\0 such \x1b[31muser\xff caf\xe9\r\n' }),
    story: [bounced(550, 'HARD_BOUNCE', { suppresses: true, says: /^550 5\.1\.1 No such \[31muser/ })],
    check: ({ recipient }) => expect(JSON.stringify(recipient())).not.toMatch(/\\u00(?:0|1)|\\x1b/),
  },
  {
    name: 'NUL in the code makes it none',
    peer: once(at('RCPT', { raw: '2\x0050 ok\r\n' })),
    story: [deferred(/not an SMTP reply/), delivered()],
  },
  {
    name: 'a reply too many at MAIL is not taken for that of RCPT',
    peer: once(
      at(
        'MAIL',
        { raw: '250 2.1.0 ok\r\n250 2.1.5 ok\r\n354 go\r\n250 2.0.0 lost and found\r\n' },
        {
          extensions: ['SIZE 10000000'],
        },
      ),
    ),
    story: [deferred(/out of turn/), delivered()],
  },
  {
    name: 'a second reply with the greeting is not taken for that of EHLO',
    peer: once({ greeting: { raw: '220 peer.test\r\n250 peer.test\r\n' } }),
    story: [deferred(/out of turn/), delivered()],
  },
  {
    name: 'acceptance that comes before the dot was sent is not believed',
    peer: once(at('DATA', { raw: '354 Go ahead\r\n250 2.0.0 Accepted already\r\n' })),
    mails: [{ text: 'One of very many lines.\n'.repeat(20_000) }],
    story: [deferred(/./), delivered()],
  },
  {
    name: 'an enhanced code of another class than the reply: the reply counts',
    peer: once(at('RCPT', '451 5.1.1 Confused')),
    story: [deferred(451), delivered()],
  },
];
