// The machine's randomness.
import { randomBytes } from 'node:crypto';
import type { Random } from './ports.ts';

export const systemRandom: Random = {
  bytes: (length) => randomBytes(length),
  uniform: () => Math.random(),
};
