// Counts a wrong guess in a transaction of its own, which commits although the request is refused.
import { openCommand } from '../define-personal.ts';
import { countFailure, type Guess } from '../sign-in/guesses.ts';

export const countGuess = openCommand({
  errors: [],
  run: ({ transaction }, guesses: readonly Guess[]) => transaction((scope) => countFailure(scope, guesses)),
});
