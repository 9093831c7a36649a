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
  const family = new Set([root]);
  // Children may have lower ids than their parents, so until nobody is added.
  for (let before = -1; before !== family.size; ) {
    before = family.size;
    for (const [id, { parent }] of all) if (family.has(parent)) family.add(id);
  }
  let seconds = 0;
  for (const id of family) {
    const known = all.get(id);
    if (known !== undefined) seconds += known.seconds + known.endedSeconds;
  }
  return seconds;
}

export function parentOf(id: number): number | null {
  return readProcess(id)?.parent ?? null;
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
