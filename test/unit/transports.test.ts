// Which member of a transport mail takes, when one counts as out of order, and what the staff may say of it.
import { describe, expect, test } from 'vitest';
import { Families } from '#/delivery/families.ts';
import { isTooManyRecipients } from '#/domain/delivery/reply-rules.ts';
import { Evidence, levelAtFailure, pauseBeforeLook } from '#/domain/delivery/transport-health.ts';
import { checkedTransport, type TransportInput } from '#/domain/delivery/transport-input.ts';
import { memberFor, sourceKey } from '#/domain/delivery/transports.ts';
import { collectIssues } from '#/domain/email/issues.ts';
import { FakeClock } from '../support/fake-clock.ts';

const member = (subject: string, weight = 1, priority = 0) => ({ subject, weight, priority });
const people = Array.from({ length: 4_000 }, (_, n) => `r${n}@receiver.example`);

describe('a recipient', () => {
  const pool = ['a', 'b', 'c', 'd'].map((name) => member(name));

  test('takes the same member every time, in whatever order they stand', () => {
    for (const person of people.slice(0, 200)) {
      expect(memberFor(pool.toReversed(), person)?.subject).toBe(memberFor(pool, person)?.subject);
    }
  });

  test('moves only when its own member goes, and moves back with it', () => {
    const left = pool.filter(({ subject }) => subject !== 'b');
    let moved = 0;
    for (const person of people) {
      const before = memberFor(pool, person)?.subject;
      const after = memberFor(left, person)?.subject;
      if (before === 'b') moved++;
      else expect(after).toBe(before);
    }
    // A quarter, give or take.
    expect(moved).toBeGreaterThan(800);
    expect(moved).toBeLessThan(1_200);
  });

  test('meets members by their weight', () => {
    const weighted = [member('light', 1), member('heavy', 3)];
    const heavy = people.filter((person) => memberFor(weighted, person)?.subject === 'heavy').length;
    expect(heavy / people.length).toBeGreaterThan(0.71);
    expect(heavy / people.length).toBeLessThan(0.79);
  });

  test('takes a lower priority only when no higher one is left', () => {
    const ranked = [member('first', 1, 0), member('second', 1_000, 1)];
    expect(people.every((person) => memberFor(ranked, person)?.subject === 'first')).toBe(true);
    expect(memberFor(ranked.slice(1), 'x')?.subject).toBe('second');
    expect(memberFor([], 'x')).toBeNull();
  });
});

describe('evidence', () => {
  test('of a relay: three dials in a row, none between that worked', () => {
    const evidence = new Evidence();
    expect(evidence.relayFailed('r', 0)).toBe(false);
    expect(evidence.relayFailed('r', 0)).toBe(false);
    evidence.worked('r', 'x', 1);
    expect(evidence.relayFailed('r', 2)).toBe(false);
    expect(evidence.relayFailed('r', 2)).toBe(false);
    expect(evidence.relayFailed('other', 2)).toBe(false);
    expect(evidence.relayFailed('r', 3)).toBe(true);
  });

  test('of a source: one dead site is no sign, however often', () => {
    const evidence = new Evidence();
    for (let index = 0; index < 1_000; index++) expect(evidence.sourceFailed('s', 'dead', index)).toBe(false);
  });

  test('of a source: five sites that were well, or twenty that nobody knows', () => {
    const evidence = new Evidence();
    const failing = (sites: readonly string[], source: string) =>
      sites.findIndex((site) => evidence.sourceFailed(source, site, 10));
    const known = ['a', 'b', 'c', 'd', 'e'];
    for (const site of known) evidence.worked('another', site, 0);
    expect(failing(known, 's')).toBe(4);
    const strange = Array.from({ length: 30 }, (_, n) => `x${n}`);
    expect(failing(strange, 't')).toBe(19);
  });

  test('of long ago is none', () => {
    const evidence = new Evidence();
    evidence.relayFailed('r', 0);
    evidence.relayFailed('r', 0);
    expect(evidence.relayFailed('r', 3_600_000)).toBe(false);
  });
});

