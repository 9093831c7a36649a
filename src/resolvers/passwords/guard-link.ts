// Tries of one-time links, counted by the network that they come from. Only what is no link waits: nobody finds one by
// trying, and a neighbour behind the same address must not keep anybody from the link in their mailbox.
import { InvalidCode } from '#/domain/errors.ts';
import { networkOf } from '#/domain/network.ts';
import type { Deps } from '../deps.ts';
import { admitGuess, type Guess } from '../sign-in/guesses.ts';
import type { Visitor } from '../visitor.ts';
import { countGuess } from './count-guess.ts';

/** Counts the try when `run` fails with InvalidCode; too many of them fail with RateLimited. */
export async function guardLink<T>(deps: Deps, visitor: Visitor, run: () => Promise<T>): Promise<T> {
  const guesses: readonly Guess[] = [{ kind: 'link', about: networkOf(visitor.ipAddress) }];
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof InvalidCode)) throw error;
    await admitGuess(deps, guesses);
    await countGuess(deps, visitor, guesses);
    throw error;
  }
}
