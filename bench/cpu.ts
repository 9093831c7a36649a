// Processor time of processes, from /proc: what a message costs stays the same when something else runs beside it.
import { readdirSync, readFileSync } from 'node:fs';

/** Clock ticks of a second, the same on every Linux. */
const TICKS = 100;

interface Process {
  readonly parent: number;
  /** Own time. */
  readonly seconds: number;
  /** Of children that have ended. */
  readonly endedSeconds: number;
}

/** Seconds of a process and all below it, those that have ended included; 0 where there is no /proc. */
export function cpuSeconds(root: number): number {
  const all = readProcesses();
  let seconds = 0;
  for (const id of familyOf(root, all)) {
    const known = all.get(id);
    if (known !== undefined) seconds += known.seconds + known.endedSeconds;
  }
  return seconds;
}

/** Of a process and all below it, but not of `except` and what is below that. */
export function residentBytes(root: number, except: number): number {
  const all = readProcesses();
  let bytes = 0;
  for (const id of familyOf(root, all).difference(familyOf(except, all))) {
    try {
      const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${id}/status`, 'latin1'))?.[1];
      bytes += Number(kilobytes ?? 0) * 1_024;
    } catch {}
  }
  return bytes;
}

export function parentOf(id: number): number | null {
  return readProcess(id)?.parent ?? null;
}

function familyOf(head: number, all: ReadonlyMap<number, Process>): Set<number> {
  const family = new Set([head]);
  // Children may have lower ids than their parents, so until nobody is added.
  for (let before = -1; before !== family.size; ) {
    before = family.size;
    for (const [id, { parent }] of all) if (family.has(parent)) family.add(id);
  }
  return family;
}

function readProcesses(): Map<number, Process> {
  const processes = new Map<number, Process>();
  let names: string[] = [];
  try {
    names = readdirSync('/proc');
  } catch {}
  for (const name of names) {
    if (!/^\d+$/.test(name)) continue;
    const known = readProcess(Number(name));
    if (known !== null) processes.set(Number(name), known);
  }
  return processes;
}

function readProcess(id: number): Process | null {
  try {
    const stat = readFileSync(`/proc/${id}/stat`, 'latin1');
    // After the name, which may hold anything: state, parent, … utime is the 12th, stime, cutime and cstime follow.
    const fields = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    const [utime = 0, stime = 0, cutime = 0, cstime = 0] = fields.slice(11, 15);
    return { parent: fields[1] ?? 0, seconds: (utime + stime) / TICKS, endedSeconds: (cutime + cstime) / TICKS };
  } catch {
    return null;
  }
}
