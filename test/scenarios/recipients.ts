// Several recipients of one mail: each has a fate of its own, and gets one copy or none.
import { expect } from 'vitest';
import { at, bounced, deferred, delivered, doubted, once, overdue, type Scenario } from '../support/scenario.ts';

const hardBounce = bounced(550, 'HARD_BOUNCE', { suppresses: true });
const many = Array.from({ length: 50 }, (_, index) => (index % 5 === 0 ? `bounce+${index}` : `r${index}`));

export const recipients: readonly Scenario[] = [
  {
    name: 'taken, unknown, refused by policy, full: each for itself',
    mails: [{ to: ['ann', 'bounce'], cc: ['blocked', 'soft-bounce'] }],
    story: {
      ann: [delivered()],
      bounce: [hardBounce],
      blocked: [bounced(550, 'BLOCKED')],
      'soft-bounce': [deferred(452)],
    },
    check: ({ peer }) => expect(peer().messages.length).toBe(1),
  },
  {
    name: 'one of two is greylisted: the other is not sent a second copy',
    peer: {
      answer: (() => {
        let refusals = 1;
        return ({ verb, localPart }: { verb: string; localPart: string }) =>
          verb === 'RCPT' && localPart === 'bob' && refusals-- > 0 ? '450 4.7.1 Greylisted' : null;
      })(),
    },
    mails: [{ to: ['ann', 'bob'] }],
    story: { ann: [delivered()], bob: [deferred(450), delivered()] },
  },
  {
    name: 'one of two is in doubt: the other has its copy',
    peer: {
      answer: ({ verb }, { recipients: [to = ''] }) => (verb === '.' && to.startsWith('bob') ? 'drop' : null),
    },
    mails: [{ to: ['ann', 'bob'] }],
    inDoubt: 'NEVER_TWICE',
    story: { ann: [delivered()], bob: [doubted()] },
  },
  {
    name: 'the connection is lost at one recipient: the others do not suffer',
    mails: [{ to: ['ann', 'drop', 'bob'] }],
    story: { ann: [delivered()], drop: [deferred(/closed/)], bob: [delivered()] },
  },
  {
    name: 'two domains, of which one is down',
    hosts: { mx: {} },
    dns: ({ domain, address }) => ({
      [`down.${domain}`]: { MX: [`10 mx.down.${domain}`] },
      [`mx.down.${domain}`]: { A: [address('nowhere')] },
    }),
    mails: [{ to: ['ann', 'bob@down.'] }],
    story: { ann: [delivered()], bob: [deferred(/ECONNREFUSED/)] },
  },
  {
    name: 'fifty recipients of which ten are unknown',
    mails: [{ to: many }],
    story: Object.fromEntries(many.map((local) => [local, local.startsWith('bounce') ? [hardBounce] : [delivered()]])),
    check: ({ peer }) => expect(peer().messages.length).toBe(40),
  },
  {
    name: 'everybody is told who else gets the mail, and one RCPT is sent for each',
    mails: [{ to: ['ann', 'bob'], cc: ['cyd'] }],
    story: [delivered()],
    check: ({ peer, place: { domain } }) => {
      for (const { raw, recipients: to } of peer().messages) {
        expect(to.length).toBe(1);
        expect(raw.toString()).toContain(`To: ann@${domain}, bob@${domain}\r\nCc: cyd@${domain}\r\n`.slice(0, 20));
      }
    },
  },
  {
    name: 'what is past its time is not tried any more',
    peer: at('RCPT', '451 4.3.0 Not now'),
    mails: [{ expiresInMs: 25_000 }],
    story: [deferred(451, { repeats: true }), overdue('EXPIRED')],
  },
  {
    name: 'what is past its time and may have arrived is in doubt, not expired',
    peer: once(at('.', 'drop'), ...Array.from({ length: 50 }, () => at('RCPT', '451 4.3.0 Not now'))),
    mails: [{ expiresInMs: 25_000 }],
    story: [doubted(), deferred(451, { repeats: true }), overdue('IN_DOUBT')],
  },
];
