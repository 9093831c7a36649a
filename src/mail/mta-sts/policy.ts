// The policy file of MTA-STS, RFC 8461 §3.2: read strictly, for what is misread here is sent in the clear.
import { trimBlanks } from '../blanks.ts';

export const stsModes = ['enforce', 'testing', 'none'] as const;
export type StsMode = (typeof stsModes)[number];

export interface StsPolicy {
  readonly mode: StsMode;
  /** Names and `*.` patterns in lower case; none only with the mode `none`. */
  readonly mx: readonly string[];
  /** Seconds. */
  readonly maxAge: number;
}

/** A longer one is not read: RFC 8461 §3.3 suggests 64 kilobytes. */
export const MAX_POLICY_BYTES = 64 * 1024;
/** RFC 8461 §3.2: about a year; more is taken for so much. */
export const MAX_AGE_SECONDS = 31_557_600;

const KEY = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$/;
const PATTERN =
  /^(?:\*\.)?(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?)*$/;
const SECONDS = /^\d{1,10}$/;

/** Null: not a policy. Of a field that stands twice the first counts, but for mx (§3.2). */
export function readStsPolicy(text: string): StsPolicy | null {
  const fields = new Map<string, string>();
  const mx: string[] = [];
  for (const line of linesOf(text)) {
    const colon = line.indexOf(':');
    const key = line.slice(0, Math.max(colon, 0));
    const value = trimBlanks(line.slice(colon + 1));
    if (!KEY.test(key) || !/^[\x20-\x7e\x80-\uffff]*$/.test(value)) return null;
    if (key === 'mx') mx.push(value.toLowerCase());
    else if (!fields.has(key)) fields.set(key, value);
  }
  const mode = stsModes.find((known) => known === fields.get('mode'));
  const seconds = fields.get('max_age') ?? '';
  if (fields.get('version') !== 'STSv1' || mode === undefined || !SECONDS.test(seconds)) return null;
  if (!mx.every((pattern) => PATTERN.test(pattern))) return null;
  if (mx.length === 0 && mode !== 'none') return null;
  return { mode, mx: [...new Set(mx)], maxAge: Math.min(Number(seconds), MAX_AGE_SECONDS) };
}

/** Ended by CRLF or LF; the last one may go without. */
function linesOf(text: string): string[] {
  const lines = text.split(/\r?\n/);
  while (lines.at(-1)?.trim() === '') lines.pop();
  return lines;
}

/** RFC 8461 §4.1: `*` stands for exactly one label, and only in the first place. */
export function matchesMx(host: string, patterns: readonly string[]): boolean {
  const name = host.toLowerCase().replace(/\.$/, '');
  const dot = name.indexOf('.');
  const parent = dot > 0 ? `*${name.slice(dot)}` : null;
  return patterns.some((pattern) => pattern === name || (parent !== null && pattern === parent));
}
