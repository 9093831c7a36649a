// Dates of mail: RFC 5322 with its obsolete forms, C's asctime, ISO 8601, and careless mixtures of them.
import { withoutComments } from './comments.ts';

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];

/** Minutes east of Greenwich. RFC 5322 §4.3 knows these; any other name is as good as UTC. */
const ZONES: Readonly<Record<string, number>> = {
  edt: -240,
  est: -300,
  cdt: -300,
  cst: -360,
  mdt: -360,
  mst: -420,
  pdt: -420,
  pst: -480,
  cet: 60,
  cest: 120,
  met: 60,
  mest: 120,
  bst: 60,
  eet: 120,
  eest: 180,
  msk: 180,
  jst: 540,
  kst: 540,
};

/** A date has at most some sixty characters. */
const MAX_LENGTH = 200;
const RFC5322 =
  /^(?:[^\d\s,]{2,12},?\s*)?(\d{1,2})[\s-]+([A-Za-z]{3,9})\.?,?[\s-]+(\d{2,4}),?\s+(\d{1,2})[:.](\d{1,2})(?:[:.](\d{1,2})(?:[.,]\d+)?)?\s*(.*)$/;
const AMERICAN =
  /^(?:[^\d\s,]{2,12},?\s*)?([A-Za-z]{3,9})\.?\s+(\d{1,2}),?\s+(?:(\d{4}),?\s+)?(\d{1,2}):(\d{1,2})(?::(\d{1,2}))?\s*(.*)$/;
const ISO = /^(\d{4})-(\d{1,2})-(\d{1,2})(?:[T\s]+(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?\s*(.*))?$/;

/** Null where the text names no point in time. */
export function parseDate(text: string): Date | null {
  const plain = withoutComments(text.slice(0, MAX_LENGTH))
    .replace(/\s+/g, ' ')
    .replace(/ ?: ?(?=\d)/g, ':')
    .trim();
  const usual = RFC5322.exec(plain);
  if (usual !== null) {
    const [, day, month = '', year, hour, minute, second, zone = ''] = usual;
    return point(fullYear(year), monthOf(month), day, hour, minute, second, zone);
  }
  const american = AMERICAN.exec(plain);
  if (american !== null) {
    const [, month = '', day, before, hour, minute, second, rest = ''] = american;
    // asctime has the year last, with a zone before it or not.
    const year = before ?? /\b\d{4}$/.exec(rest)?.[0];
    return point(Number(year), monthOf(month), day, hour, minute, second, rest.replace(/\s*\b\d{4}$/, ''));
  }
  const iso = ISO.exec(plain);
  if (iso === null) return null;
  const [, year, month, day, hour, minute, second, zone = ''] = iso;
  return point(Number(year), Number(month) - 1, day, hour, minute, second, zone);
}

function point(
  year: number,
  month: number,
  day: string | undefined,
  hour: string | undefined,
  minute: string | undefined,
  second: string | undefined,
  zone: string,
): Date | null {
  const [d, h, m, s] = [day, hour, minute, second].map((part) => Number(part ?? 0)) as [number, number, number, number];
  if (!Number.isInteger(year) || month < 0 || month > 11 || d < 1 || d > 31 || h > 24 || m > 59 || s > 60) return null;
  const offset = zoneOffset(zone);
  const date = new Date(Date.UTC(year, month, d, h, m - offset, s));
  return Number.isNaN(date.getTime()) ? null : date;
}

function monthOf(name: string): number {
  return MONTHS.indexOf(name.slice(0, 3).toLowerCase());
}

/** RFC 5322 §4.3: two digits are 2000 or 1900, three count from 1900. */
function fullYear(text: string | undefined): number {
  const year = Number(text);
  if (text === undefined || text.length === 4) return year;
  return text.length === 3 || year >= 50 ? year + 1_900 : year + 2_000;
}

function zoneOffset(zone: string): number {
  const numeric = /^(?:GMT|UTC|UT)?\s*([+-])(\d{1,2}):?(\d{2})?\b/i.exec(zone);
  if (numeric !== null) {
    const [, sign, first = '', second = '0'] = numeric;
    const minutes = Number(first) * 60 + Number(second);
    return sign === '-' ? -minutes : minutes;
  }
  return ZONES[/^[A-Za-z]+/.exec(zone)?.[0].toLowerCase() ?? ''] ?? 0;
}
