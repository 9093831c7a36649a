// IPv6 is used from addresses of ours that have a name, or where there is nothing else.
import { describe, expect, test } from 'vitest';
import { OwnNames } from '#/delivery/own-names.ts';
import type { SendingSource } from '#/delivery/way.ts';
import { arpaName, createReverseNames } from '#/runtime/reverse-names.ts';
import { startDnsServer } from '../support/dns-server.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { silentLog } from '../support/silent-log.ts';

const NAMED = '2a00:1450:4001::1';
const NAMELESS = '2a00:1450:4001::2';
const BROKEN = '2a00:1450:4001::3';
const zone = { [arpaName(NAMED)]: { PTR: 'out.us.example' }, [arpaName(BROKEN)]: 'SERVFAIL' } as const;

const target = (address: string) => ({ host: 'mx.example', address, port: 25 });
const six = target('2a00:1450:4001::25');
const four = target('93.184.215.7');
const source = (ipv6: string | null, ipv4: string | null = '93.184.215.1'): SendingSource => {
  return { key: `${ipv4},${ipv6}`, ipv4, ipv6, heloName: 'us.example' };
};

async function scene(stack: AsyncDisposableStack) {
  const server = stack.use(await startDnsServer(zone));
  const names = createReverseNames({ servers: [server.address] });
  const clock = new FakeClock();
  return { server, names, clock, own: new OwnNames({ clock, log: silentLog, names }) };
}

test('names are asked for as RFC 3596 has it', () => {
  expect(arpaName('2001:db8::567:89ab')).toBe(
    'b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa',
  );
});

describe('a host with both families', () => {
  test.each([
    ['is not called over IPv6 from an address without a name', NAMELESS, [four]],
    ['is called over IPv6 from one that has a name', NAMED, [six, four]],
    ['is called over IPv6 where nobody can tell', BROKEN, [six, four]],
    ['is called over IPv6 inside our own network', 'fd00::1', [six, four]],
  ])('%s', async (_what, address, called) => {
    await using stack = new AsyncDisposableStack();
    const { own } = await scene(stack);
    expect(await own.callable(source(address), [six, four])).toEqual(called);
  });

  test('of which the system knows no way, or calls from inside: as it is', async () => {
    await using stack = new AsyncDisposableStack();
    const { own, server } = await scene(stack);
    expect(await own.callable(source(null, null), [target('::1'), four])).toHaveLength(2);
    expect(server.queries()).toBe(0);
  });
});

test('what has no IPv4, or must not use it, is called over IPv6 all the same', async () => {
  await using stack = new AsyncDisposableStack();
  const { own, server } = await scene(stack);
  expect(await own.callable(source(NAMELESS), [six])).toEqual([six]);
  expect(await own.callable(source(NAMELESS, null), [six, four])).toEqual([six, four]);
  expect(server.queries()).toBe(0);
});

test('is asked once in half an hour, and sees the record when it is there', async () => {
  await using stack = new AsyncDisposableStack();
  const { own, clock, server } = await scene(stack);
  for (let mail = 0; mail < 5; mail++) await own.callable(source(NAMELESS), [six, four]);
  expect(server.queries()).toBe(1);
  server.set({ [arpaName(NAMELESS)]: { PTR: 'out2.us.example' } });
  await clock.advance(31 * 60_000);
  expect(await own.callable(source(NAMELESS), [six, four])).toEqual([six, four]);
});

test('the system says from where it would call', async () => {
  expect(await createReverseNames().addressTowards('::1')).toBe('::1');
});
