// What a scenario is given and what it answers.
import { median } from './stats.ts';

export interface Context {
  /** Runs of which the median is told. */
  readonly runs: number;
  /** Small sizes: to see that everything works, not for figures. */
  readonly quick: boolean;
  /** Data folders are made below it. */
  readonly folder: string;
  /** CPU profiles of the product's processes go there. */
  readonly profileDir: string | null;
  say(line: string): void;
  /** Facts for the results besides figures, such as a database's settings. */
  note(name: string, value: unknown): void;
}

export interface Target {
  readonly kind: 'at least' | 'at most';
  readonly value: number;
}

export interface Figure {
  readonly name: string;
  readonly unit: string;
  /** Median of `runs`. */
  readonly value: number;
  readonly runs: readonly number[];
  readonly target: Target | null;
  readonly remark: string | null;
  /** In the results; in the table only when its target is missed. */
  readonly detail?: boolean;
}

/** Something that could not be measured here, and why. */
export interface Skipped {
  readonly name: string;
  readonly skipped: string;
}

/** A scenario that broke off. */
export interface Failed {
  readonly name: string;
  readonly failed: string;
}

export type Outcome = Figure | Skipped | Failed;
export type Scenario = (context: Context) => Promise<readonly Outcome[]>;

export function figure(
  name: string,
  unit: string,
  runs: readonly number[],
  more: { readonly target?: Target; readonly remark?: string } = {},
): Figure {
  return { name, unit, value: median(runs), runs, target: more.target ?? null, remark: more.remark ?? null };
}

export const atLeast = (value: number): Target => ({ kind: 'at least', value });
export const atMost = (value: number): Target => ({ kind: 'at most', value });

/** Ratio of two figures' medians, taken in the same run of the program. */
export function ratio(name: string, of: Figure, to: Figure, target: Target, remark?: string): Figure {
  return { name, unit: '×', value: of.value / to.value, runs: [], target, remark: remark ?? null };
}

/** Null without a target. */
export function isMet({ target, value }: Figure): boolean | null {
  if (target === null) return null;
  return target.kind === 'at least' ? value >= target.value : value <= target.value;
}

/** Processor time that some work took, for one message. */
export interface CpuCost {
  readonly program: number;
  readonly postgres: number;
}

/** Milliseconds a message: comparable even where the machine was not idle. */
export function cpuFigures(costs: readonly CpuCost[]): readonly Figure[] {
  return [
    figure(
      'processor time a message, program',
      'ms',
      costs.map(({ program }) => program),
    ),
    figure(
      'processor time a message, PostgreSQL',
      'ms',
      costs.map(({ postgres }) => postgres),
    ),
  ];
}

export function cpuCost(before: CpuCost, after: CpuCost, messages: number): CpuCost {
  const each = (name: keyof CpuCost) => ((after[name] - before[name]) * 1_000) / messages;
  return { program: each('program'), postgres: each('postgres') };
}
