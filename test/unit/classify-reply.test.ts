// SMTP replies: outcome by phase, type by the rules, and who is suppressed for it.
import { describe, expect, test } from 'vitest';
import { classifyReply } from '#/mail/classify-reply.ts';
import { processorTime } from '../support/time-taken.ts';

type Phase = Parameters<typeof classifyReply>[1];
const at = (phase: Phase, code: number, enhancedCode: string | null, text: string) =>
  classifyReply({ code, enhancedCode, text }, phase);

describe('outcomes', () => {
  test('2xx is delivered', () => expect(at('content', 250, '2.0.0', 'queued')).toEqual({ outcome: 'DELIVERED' }));
  test('4xx is deferred, whatever it says', () =>
    expect(at('recipient', 450, '4.1.1', 'user unknown')).toMatchObject({ outcome: 'DEFERRED' }));
  test('5xx before MAIL is deferred', () =>
    expect(at('connection', 554, '5.7.1', 'your host is blocked')).toEqual({ outcome: 'DEFERRED', type: 'BLOCKED' }));
});

describe('types and suppression', () => {
  test.each<[Phase, number, string | null, string, string, boolean]>([
    ['recipient', 550, '5.1.1', 'no such user', 'HARD_BOUNCE', true],
    ['recipient', 550, null, '<a@b.example>: Recipient address rejected: User unknown', 'HARD_BOUNCE', true],
    ['recipient', 550, null, 'something new', 'HARD_BOUNCE', true],
    ['recipient', 550, '5.7.1', 'no such user here', 'HARD_BOUNCE', false],
    ['content', 550, null, 'User unknown', 'BLOCKED', false],
    ['content', 550, '5.1.1', 'User unknown', 'HARD_BOUNCE', true],
    ['mail', 553, null, 'a@shop.example does not exist', 'BLOCKED', false],
    ['recipient', 552, '5.2.2', 'mailbox full', 'SOFT_BOUNCE', false],
    ['recipient', 552, '5.1.1', 'Boite du destinataire pleine', 'SOFT_BOUNCE', false],
    ['recipient', 550, '5.2.1', 'The email account that you tried to reach is disabled', 'SOFT_BOUNCE', false],
    [
      'recipient',
      550,
      '5.7.1',
      'Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org',
      'BLOCKED',
      false,
    ],
    ['recipient', 554, '5.7.1', 'Relay access denied', 'BLOCKED', false],
    [
      'content',
      550,
      '5.7.26',
      "Unauthenticated email from x.example is not accepted due to domain's DMARC policy",
      'DMARC_POLICY',
      false,
    ],
    ['content', 554, '5.7.1', 'Message contains a virus', 'VIRUS_NOTIFICATION', false],
    ['content', 550, '5.7.1', 'This message is likely unsolicited mail', 'SPAM_NOTIFICATION', false],
    ['content', 552, '5.3.4', 'Message size exceeds fixed limit', 'SOFT_BOUNCE', false],
    ['recipient', 556, '5.1.10', 'Domain does not accept mail (nullMX)', 'HARD_BOUNCE', true],
    ['recipient', 551, '5.1.6', 'recipient has moved to b@c.example', 'ADDRESS_CHANGE', true],
    ['content', 554, null, '', 'BLOCKED', false],
  ])('%s %i %s %s', (phase, code, enhancedCode, text, type, condemns) => {
    expect(at(phase, code, enhancedCode, text)).toEqual({ outcome: 'BOUNCED', type, condemns });
  });

  test.each([
    [421, '4.7.0', 'Too many messages from this host', 'TRANSIENT'],
    [450, '4.2.0', 'Greylisted, see http://postgrey.example/', 'TRANSIENT'],
    [452, '4.2.2', 'over quota', 'SOFT_BOUNCE'],
    [451, '4.4.3', 'DNS lookup failed temporarily', 'DNS_ERROR'],
    [421, null, '', 'TRANSIENT'],
  ])('%i %s %s', (code, enhancedCode, text, type) => {
    expect(at('recipient', code, enhancedCode, text)).toEqual({ outcome: 'DEFERRED', type });
  });

  test('long and strange texts take no time', () => {
    const texts = [
      'x',
      'a ',
      'your mail host sender user mailbox ',
      "user's 'user' <user ",
      '@',
      '. ',
      '5',
      'invalid ',
      '\u2028',
    ];
    for (const text of texts) {
      expect(processorTime(() => at('recipient', 550, null, text.repeat(100_000)))).toBeLessThan(100);
    }
  });
});