describe('looks', () => {
  test('come at growing intervals, up to ten minutes, with jitter', () => {
    const pauses = Array.from({ length: 12 }, (_, level) => pauseBeforeLook(level, 0.5));
    expect(pauses[0]).toBe(15_000);
    expect(pauses.toSorted((a, b) => a - b)).toEqual(pauses);
    expect(pauses.at(-1)).toBe(600_000);
    expect(pauseBeforeLook(0, 0)).toBeLessThan(pauseBeforeLook(0, 0.99));
    expect(Number.isFinite(pauseBeforeLook(1e9, 0.5))).toBe(true);
  });

  test('go on where they were after a relapse, and from the start after long health', () => {
    const changedAt = new Date(0);
    expect(levelAtFailure(null, changedAt)).toBe(0);
    expect(levelAtFailure({ level: 3, outSince: changedAt, changedAt }, new Date(1e9))).toBe(4);
    expect(levelAtFailure({ level: 3, outSince: null, changedAt }, new Date(60_000))).toBe(4);
    expect(levelAtFailure({ level: 3, outSince: null, changedAt }, new Date(3_600_000))).toBe(0);
  });
});

describe('families', () => {
  const source = { key: 's', ipv4: '192.0.2.1', ipv6: '2001:db8::1', heloName: 'x.example' };
  const at = (address: string, host = 'h.example') => ({ host, address, port: 25 });
  const six = at('2001:db8::25');
  const four = at('198.51.100.25');

  test('that the source does not have are not used', () => {
    const families = new Families(new FakeClock());
    expect(families.usable({ ...source, ipv6: null }, [six, four])).toEqual([four]);
    expect(families.usable({ ...source, ipv4: null }, [six, four])).toEqual([six]);
    expect(families.usable({ ...source, ipv4: null }, [four])).toEqual([]);
    expect(families.usable({ ...source, ipv4: null, ipv6: null }, [six, four])).toEqual([six, four]);
  });

  test('that lead nowhere from here are left alone for a while, where there is another', async () => {
    const clock = new FakeClock();
    const families = new Families(clock);
    families.failed(source, six, 'connect ECONNREFUSED 2001:db8::25:25');
    expect(families.usable(source, [six, four])).toEqual([six, four]);
    families.failed(source, six, 'connect ENETUNREACH 2001:db8::25:25');
    expect(families.usable(source, [six, four])).toEqual([four]);
    expect(families.usable(source, [six])).toEqual([six]);
    expect(families.usable({ ...source, key: 'other' }, [six, four])).toEqual([six, four]);
    await clock.advance(31 * 60_000);
    expect(families.usable(source, [six, four])).toEqual([six, four]);
  });

  test('that three hosts did not answer by, and did by the other, are left alone until one does', () => {
    const families = new Families(new FakeClock());
    for (const host of ['a', 'a', 'b']) families.worked(source, at('198.51.100.1', host), [at('2001:db8::2', host)]);
    expect(families.usable(source, [six, four])).toEqual([six, four]);
    families.worked(source, at('198.51.100.1', 'c'), [at('2001:db8::2', 'c')]);
    expect(families.usable(source, [six, four])).toEqual([four]);
    families.worked(source, six, []);
    expect(families.usable(source, [six, four])).toEqual([six, four]);
  });
});

describe('too many recipients', () => {
  test.each<[number, string | null, string, boolean]>([
    [452, '4.5.3', 'Too many recipients', true],
    [452, null, 'Too many recipients received this hour', true],
    [552, null, 'too many recipients', true],
    [452, '4.2.2', 'Mailbox full', false],
    [452, '4.3.1', 'Insufficient system storage', false],
    [550, '5.5.3', 'Too many recipients', false],
  ])('%i %s %s: %s', (code, enhancedCode, text, expected) => {
    expect(isTooManyRecipients({ code, enhancedCode, text })).toBe(expected);
  });
});

