// Turns in the queue: nobody's backlog stands before somebody else's few.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Turns } from '#/domain/delivery/turns.ts';

const FRONT = 1_000_000;

describe('turns', () => {
  test('a mail comes before the backlog of somebody else, however long it is', () => {
    const turns = new Turns();
    const flood = Array.from({ length: 200_000 }, () => turns.next('a', 'a1', 'BROADCAST', FRONT));
    const reset = turns.next('b', 'b1', 'TRANSACTIONAL', FRONT);
    expect(flood.filter((turn) => turn <= reset).length).toBe(0);
  });

  test('and before the broadcast of its own account', () => {
    const turns = new Turns();
    const flood = Array.from({ length: 1_000 }, () => turns.next('a', 'news', 'BROADCAST', FRONT));
    const reset = turns.next('a', 'outbound', 'TRANSACTIONAL', FRONT);
    expect(flood.filter((turn) => turn <= reset).length).toBe(0);
  });

  test('two backlogs take turns, transactional four times as often as broadcast', () => {
    const turns = new Turns();
    const draw = (account: string, kind: 'TRANSACTIONAL' | 'BROADCAST') =>
      Array.from({ length: 1_000 }, () => ({ account, turn: turns.next(account, account, kind, FRONT) }));
    const line = [...draw('a', 'BROADCAST'), ...draw('b', 'TRANSACTIONAL'), ...draw('c', 'BROADCAST')].toSorted(
      (one, other) => one.turn - other.turn,
    );
    const first = line.slice(0, 600);
    expect(Math.abs(first.filter(({ account }) => account === 'b').length - 400)).toBeLessThan(5);
    expect(Math.abs(first.filter(({ account }) => account === 'a').length - 100)).toBeLessThan(5);
  });

  test('streams of one account share what one account gets', () => {
    const turns = new Turns();
    const line: { account: string; turn: number }[] = [];
    for (let index = 0; index < 400; index++) {
      for (const stream of ['1', '2', '3']) {
        line.push({ account: 'a', turn: turns.next('a', stream, 'TRANSACTIONAL', FRONT) });
      }
      for (let more = 0; more < 3; more++) {
        line.push({ account: 'b', turn: turns.next('b', '1', 'TRANSACTIONAL', FRONT) });
      }
    }
    const first = line.toSorted((one, other) => one.turn - other.turn).slice(0, 400);
    expect(Math.abs(first.filter(({ account }) => account === 'a').length - 200)).toBeLessThan(10);
  });

  test('rise within a stream and never lie before the front', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ account: fc.constantFrom('a', 'b'), step: fc.nat(20) })), (draws) => {
        const turns = new Turns();
        const last = new Map<string, number>();
        let front = FRONT;
        for (const { account, step } of draws) {
          front += step;
          const turn = turns.next(account, 's', 'TRANSACTIONAL', front);
          expect(turn).toBeGreaterThan(Math.max(front, last.get(account) ?? 0));
          last.set(account, turn);
        }
      }),
    );
  });
});
