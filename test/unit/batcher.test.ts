import { expect, test } from 'vitest';
import { createBatcher } from '#/db/batcher.ts';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

test('what comes while a batch gathers goes with it, and a full one waits for nobody', async () => {
  const batches: number[][] = [];
  const gates: (() => void)[] = [];
  const gather = () => new Promise<void>((resolve) => gates.push(resolve));
  const batcher = createBatcher<number, number>(
    3,
    (items) => {
      batches.push([...items]);
      return Promise.resolve(items.map((item) => item * 10));
    },
    gather,
  );
  const first = batcher.add(1);
  await turn();
  await turn();
  expect(batches).toEqual([]);
  const second = batcher.add(2);
  gates.shift()?.();
  expect(await Promise.all([first, second])).toEqual([10, 20]);
  expect(batches).toEqual([[1, 2]]);
  expect(await Promise.all([3, 4, 5].map((item) => batcher.add(item)))).toEqual([30, 40, 50]);
  expect(batches).toEqual([
    [1, 2],
    [3, 4, 5],
  ]);
  expect(gates).toEqual([]);
});

test('without a reason to wait a batch goes at once; its failure is everybody’s', async () => {
  const batcher = createBatcher<number, number>(3, () => Promise.reject(new Error('gone')));
  const results = await Promise.allSettled([batcher.add(1), batcher.add(2)]);
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  await batcher.idle();
});
