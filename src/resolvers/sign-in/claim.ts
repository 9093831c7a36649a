// A claim to be somebody, by address and password, and how it is settled: the same way, in the same time, whether or not
// anybody has the address.
import type { SystemWriteScope } from '#/db/scope.ts';
import { emailKeyOf, findUserByEmail, lockUser, updateUser, type UserRow } from '#/db/users.ts';
import { networkOf } from '#/domain/network.ts';
import type { Deps } from '../deps.ts';
import type { Visitor } from '../visitor.ts';
import { admitGuess, countFailure, forgiveGuesses, type Guess, inLines, lockGuesses } from './guesses.ts';
import { knownDeviceOf } from './known-device.ts';

/** RFC 5321 §4.5.3.1: 64 for the local part, 255 for the domain. */
const MAX_ADDRESS = 320;
const NOBODY = '00000000-0000-0000-0000-000000000000';

interface Claim {
  /** Undefined: nobody may sign in with this address. */
  readonly user: UserRow | undefined;
  /** What a failure is counted by, in the order of lines. */
  readonly guesses: readonly Guess[];
  /** Those that a success clears: a network does not become good by one who knows their password. */
  readonly own: readonly Guess[];
}

export interface ClaimRequest {
  readonly email: string;
  readonly password: string;
}

/**
 * `then` runs in the transaction in which the claim was found good; null: it was not, which is counted. Throws RateLimited.
 */
export async function settleClaim<T>(
  deps: Deps,
  visitor: Visitor,
  { email, password }: ClaimRequest,
  transaction: <R>(run: (scope: SystemWriteScope) => Promise<R>) => Promise<R>,
  then: (scope: SystemWriteScope, user: UserRow) => Promise<T>,
): Promise<{ readonly settled: T | null; readonly userId: string | null }> {
  const claim = await claimOf(deps, visitor, email);
  const settled = await inLines(claim.guesses, async () => {
    await admitGuess(deps, claim.guesses);
    const checked = await deps.passwords.verify(claim.user?.passwordHash ?? null, password);
    return transaction(async (scope) => {
      const user = await decide(scope, claim, checked);
      return user === null ? null : then(scope, user);
    });
  });
  return { settled, userId: claim.user?.id ?? null };
}

/** Devices that are known are counted by themselves: no stranger can make them wait. */
async function claimOf(deps: Deps, visitor: Visitor, typed: string): Promise<Claim> {
  const address = typed.length > MAX_ADDRESS || typed.includes('\0') ? '' : typed;
  const found = await findUserByEmail(deps.db, address);
  const user = found === undefined || found.disabledAt !== null ? undefined : found;
  // Also asked about nobody, which must take as long.
  const device = await knownDeviceOf(deps, visitor, found?.id ?? NOBODY);
  if (found !== undefined && device !== null) {
    const own = [{ kind: 'device', about: `${found.id}/${device}` }] as const;
    return { user, guesses: own, own };
  }
  const network: Guess = { kind: 'network', about: networkOf(visitor.ipAddress) };
  const identity: Guess = { kind: 'identity', about: emailKeyOf(typed) };
  return { user, guesses: [network, identity], own: [identity] };
}

/** Under the locks of all counters: of many guesses at once, anywhere, none is answered before the one before is counted. */
async function decide(
  scope: SystemWriteScope,
  { user: claimed, guesses, own }: Claim,
  checked: { readonly matches: boolean; readonly rehash: string | null },
): Promise<UserRow | null> {
  await lockGuesses(scope, guesses);
  const user = claimed !== undefined && checked.matches ? await unchanged(scope, claimed) : undefined;
  if (user === undefined) {
    await countFailure(scope, guesses);
    return null;
  }
  await forgiveGuesses(scope, own);
  if (checked.rehash !== null) await updateUser(scope, user.id, { passwordHash: checked.rehash });
  return user;
}

/** Undefined when password or identity were changed while the password was checked. */
async function unchanged(scope: SystemWriteScope, claimed: UserRow): Promise<UserRow | undefined> {
  const user = await lockUser(scope, claimed.id);
  return user?.disabledAt === null && user.passwordHash === claimed.passwordHash ? user : undefined;
}
