// Who gets one of the calls that a process makes at once.
import { expect, test } from 'vitest';
import { createSlots, type Slots } from '#/webhooks/slots.ts';

/** As many as this one gets, up to `most`. */
function takeAll(slots: Slots, suspect: boolean, most = Infinity): (() => void)[] {
  const taken: (() => void)[] = [];
  while (taken.length < most) {
    const release = slots.take({ suspect, calling: taken.length }, () => undefined);
    if (release === null) break;
    taken.push(release);
  }
  return taken;
}

test('suspects have half of them', () => {
  const slots = createSlots(40);
  for (let endpoint = 0; endpoint < 4; endpoint++) takeAll(slots, true, 6);
  expect(slots.inUse).toBe(20);
  expect(slots.take({ suspect: true, calling: 0 }, () => undefined)).toBeNull();
  expect(slots.take({ suspect: false, calling: 5 }, () => undefined)).not.toBeNull();
});

test('the last quarter is for those that have no call under way', () => {
  const slots = createSlots(40);
  expect(takeAll(slots, false)).toHaveLength(30);
  for (let endpoint = 0; endpoint < 10; endpoint++) expect(takeAll(slots, false)).toHaveLength(1);
  expect(takeAll(slots, false)).toHaveLength(0);
});

test('who got none is woken once, by the next that is given back', () => {
  const slots = createSlots(1);
  const [release] = takeAll(slots, false);
  let woken = 0;
  expect(slots.take({ suspect: false, calling: 0 }, () => woken++)).toBeNull();
  expect(woken).toBe(0);
  release?.();
  expect(woken).toBe(1);
  takeAll(slots, false)[0]?.();
  expect(woken).toBe(1);
  expect(slots.inUse).toBe(0);
});
