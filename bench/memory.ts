// Memory of processes, from /proc: what a program and all below it hold, each shared page once (PSS), and by RSS.
import { readdirSync, readFileSync } from 'node:fs';
import { parentOf } from './cpu.ts';

export interface Memory {
  /** MiB. */
  readonly pss: number;
  readonly rss: number;
}

/** Of processes below `root` and itself, apart those of PostgreSQL; zeros where there is no /proc. */
export function memoryOf(root: number): { readonly program: Memory; readonly postgres: Memory } {
  const sums = { program: { pss: 0, rss: 0 }, postgres: { pss: 0, rss: 0 } };
  for (const id of familyOf(root)) {
    const known = readMemory(id);
    if (known === null) continue;
    const sum = known.name === 'postgres' ? sums.postgres : sums.program;
    sum.pss += known.pss;
    sum.rss += known.rss;
  }
  return sums;
}

function familyOf(root: number): ReadonlySet<number> {
  let names: string[] = [];
  try {
    names = readdirSync('/proc');
  } catch {}
  const parents = new Map(
    names.filter((name) => /^\d+$/.test(name)).map((name) => [Number(name), parentOf(Number(name))]),
  );
  const family = new Set([root]);
  for (let before = -1; before !== family.size; ) {
    before = family.size;
    for (const [id, parent] of parents) if (parent !== null && family.has(parent)) family.add(id);
  }
  return family;
}

function readMemory(id: number): (Memory & { readonly name: string }) | null {
  try {
    const rollup = readFileSync(`/proc/${id}/smaps_rollup`, 'latin1');
    const mebibytes = (field: string) =>
      Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(rollup)?.[1] ?? 0) / 1_024;
    const name = readFileSync(`/proc/${id}/comm`, 'latin1').trim();
    return { name, pss: mebibytes('Pss'), rss: mebibytes('Rss') };
  } catch {
    return null;
  }
}

/** The most that a program held while it was watched, looked at once a second. */
export class MemoryWatch implements Disposable {
  readonly #root: number;
  readonly #timer: NodeJS.Timeout;
  readonly program = { pss: 0, rss: 0 };
  readonly postgres = { pss: 0, rss: 0 };

  constructor(root: number) {
    this.#root = root;
    this.#look();
    this.#timer = setInterval(() => this.#look(), 1_000);
  }

  #look(): void {
    const now = memoryOf(this.#root);
    for (const part of ['program', 'postgres'] as const) {
      for (const kind of ['pss', 'rss'] as const) this[part][kind] = Math.max(this[part][kind], now[part][kind]);
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