describe('what the staff says', () => {
  const relay = { host: 'relay.example', port: 587, tls: 'REQUIRED', priority: 0, weight: 1 } as const;
  const source = { ipv4: '192.0.2.1', ipv6: null, heloName: 'out.example', weight: 1 };
  const none = { connections: null, messagesPerConnection: null, messagesPerSecond: null };
  const relays: TransportInput = {
    ...{ name: 'smart', kind: 'RELAY', relays: [relay], sources: [], recipientsPerTransaction: 1 },
    ...none,
  };
  const sources: TransportInput = { ...relays, kind: 'MX', relays: [], sources: [source] };
  const flaws = (input: TransportInput) => {
    const issues = collectIssues();
    checkedTransport(input, issues);
    return issues.found.map(({ path }) => path.join('.'));
  };

  test.each<[string, TransportInput, string]>([
    ['a name with a space', { ...relays, name: 'a b' }, 'name'],
    ['no name', { ...relays, name: '' }, 'name'],
    ['no relay', { ...relays, relays: [] }, 'relays'],
    ['a relay among sources', { ...sources, relays: [relay] }, 'relays'],
    ['a relay twice', { ...relays, relays: [relay, { ...relay, host: 'RELAY.example' }] }, 'relays'],
    ['no host', { ...relays, relays: [{ ...relay, host: 'a b' }] }, 'relays.0.host'],
    ['no port', { ...relays, relays: [{ ...relay, port: 0 }] }, 'relays.0.port'],
    ['no weight', { ...relays, relays: [{ ...relay, weight: 0 }] }, 'relays.0.weight'],
    [
      'a password with a line break',
      { ...relays, relays: [{ ...relay, credentials: { user: 'u', password: 'a\r\nb' } }] },
      'relays.0.credentials.password',
    ],
    [
      'a user with a NUL',
      { ...relays, relays: [{ ...relay, credentials: { user: 'u\0', password: 'a' } }] },
      'relays.0.credentials.user',
    ],
    ['no address', { ...sources, sources: [{ ...source, ipv4: null }] }, 'sources.0.ipv4'],
    ['no IPv4', { ...sources, sources: [{ ...source, ipv4: '::1' }] }, 'sources.0.ipv4'],
    ['any IPv4', { ...sources, sources: [{ ...source, ipv4: '0.0.0.0' }] }, 'sources.0.ipv4'],
    ['a zone', { ...sources, sources: [{ ...source, ipv6: 'fe80::1%eth0' }] }, 'sources.0.ipv6'],
    ['an address twice', { ...sources, sources: [source, { ...source, heloName: 'b.example' }] }, 'sources'],
    [
      'a HELO name with a line break',
      { ...sources, sources: [{ ...source, heloName: 'a\r\nRSET' }] },
      'sources.0.heloName',
    ],
    ['limits of exchangers', { ...sources, connections: 5 }, 'connections'],
    ['several recipients at exchangers', { ...sources, recipientsPerTransaction: 2 }, 'recipientsPerTransaction'],
    ['no recipients', { ...relays, recipientsPerTransaction: 0 }, 'recipientsPerTransaction'],
    ['no pace', { ...relays, messagesPerSecond: 0 }, 'messagesPerSecond'],
    ['a pace that is no number', { ...relays, messagesPerSecond: Number.NaN }, 'messagesPerSecond'],
  ])('is refused with %s', (_what, input, path) => {
    expect(flaws(input)).toContain(path);
  });

  test('is kept in one form', () => {
    expect(flaws(relays)).toEqual([]);
    expect(flaws(sources)).toEqual([]);
    const issues = collectIssues();
    const dual = { ...source, ipv6: '2001:0DB8:0:0::1' };
    const checked = checkedTransport({ ...sources, sources: [dual] }, issues);
    expect(checked.sources.map(sourceKey)).toEqual(['192.0.2.1,2001:db8::1']);
    expect(issues.found).toEqual([]);
  });
});
