// Connections that take one mail after the other: how many, how long, and what happens when the receiver has enough.
import { expect } from 'vitest';
import type { SmtpPeer } from '../support/smtp-peer.ts';
import { at, bounced, closing, deferred, delivered, once, type Scenario } from '../support/scenario.ts';

const mails = (count: number) => Array.from({ length: count }, (_, index) => ({ to: [`r${index}`] }));
const greylisted = at('RCPT', '450 4.7.1 Greylisted');

/** A name that makes the receiver one of the known providers. */
const asProvider = (host: string) => ({
  hosts: { mx: { delayMs: 20 } },
  dns: ({ domain, address }: { domain: string; address: (host: string) => string }) => ({
    [domain]: { MX: [`10 ${host}`] },
    [host]: { A: [address('mx')] },
  }),
});

export const sessions: readonly Scenario[] = [
  {
    name: 'thirty mails to one receiver share a few connections',
    peer: { delayMs: 5 },
    mails: mails(30),
    story: [delivered()],
    check: ({ peer }) => expect(peer().connections).toBeLessThanOrEqual(10),
  },
  {
    name: 'an account of many mails holds no more connections than a receiver is given',
    peer: { delayMs: 20 },
    mails: mails(60),
    story: [delivered()],
    check: ({ peer }) => expect(mostOpen(peer())).toBeLessThanOrEqual(10),
  },
  {
    name: 'Google is given no more than five connections',
    ...asProvider('gmail-smtp-in.l.google.com'),
    mails: mails(60),
    story: [delivered()],
    check: ({ peer }) => expect(mostOpen(peer())).toBeLessThanOrEqual(5),
  },
  {
    name: 'Apple is given no more than five mails over one connection',
    ...asProvider('mx01.mail.icloud.com'),
    mails: mails(30),
    story: [delivered()],
    check: ({ peer }) => {
      const perConnection = Map.groupBy(peer().messages, ({ connection }) => connection);
      expect(Math.max(...[...perConnection.values()].map(({ length }) => length))).toBeLessThanOrEqual(5);
    },
  },
  {
    name: 'RSET stands between a refused mail and the next',
    peer: once(greylisted),
    story: [deferred(450), delivered()],
    check: ({ peer }) => {
      const { log } = peer();
      expect(peer().connections).toBe(1);
      expect(log.indexOf('RSET')).toBeGreaterThan(log.findIndex((line) => line.startsWith('RCPT')));
    },
  },
  {
    name: 'RSET that is refused ends the connection, not the mail',
    peer: once(greylisted, at('RSET', '500 5.5.1 What?')),
    story: [deferred(450), deferred(500), delivered()],
    check: ({ peer }) => expect(peer().connections).toBe(2),
  },
  {
    name: 'the receiver hangs up at RSET: on a new connection, and that is no attempt',
    peer: once(greylisted, at('RSET', 'drop')),
    story: [deferred(450), delivered()],
    check: ({ peer }) => expect(peer().connections).toBe(2),
  },
  {
    name: 'the receiver closes an idle connection with a 421: no attempt, no reason to slow down',
    peer: once({ ...greylisted, closesIdleAfterMs: 1_000 }),
    story: [deferred(450), delivered()],
    check: ({ peer }) => expect(peer().connections).toBe(2),
  },
  {
    name: 'the receiver hangs up at MAIL on a connection that was idle: on a new one, and that is no attempt',
    peer: once(greylisted, at('RSET', { reply: '250 2.0.0 Ok', closeAfter: true })),
    story: [deferred(450), delivered()],
    check: ({ peer }) => expect(peer().connections).toBe(2),
  },
  {
    name: 'an idle connection is closed by us with QUIT',
    peer: {},
    story: [delivered()],
    check: ({ peer }) => peer().until(({ log }) => log.includes('QUIT') && log.at(-1) === '<closed>'),
  },
  {
    name: 'the receiver has enough after three mails of a connection, and says 421',
    peer: {
      delayMs: 10,
      answer: ({ verb }, session) =>
        verb === 'MAIL' && (counts.set(session, (counts.get(session) ?? 0) + 1).get(session) ?? 0) > 3
          ? closing('421 4.7.0 Enough of this connection')
          : null,
    },
    mails: mails(12),
    story: [deferred(421, { perhaps: true, repeats: true }), delivered()],
  },
  {
    name: 'the receiver hangs up after each mail',
    peer: at('.', closing('250 2.0.0 Accepted, good bye')),
    mails: mails(12),
    // New connections are measured out: some have to wait for theirs.
    story: [deferred(/no connection/, { perhaps: true, repeats: true }), delivered()],
    check: ({ peer }) => expect(peer().connections).toBe(12),
  },
  {
    name: 'one connection at a time is what the receiver takes',
    peer: {
      delayMs: 10,
      greeting: '220 peer.test',
      answer: ({ verb }, { number }) =>
        verb === 'EHLO' && number > 1 && number < 5 ? closing('421 4.7.0 Too many connections from you') : null,
    },
    mails: mails(8),
    story: [deferred(421, { perhaps: true, repeats: true }), delivered()],
  },
  {
    name: 'every second recipient is unknown, and nobody gets the mail of another',
    peer: {
      answer: ({ verb, localPart }) =>
        verb === 'RCPT' && Number(localPart.slice(1)) % 2 === 1 ? '550 5.1.1 No such user' : null,
    },
    mails: mails(20),
    story: Object.fromEntries(
      mails(20).map(({ to: [local = ''] }, index) => [
        local,
        index % 2 === 1 ? [bounced(550, 'HARD_BOUNCE', { suppresses: true })] : [delivered()],
      ]),
    ),
    check: ({ peer, place }) => {
      for (const { raw, recipients } of peer().messages)
        expect(recipients).toEqual([/^To: (\S+)/m.exec(raw.toString())?.[1]]);
      expect(peer().messages[0]?.recipients[0]).toContain(place.domain);
    },
  },
];

const counts = new WeakMap<object, number>();

function mostOpen({ log }: SmtpPeer): number {
  let open = 0;
  let most = 0;
  for (const line of log) {
    if (line === '<connected>') open++;
    else if (line === '<closed>') open--;
    most = Math.max(most, open);
  }
  return most;
}
