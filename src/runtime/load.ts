// Whether there is time to spare: what can wait for quieter times asks here.
import { cpus } from 'node:os';
import { performance } from 'node:perf_hooks';
import type { Load } from './ports.ts';

/** Shorter, and a single batch looks like a rush; longer, and a rush is noticed when it is over. */
const WINDOW_MS = 200;

export function createLoad(): Load {
  let before = measure();
  let share = 0;
  return {
    share() {
      if (performance.now() - before.at < WINDOW_MS) return share;
      const now = measure();
      const loop = performance.eventLoopUtilization(now.loop, before.loop).utilization;
      const all = now.all - before.all;
      const machine = all > 0 ? 1 - (now.idle - before.idle) / all : 0;
      // In a container the machine may be idle while we have used up our part of it: then our own loop tells.
      share = Math.max(loop, machine);
      before = now;
      return share;
    },
  };
}

function measure() {
  let idle = 0;
  let all = 0;
  for (const { times } of cpus()) {
    idle += times.idle;
    all += times.user + times.nice + times.sys + times.idle + times.irq;
  }
  return { at: performance.now(), loop: performance.eventLoopUtilization(), idle, all };
}
