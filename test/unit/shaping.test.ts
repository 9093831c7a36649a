// The pace at which sites are sent to: which site it is, what its replies ask for, and what that makes of its limits.
import { describe, expect, test } from 'vitest';
import { SitePace } from '#/delivery/site-pace.ts';
import { type Measure, partLeft, paceOf } from '#/domain/delivery/measures.ts';
import { isIdleTimeout, replyRules, signalOf } from '#/domain/delivery/reply-rules.ts';
import { providers, siteOf, usualLimits } from '#/domain/delivery/sites.ts';
import { FakeClock } from '../support/fake-clock.ts';

describe('a site', () => {
  test.each<[string[], string]>([
    [['gmail-smtp-in.l.google.com', 'alt1.gmail-smtp-in.l.google.com'], 'google'],
    [['ASPMX.L.GOOGLE.COM.', 'aspmx2.googlemail.com'], 'google'],
    [['mta5.am0.yahoodns.net'], 'yahoo'],
    [['outlook-com.olc.protection.outlook.com'], 'outlook'],
    [['acme-example.mail.protection.outlook.com'], 'microsoft365'],
    [['acme-example.p-v1.mx.microsoft'], 'microsoft365'],
    [['mx01.mail.icloud.com', 'mx02.mail.icloud.com'], 'apple'],
    [['mx1.comcast.net'], 'comcast'],
    [['smtp-in.orange.fr'], 'orange'],
    [['b.example', 'a.example'], 'mx:a.example,b.example'],
    // One of them elsewhere: not the provider's alone.
    [['aspmx.l.google.com', 'mx.acme.example'], 'mx:aspmx.l.google.com,mx.acme.example'],
    [['notgoogle.com'], 'mx:notgoogle.com'],
    [['google.com.evil.example'], 'mx:google.com.evil.example'],
  ])('of %j is %s', (hosts, name) => {
    expect(siteOf(hosts).name).toBe(name);
  });

  test('has sensible limits everywhere', () => {
    for (const { limits } of providers) {
      for (const value of Object.values(limits)) expect(value).toBeGreaterThan(0);
    }
    expect(new Set(providers.map(({ name }) => name)).size).toBe(providers.length);
  });
});

describe('a reply', () => {
  const signal = (
    provider: string | null,
    code: number,
    enhancedCode: string | null,
    text: string,
    connection = false,
  ) => signalOf(provider, { code, enhancedCode, text }, connection ? 'connection' : 'transaction');

  test.each<[string | null, number, string | null, string, string, string]>([
    [
      'yahoo',
      421,
      '4.7.0',
      '[TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume',
      'SUSPEND',
      'SITE',
    ],
    ['google', 421, '4.7.28', 'Our system has detected an unusual rate of unsolicited mail', 'SLOW', 'SITE'],
    ['google', 421, '4.7.26', 'This mail has been rate limited because it is unauthenticated', 'SUSPEND', 'ACCOUNT'],
    [
      'outlook',
      451,
      '4.7.650',
      'The mail server [192.0.2.1] has been temporarily rate limited',
      'ONE_CONNECTION',
      'SITE',
    ],
    ['microsoft365', 550, '5.7.606', 'Access denied, banned sending IP', 'SUSPEND', 'SITE'],
    ['orange', 421, null, 'Too many connections, slow down. OFR004_104', 'ONE_CONNECTION', 'SITE'],
    [null, 421, '4.7.0', 'Too many concurrent SMTP connections', 'ONE_CONNECTION', 'SITE'],
    [null, 450, '4.7.1', 'Mail from you looks like spam', 'SUSPEND', 'ACCOUNT'],
    [null, 451, null, 'Too many messages, try again in 600 seconds', 'SLOW', 'SITE'],
    [null, 421, null, 'Service not available', 'SLOW', 'SITE'],
  ])('of %s: %i %s %s asks for %s of the %s', (provider, code, enhanced, text, measure, of) => {
    expect(signal(provider, code, enhanced, text)).toMatchObject({ measure, of });
  });

  test('before MAIL that refuses us suspends the site; the same to a recipient does not', () => {
    expect(signal(null, 554, '5.7.1', 'Go away', true)).toMatchObject({ measure: 'SUSPEND', of: 'SITE', minutes: 15 });
    expect(signal(null, 554, '5.7.1', 'Go away')).toBeNull();
  });

  test.each<[number, string | null, string]>([
    [250, null, 'OK'],
    [550, '5.1.1', 'No such user'],
    [451, '4.7.1', 'Greylisted, try again in 300 seconds'],
    [452, '4.2.2', 'Mailbox full'],
    [421, '4.4.2', 'Timeout waiting for a command'],
  ])('%i %s %s asks for nothing', (code, enhanced, text) => {
    expect(signal(null, code, enhanced, text)).toBeNull();
  });

  test('that names a longer time is believed', () => {
    expect(signal(null, 421, null, 'Too many messages, retry in 2 hours')).toMatchObject({ minutes: 120 });
    expect(signal(null, 421, null, 'Too many messages, retry in 99 hours')).toMatchObject({ minutes: 360 });
  });

  test('an idle timeout is none', () => {
    expect(isIdleTimeout({ code: 421, enhancedCode: null, text: 'idle too long' })).toBe(true);
    expect(isIdleTimeout({ code: 421, enhancedCode: null, text: 'go away' })).toBe(false);
  });

  test('rules have names of their own', () => {
    expect(new Set(replyRules.map(({ name }) => name)).size).toBe(replyRules.length);
  });
});

