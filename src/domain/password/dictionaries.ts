// The dictionaries behind the check of passwords, as they come with zxcvbn: 49,233 passwords from breaches in order of
// frequency, words of dice lists, English words and first names. Nothing is asked over the network.
//
// Loaded when the first password is set: 155 ms and 50 MB, which most processes never need. A static import would
// charge every start, a dynamic one would make the check asynchronous for the sake of one call. English surnames and words of
// Wikipedia (118,000 more) stay out: they cost 150 ms and 8 MB again, and tell little that the rest does not.
import { createRequire } from 'node:module';
import type { ZxcvbnFactory } from '@zxcvbn-ts/core';

const require = createRequire(import.meta.url);

/**
 * zxcvbn is superlinear: 256 characters take it up to 2.8 s, 48 take 8 ms. What follows the first 48 can only add to the
 * guesses, so a password is never taken for better than it is.
 */
export const ESTIMATED_CHARACTERS = 40;
/** 100 by default. Readings beyond the first few only add to the work: 48 characters of leetspeak took ten times as long. */
const LEET_READINGS = 4;

interface Dictionaries {
  /** In lower case. */
  readonly knownPasswords: ReadonlySet<string>;
  readonly estimator: ZxcvbnFactory;
}

let loaded: Dictionaries | null = null;

export function dictionaries(): Dictionaries {
  loaded ??= load();
  return loaded;
}

function load(): Dictionaries {
  const core = require('@zxcvbn-ts/core') as typeof import('@zxcvbn-ts/core');
  const common = require('@zxcvbn-ts/language-common') as typeof import('@zxcvbn-ts/language-common');
  const english = require('@zxcvbn-ts/language-en') as typeof import('@zxcvbn-ts/language-en');
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
