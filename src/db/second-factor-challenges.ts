// What a session has begun with a second factor and not ended: one of each purpose, bound to the session, for some minutes.
import type { Selectable } from 'kysely';
import type { Database } from './client.ts';
import type { SystemWriteScope } from './scope.ts';
import type { SecondFactorChallengesTable } from './tables.gen.ts';

export type ChallengeRow = Selectable<SecondFactorChallengesTable>;
export type ChallengePurpose = ChallengeRow['purpose'];

/** In place of the one before. */
export async function saveChallenge(scope: SystemWriteScope, challenge: ChallengeRow): Promise<void> {
  const { secretEncrypted, expiresAt } = challenge;
  await scope.tx
    .insertInto('secondFactorChallenges')
    .values(challenge)
    .onConflict((conflict) => conflict.columns(['sessionId', 'purpose']).doUpdateSet({ secretEncrypted, expiresAt }))
    .execute();
}

/** Used up, whatever comes of it. Undefined when there is none, or its time is over. */
export async function takeChallenge(
  scope: SystemWriteScope,
  sessionId: string,
  purpose: ChallengePurpose,
): Promise<ChallengeRow | undefined> {
  const taken = await scope.tx
    .deleteFrom('secondFactorChallenges')
    .where('sessionId', '=', sessionId)
    .where('purpose', '=', purpose)
    .returningAll()
    .executeTakeFirst();
  return taken !== undefined && taken.expiresAt > scope.now ? taken : undefined;
}

export async function deleteExpiredChallenges(db: Database, now: Date): Promise<void> {
  await db.deleteFrom('secondFactorChallenges').where('expiresAt', '<=', now).execute();
}