const start = new Date('2026-01-05T12:00:00Z');
const at = (minutes: number) => new Date(start.getTime() + minutes * 60_000);
const measure = (changes: Partial<Measure>): Measure => ({
  site: 'x',
  forAccountId: null,
  kind: 'SLOW',
  factor: 0.5,
  connections: null,
  messagesPerSecond: null,
  startedAt: start,
  until: at(30),
  ...changes,
});

describe('the pace', () => {
  test('is halved, and comes back evenly', () => {
    const pace = (minutes: number) => paceOf(usualLimits, [measure({})], null, at(minutes)).messagesPerSecond;
    expect([0, 15, 30, 40].map(pace)).toEqual([50, 75, 100, 100]);
  });

  test('is that of the newest measure', () => {
    const both = [measure({ factor: 0.25, startedAt: at(10), until: at(20) }), measure({})];
    expect(partLeft(both, at(10))).toBe(0.25);
    expect(partLeft(both, at(20))).toBeCloseTo(0.5 + 0.5 * (20 / 30));
  });

  test('of one connection is one', () => {
    expect(paceOf(usualLimits, [measure({ kind: 'ONE_CONNECTION' })], null, at(29)).connections).toBe(1);
  });

  test('is nothing while suspended, for the account alone where it is about one', () => {
    const suspended = [measure({ kind: 'SUSPEND', forAccountId: 'a' })];
    expect(paceOf(usualLimits, suspended, 'a', at(1)).suspendedUntil).toEqual(at(30));
    expect(paceOf(usualLimits, suspended, 'b', at(1)).suspendedUntil).toBeNull();
    expect(paceOf(usualLimits, suspended, 'a', at(30)).suspendedUntil).toBeNull();
  });

  test('is what the staff says', () => {
    const word = measure({ kind: 'LIMITS', factor: 1, connections: 3, messagesPerSecond: 7, until: null });
    expect(paceOf(usualLimits, [word], null, at(99_999))).toMatchObject({ connections: 3, messagesPerSecond: 7 });
  });

  test('never stops by being halved', () => {
    expect(paceOf(usualLimits, [measure({ factor: 0 })], null, start)).toMatchObject({
      connections: 1,
      messagesPerSecond: 0.1,
    });
  });
});

describe('a worker at a site', () => {
  const site = { name: 'x', provider: null, limits: { ...usualLimits, messagesPerSecond: 10, connections: 2 } };
  const make = (permits = 2) => {
    const clock = new FakeClock(start);
    const random = { uniform: () => 0, bytes: (length: number) => Buffer.alloc(length) };
    const pace = new SitePace(site, { clock, random, source: 'default' });
    pace.grant(permits, 10_000);
    return { clock, pace };
  };
  const admitAll = (pace: SitePace, account: string, count: number) =>
    Array.from({ length: count }, () => pace.admit(account));

  test('lets in what a few seconds take, and gives the rest times one after the other', () => {
    const { pace } = make();
    const answers = admitAll(pace, 'a', 100);
    const later = answers.filter((time) => time !== null);
    expect(answers.length - later.length).toBeGreaterThan(0);
    expect(answers.length - later.length).toBeLessThanOrEqual(20);
    expect(later.map((time) => time.getTime())).toEqual(later.map((time) => time.getTime()).toSorted((x, y) => x - y));
    expect(new Set(later.map((time) => time.getTime())).size).toBeGreaterThan(50);
  });

  test('has room for somebody else beside a flood', () => {
    const { pace } = make();
    admitAll(pace, 'a', 1_000);
    expect(pace.admit('b')).toBeNull();
  });

  test('keeps to the rate', async () => {
    const { clock, pace } = make();
    let sent = 0;
    for (let tick = 0; tick < 100; tick++) {
      for (const answer of admitAll(pace, 'a', 20)) {
        if (answer !== null) continue;
        sent++;
        pace.done('a');
      }
      pace.grant(2, clock.monotonic() + 10_000);
      await clock.advance(100);
    }
    // Ten seconds at ten a second, and the burst at the start.
    expect(sent).toBeGreaterThan(95);
    expect(sent).toBeLessThanOrEqual(120);
  });

  test('opens what it has permits for, and one when the database is away', async () => {
    const { clock, pace } = make();
    expect([pace.open(), pace.open(), pace.open()]).toEqual([true, true, false]);
    expect(pace.crowded).toBe(false);
    await clock.advance(10_000);
    expect(pace.crowded).toBe(true);
    pace.closed();
    pace.closed();
    expect([pace.open(), pace.open()]).toEqual([true, false]);
  });

  test('without permits puts everything back for a moment', () => {
    const { pace } = make(0);
    expect(pace.open()).toBe(false);
    expect(pace.admit('a')?.getTime()).toBe(start.getTime() + 1_000);
  });

  test('puts back until a suspension ends', () => {
    const { pace } = make();
    pace.measures = [measure({ kind: 'SUSPEND' })];
    expect(pace.admit('a')).toEqual(at(30));
  });
});
