// The table on the screen.
import { isMet, type Outcome } from './scenario.ts';

export function tableOf(outcomes: readonly Outcome[]): string {
  const rows = outcomes.filter((outcome) => !('detail' in outcome && isMet(outcome) !== false)).map(rowOf);
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map(([name, value, spread, target, verdict]) =>
      [
        name.padEnd(widths[0] ?? 0),
        value.padStart(widths[1] ?? 0),
        spread.padEnd(widths[2] ?? 0),
        target.padEnd(widths[3] ?? 0),
        verdict,
      ]
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function rowOf(outcome: Outcome): [string, string, string, string, string] {
  if ('skipped' in outcome) return [outcome.name, 'skipped', '', '', outcome.skipped];
  if ('failed' in outcome) return [outcome.name, 'FAILED', '', '', outcome.failed.split('\n')[0] ?? ''];
  const { name, unit, value, runs, target, remark } = outcome;
  const spread = runs.length > 1 ? `(${number(Math.min(...runs))}–${number(Math.max(...runs))})` : '';
  const wanted = target === null ? '' : `${target.kind === 'at least' ? '≥' : '≤'} ${number(target.value)}`;
  const met = isMet(outcome);
  const verdict = [met === null ? '' : met ? 'met' : 'MISSED', remark ?? ''].filter((part) => part !== '').join(' – ');
  return [name, `${number(value)} ${unit}`, spread, wanted, verdict];
}

function number(value: number): string {
  if (Number.isNaN(value)) return 'none';
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en');
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
}
