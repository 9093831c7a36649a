// Receivers that say no, for now or for good, at each command. Before MAIL they do not know whose mail it is, so nothing
// they say condemns a recipient; 5.7.x is about us and suppresses nobody.
import { expect } from 'vitest';
import { at, bounced, closing, deferred, delivered, once, type Scenario } from '../support/scenario.ts';

const minutes = (least: number, most: number) => [least * 60, most * 60] as const;

export const refusals: readonly Scenario[] = [
  {
    name: '421 in place of a greeting: later',
    peer: once({ greeting: closing('421 4.3.2 Too busy') }),
    story: [deferred(421, { againIn: minutes(1.6, 2.4) }), delivered()],
  },
  {
    name: '450 in place of a greeting: later',
    peer: once({ greeting: '450 4.3.2 Not now' }),
    story: [deferred(450), delivered()],
  },
  {
    name: '554 in place of a greeting is about us: no bounce, and the site is left alone',
    peer: { greeting: '554 5.7.1 Your address is on a list' },
    story: [deferred(554)],
    // What is on its way already may still call.
    check: ({ peer }) => expect(peer().connections).toBeLessThanOrEqual(3),
  },
  {
    name: '521 in place of a greeting: this host takes no mail, which condemns nobody',
    peer: { greeting: closing('521 5.3.2 This host does not accept mail') },
    story: [deferred(521)],
    // What is on its way already may still call.
    check: ({ peer }) => expect(peer().connections).toBeLessThanOrEqual(3),
  },
  {
    name: '421 at EHLO: later',
    peer: once(at('EHLO', closing('421 4.7.0 Come back'))),
    story: [deferred(421), delivered()],
  },
  {
    name: '451 at EHLO: later',
    peer: once(at('EHLO', '451 4.3.0 Local trouble')),
    story: [deferred(451), delivered()],
  },
  {
    name: '550 at EHLO and at HELO is about us: no bounce',
    peer: { answer: ({ verb }) => (['EHLO', 'HELO'].includes(verb) ? '550 5.7.1 I do not like your name' : null) },
    story: [deferred(550)],
  },
  {
    name: '502 at EHLO: HELO does',
    peer: at('EHLO', '502 5.5.1 What is EHLO?'),
    story: [delivered({ tls: null })],
    check: ({ peer }) => {
      expect(peer().log).toContain('HELO out.veredus.example');
      // No extension was offered, so none may be used.
      expect(peer().messages[0]?.parameters).toBe('');
    },
  },
  {
    name: '421 at MAIL: later',
    peer: once(at('MAIL', closing('421 4.3.2 Shutting down'))),
    story: [deferred(421, { againIn: minutes(1.6, 2.4) }), delivered()],
  },
  {
    name: '451 at MAIL: later',
    peer: once(at('MAIL', '451 4.3.0 Queue is full')),
    story: [deferred(451), delivered()],
  },
  {
    name: '452 at MAIL for want of room: later',
    peer: once(at('MAIL', '452 4.3.1 Insufficient system storage')),
    story: [deferred(452), delivered()],
  },
  {
    name: '550 at MAIL refuses our sender: a bounce that suppresses nobody',
    peer: at('MAIL', '550 5.7.1 Sender is not welcome'),
    story: [bounced(550, 'BLOCKED')],
  },
  {
    name: '552 at MAIL: the mail is too large',
    peer: at('MAIL', '552 5.3.4 Message is too large'),
    story: [bounced(552, 'SOFT_BOUNCE')],
  },
  {
    name: '421 at RCPT: later',
    peer: once(at('RCPT', closing('421 4.3.2 Shutting down'))),
    story: [deferred(421), delivered()],
  },
  {
    name: '450 at RCPT, a greylist: again in five minutes, from the same address',
    peer: once(at('RCPT', '450 4.7.1 Greylisted, please come back')),
    story: [deferred(450, { againIn: minutes(5, 6) }), delivered()],
  },
  {
    name: '451 at RCPT, a greylist without its name: again in five minutes',
    peer: once(at('RCPT', '451 4.7.1 Please try again later')),
    story: [deferred(451, { againIn: minutes(5, 6) }), delivered()],
  },
  {
    name: 'a greylist that says no twice: again in ten minutes',
    peer: once(at('RCPT', '451 4.7.1 Greylisted'), at('RCPT', '451 4.7.1 Greylisted')),
    story: [deferred(451, { againIn: minutes(5, 6) }), deferred(451, { againIn: minutes(10, 12) }), delivered()],
  },
  {
    name: 'a greylist that names its time is not called before',
    peer: once(at('RCPT', '450 4.2.0 Greylisted, try again in 700 seconds')),
    story: [deferred(450, { againIn: [700, 840] }), delivered()],
  },
  {
    name: 'a greylist at DATA',
    peer: once(at('DATA', '451 4.7.1 Greylisted, try again later')),
    story: [deferred(451, { againIn: minutes(5, 6) }), delivered()],
  },
  {
    name: 'a greylist after the content',
    peer: once(at('.', '451 4.7.1 Greylisted, try again later')),
    story: [deferred(451, { againIn: minutes(5, 6) }), delivered()],
  },
  {
    name: '452 4.2.2 at RCPT: a full mailbox is left alone for hours',
    peer: at('RCPT', '452 4.2.2 Mailbox is full'),
    story: [deferred(452, { againIn: minutes(96, 144) })],
  },
  {
    name: '452 too many recipients at RCPT: later',
    peer: once(at('RCPT', '452 4.5.3 Too many recipients')),
    story: [deferred(452), delivered()],
  },
  {
    name: '550 5.1.1 at RCPT: no such mailbox, and the address is suppressed',
    peer: at('RCPT', '550 5.1.1 No such user here'),
    story: [bounced(550, 'HARD_BOUNCE', { suppresses: true })],
  },
  {
    name: '553 5.1.3 at RCPT: an address that cannot be, suppressed',
    peer: at('RCPT', '553 5.1.3 Invalid address format'),
    story: [bounced(553, 'BAD_EMAIL_ADDRESS', { suppresses: true })],
  },
  {
    name: '551 5.1.6 at RCPT: moved without a new address, suppressed',
    peer: at('RCPT', '551 5.1.6 The user has moved and left no address'),
    story: [bounced(551, 'ADDRESS_CHANGE', { suppresses: true })],
  },
  {
    name: '550 5.7.1 at RCPT: policy, suppressed is nobody',
    peer: at('RCPT', '550 5.7.1 Message refused by policy'),
    story: [bounced(550, 'BLOCKED')],
  },
  {
    name: '550 without an enhanced code at RCPT: the text says that there is no such user',
    peer: at('RCPT', '550 No such user'),
    story: [bounced(550, 'HARD_BOUNCE', { suppresses: true })],
  },
  {
    name: '552 5.2.2 at RCPT: a full mailbox, for good, suppresses nobody',
    peer: at('RCPT', '552 5.2.2 Over quota'),
    story: [bounced(552, 'SOFT_BOUNCE')],
  },
  {
    name: '421 at DATA: later',
    peer: once(at('DATA', closing('421 4.3.2 Shutting down'))),
    story: [deferred(421), delivered()],
  },
  {
    name: '451 at DATA: later',
    peer: once(at('DATA', '451 4.3.0 Local trouble')),
    story: [deferred(451), delivered()],
  },
  {
    name: '554 at DATA: for good',
    peer: at('DATA', '554 5.7.1 Not from you'),
    story: [bounced(554, 'BLOCKED')],
  },
  {
    name: '421 to the final dot: the mail was not taken, later',
    peer: once(at('.', closing('421 4.3.2 Shutting down'))),
    story: [deferred(421), delivered()],
  },
  {
    name: '452 to the final dot: later',
    peer: once(at('.', '452 4.3.1 Disk is full')),
    story: [deferred(452), delivered()],
  },
  {
    name: '550 5.7.1 to the final dot: content refused, suppresses nobody',
    peer: at('.', '550 5.7.1 This looks like spam'),
    story: [bounced(550, 'SPAM_NOTIFICATION')],
  },
  {
    name: '550 5.1.1 to the final dot condemns the address all the same',
    peer: at('.', '550 5.1.1 No such user'),
    story: [bounced(550, 'HARD_BOUNCE', { suppresses: true })],
  },
  {
    name: '552 to the final dot: too large after all',
    peer: at('.', '552 5.3.4 Message is too large'),
    story: [bounced(552, 'SOFT_BOUNCE')],
  },
  {
    name: '550 amid the content of a large mail: refused before the dot, and no dot is sent',
    peer: { refuseAfterContentBytes: { bytes: 100_000, reply: '550 5.7.1 On second thoughts, no' } },
    mails: [{ attachments: [{ name: 'film.mp4', content: Buffer.alloc(6_000_000, 7) }] }],
    story: [bounced(550, 'BLOCKED')],
    check: ({ peer }) => expect(peer().seen).toEqual([]),
  },
];
