// How busy the event loop of this process is: what should wait for quieter times asks here.
import { performance } from 'node:perf_hooks';
import type { Load } from './ports.ts';

/** Shorter, and a single batch looks like a rush; longer, and a rush is noticed when it is over. */
const WINDOW_MS = 100;

export function createLoad(): Load {
  let before = performance.eventLoopUtilization();
  let measuredAt = performance.now();
  let share = 0;
  return {
    share() {
      const now = performance.now();
      if (now - measuredAt < WINDOW_MS) return share;
      const current = performance.eventLoopUtilization();
      share = performance.eventLoopUtilization(current, before).utilization;
      before = current;
      measuredAt = now;
      return share;
    },
  };
}
