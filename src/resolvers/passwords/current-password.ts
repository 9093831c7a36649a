// The current password, asked for once more of somebody who is signed in. Whoever sits at an open session guesses no faster
// than whoever holds a device of its owner.
import { findUser } from '#/db/users.ts';
import type { Person } from '#/domain/person.ts';
import { InvalidCredentials } from '#/domain/errors.ts';
import type { Deps } from '../deps.ts';
import { admitGuess, type Guess, inLine } from '../sign-in/guesses.ts';
import type { Visitor } from '../visitor.ts';
import { countGuess } from './count-guess.ts';

export function guessOf({ userId }: Pick<Person, 'userId'>): Guess {
  return { kind: 'device', about: userId };
}

/** Whose it is stands fast: nothing is wrong with the address. */
export function wrongPassword(): InvalidCredentials {
  return new InvalidCredentials('The password is not right.');
}

/** The hash that it matched. Throws InvalidCredentials, which is counted, or RateLimited. */
export function compareCurrentPassword(
  deps: Deps,
  visitor: Visitor,
  person: Person,
  password: string,
): Promise<string | null> {
  const guess = guessOf(person);
  return inLine(guess, async () => {
    await admitGuess(deps, [guess]);
    const hash = (await findUser(deps.db, person.userId))?.passwordHash ?? null;
    if ((await deps.passwords.verify(hash, password)).matches) return hash;
    await countGuess(deps, visitor, [guess]);
    throw wrongPassword();
  });
}
