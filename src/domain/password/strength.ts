// How many guesses an attacker needs who knows how people choose passwords, by zxcvbn.
import { dictionaries, ESTIMATED_CHARACTERS } from './dictionaries.ts';

/**
 * zxcvbn's line between its scores 2 and 3. With one hash in 40 ms it is 46 days of a core, should the hashes ever be
 * stolen. Eight random characters are just that; one word with a year is 10^4 to 10^6, two common words 10^5 to 10^7, and
 * three words or more are above. The next line, 10^10, refuses ten random characters, and one lower (10^6) takes
 * `zebrafish`.
 */
const MIN_GUESSES = 1e8;

/** Looked up in plain objects by zxcvbn, these find the prototype's own, and pass for a word that nobody guesses. */
const NAMES_OF_PROTOTYPES = /constructor|__proto__/gi;

export type Strength =
  | { readonly enough: true }
  | { readonly enough: false /** Sentences. */; readonly suggestions: readonly string[] };

/** `personal`: in lower case, the likeliest first. */
export function estimateStrength(password: string, personal: readonly string[]): Strength {
  const { estimator } = dictionaries();
  // Characters, not units: half a character would be guessed as none.
  const beginning = Array.from(password.slice(0, 2 * ESTIMATED_CHARACTERS))
    .slice(0, ESTIMATED_CHARACTERS)
    .join('');
  const result = estimator.check(beginning.replaceAll(NAMES_OF_PROTOTYPES, '_'), [...personal]);
  if (result.guesses >= MIN_GUESSES) return { enough: true };
  const { warning, suggestions } = result.feedback;
  return { enough: false, suggestions: [warning ?? '', ...suggestions].filter((text) => text !== '') };
}
