// Whether a password is one that attackers try first: on the list of breached ones, a word about its owner, or either of
// them in the disguises that everybody thinks of: `P@ssw0rd!`, `2024veredus`, `drowssap1`, `Lét-me-in`.
import { dictionaries } from './dictionaries.ts';
import { foldWord } from './personal-words.ts';

/** Digits and signs that are put before or after a word: a year and two marks. With more it is for the estimate. */
const MAX_AFFIX = 6;
/** A shorter word is no disguise: it is contained in everything. */
const MIN_CORE = 4;
/** The longest that any list holds is 32; what is longer by more than its affixes is none of them. */
const MAX_DISGUISE = 32 + 2 * MAX_AFFIX;

const LEET = new Map(
  Object.entries({ 0: 'o', 3: 'e', 4: 'a', 5: 's', 7: 't', 8: 'b', 9: 'g', '@': 'a', $: 's', '+': 't' }),
);
/** 1, ! and | are an i to some and an l to others. */
const LEET_AS_I = new Map([...LEET, ['1', 'i'], ['!', 'i'], ['|', 'i']]);
const LEET_AS_L = new Map([...LEET, ['1', 'l'], ['!', 'l'], ['|', 'l']]);

/** At most 49 cores with 8 readings each: some 400 look-ups, 0.1 ms. */
export function isKnownPassword(password: string, personal: ReadonlySet<string>): boolean {
  const { knownPasswords } = dictionaries();
  const isWord = (text: string) => knownPasswords.has(text) || personal.has(text);
  const folded = foldWord(password);
  if (isWord(folded)) return true;
  if (folded.length > MAX_DISGUISE) return false;
  return cores(folded).some((core) => readings(core).some((reading) => reading.length >= MIN_CORE && isWord(reading)));
}

/** The text without some of the characters around it that are not letters; one with no letters left is none. */
function cores(text: string): readonly string[] {
  const before = Math.min(/^[^\p{L}]*/u.exec(text)?.[0].length ?? 0, MAX_AFFIX);
  const after = Math.min(/[^\p{L}]*$/u.exec(text)?.[0].length ?? 0, MAX_AFFIX);
  const found: string[] = [];
  for (let from = 0; from <= before; from++) {
    for (let cut = 0; cut <= after && from + cut <= MAX_AFFIX; cut++) {
      const core = text.slice(from, text.length - cut);
      if (/\p{L}/u.test(core)) found.push(core);
    }
  }
  return found;
}

function readings(core: string): readonly string[] {
  return [core, core.replaceAll(/[^\p{L}\p{N}]+/gu, ''), unleet(core, LEET_AS_I), unleet(core, LEET_AS_L)].flatMap(
    (reading) => [reading, Array.from(reading).toReversed().join('')],
  );
}

function unleet(text: string, table: ReadonlyMap<string, string>): string {
  return Array.from(text, (character) => table.get(character) ?? character).join('');
}
