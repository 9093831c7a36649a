// The dictionaries behind the check of passwords, as they come with zxcvbn: 49,233 passwords from breaches in order of
// frequency, words of dice lists, English words and first names. Nothing is asked over the network.
//
// Loaded when the first password is set: 0.15 to 0.2 s, once, and 50 MB, which most processes never need. A static import
// would charge every start, a dynamic one would make the check asynchronous for the sake of one call. English surnames
// and words of Wikipedia (118,000 more) stay out: they cost 150 ms and 8 MB again, and tell little that the rest does not.
import { createRequire } from 'node:module';
import type * as Core from '@zxcvbn-ts/core';
import type * as Common from '@zxcvbn-ts/language-common';
import type * as English from '@zxcvbn-ts/language-en';

const require = createRequire(import.meta.url);

/**
 * zxcvbn is superlinear: 256 characters take it 0.3 to 3 s, 40 take 8 ms, or 16 until the code is warm. What follows
 * them can only add to the guesses, so a password is never taken for better than it is.
 */
export const ESTIMATED_CHARACTERS = 40;
/** 100 by default. Readings beyond the first few add little but work: with them 64 characters took 470 ms, not 15. */
const LEET_READINGS = 4;

interface Dictionaries {
  /** In lower case. */
  readonly knownPasswords: ReadonlySet<string>;
  readonly estimator: Core.ZxcvbnFactory;
}

let loaded: Dictionaries | null = null;

export function dictionaries(): Dictionaries {
  loaded ??= load();
  return loaded;
}

function load(): Dictionaries {
  const core = require('@zxcvbn-ts/core') as typeof Core;
  const common = require('@zxcvbn-ts/language-common') as typeof Common;
  const english = require('@zxcvbn-ts/language-en') as typeof English;
  return {
    knownPasswords: new Set(common.dictionary['passwords-common']),
    estimator: new core.ZxcvbnFactory({
      dictionary: {
        ...common.dictionary,
        'commonWords-en': english.dictionary['commonWords-en'],
        'firstnames-en': english.dictionary['firstnames-en'],
      },
      graphs: common.adjacencyGraphs,
      translations: english.translations,
      maxLength: ESTIMATED_CHARACTERS,
      l33tMaxSubstitutions: LEET_READINGS,
    }),
  };
}
