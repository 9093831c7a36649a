// Tries of one-time links, counted by the network that they come from.
import { InvalidCode } from '#/domain/errors.ts';
import type { Deps } from '../deps.ts';
import { admitGuess, type Guess, networkOf } from '../sign-in/guesses.ts';
import type { Visitor } from '../visitor.ts';
import { countGuess } from './count-guess.ts';

/** Counts the try when `run` fails with InvalidCode. */
export async function guardLink<T>(deps: Deps, visitor: Visitor, run: () => Promise<T>): Promise<T> {
  const guesses: readonly Guess[] = [{ kind: 'link', about: networkOf(visitor.ipAddress) }];
  await admitGuess(deps, guesses);
  try {
    return await run();
  } catch (error) {
    if (error instanceof InvalidCode) await countGuess(deps, visitor, guesses);
    throw error;
  }
}
