// The time after which a receiver wants to be asked again, out of what it says in words. Receivers have no common form for
// it; these are the ones that are met, in English and a few other languages.

const MINUTE = 60;
const HOUR = 3_600;
const DAY = 86_400;

/** By first letter, but for the languages in which that is another one. */
const UNITS: Readonly<Record<string, number>> = { s: 1, m: MINUTE, h: HOUR, o: HOUR, d: DAY };

const LEAD = String.raw`\b(?:in|after|for|within|wait|waiting|retry|delay(?:ed)?|minimum|least|dans|en|nach|tra|fra)\b[\s:=]*`;
const FILLER = String.raw`(?:(?:another|at least|about|approximately|approx\.?|around|some|ca\.?|a (?:minimum|further|total) of|minimum|of)\s+){0,2}`;
const UNIT = String.raw`(?:s(?:ec|econd|econde|ekunde|egundo)?[sn]?|secondi|m(?:in|inute|inuto)?[sn]?|minuti|h(?:(?:ou)?r|eure|ora)?s?|stunden?|ore|days?)(?![a-z])`;
const AMOUNT = String.raw`(?:\d{1,6}|an?|one)`;

/** `in 4 minutes and 30 seconds`, `after 1h 30m`, `300 seconds remaining`. */
const WORDS = new RegExp(
  `${LEAD}${FILLER}(${AMOUNT}[\\s-]*${UNIT}(?:[\\s,]*(?:and\\s+)?\\d{1,6}\\s*${UNIT}){0,2})|\\b(\\d{1,6}\\s*${UNIT})(?:\\(s\\))?\\s+(?:remain|left|later|from now|more)`,
  'i',
);
const PART = new RegExp(`(${AMOUNT})[\\s-]*(${UNIT})`, 'gi');
/** `come back in 00:05:00`. Two numbers would be a time of day as well. */
const CLOCK = new RegExp(`${LEAD}${FILLER}(\\d{1,2}):(\\d{2}):(\\d{2})\\b`, 'i');
/** `Retry-After: 120`, as HTTP has it. */
const BARE = /\bretry[\s-]*(?:after|in)[\s:=]*(\d{1,6})(?![\d:.\w-])/i;

/** `try again in 300 seconds`, `retry after 5 minutes`: in seconds; null: it names none. */
export function statedPause(text: string): number | null {
  const clock = CLOCK.exec(text);
  if (clock !== null) return Number(clock[1]) * HOUR + Number(clock[2]) * MINUTE + Number(clock[3]);
  const words = WORDS.exec(text);
  const said = words?.[1] ?? words?.[2];
  if (said !== undefined) return secondsOf(said);
  const bare = BARE.exec(text);
  return bare === null ? null : Number(bare[1]);
}

function secondsOf(said: string): number {
  let seconds = 0;
  for (const [, amount = '', unit = ''] of said.matchAll(PART)) {
    seconds += (/^\d/.test(amount) ? Number(amount) : 1) * unitSeconds(unit.toLowerCase());
  }
  return seconds;
}

function unitSeconds(unit: string): number {
  return unit.startsWith('stunde') ? HOUR : (UNITS[unit.charAt(0)] ?? 1);
}
