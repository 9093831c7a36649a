// What a session has begun and must end within minutes, sealed for that session and purpose.
import { type ChallengePurpose, saveChallenge, takeChallenge } from '#/db/second-factor-challenges.ts';
import type { SystemWriteScope } from '#/db/scope.ts';
import { CHALLENGE_MINUTES, minutesAfter } from '#/domain/identity/rules.ts';
import type { SecretBox } from '#/runtime/ports.ts';

export function keepChallenge(
  scope: SystemWriteScope,
  secrets: SecretBox,
  sessionId: string,
  purpose: ChallengePurpose,
  secret: Buffer,
): Promise<void> {
  return saveChallenge(scope, {
    sessionId,
    purpose,
    secretEncrypted: secrets.seal(secret, sealedFor(sessionId, purpose)),
    expiresAt: minutesAfter(scope.now, CHALLENGE_MINUTES),
  });
}

/** Good once: used up by whatever comes of it, when the transaction commits. Null: none was begun, or it is too late. */
export async function spendChallenge(
  scope: SystemWriteScope,
  secrets: SecretBox,
  sessionId: string,
  purpose: ChallengePurpose,
): Promise<Buffer | null> {
  const taken = await takeChallenge(scope, sessionId, purpose);
  return taken === undefined ? null : secrets.open(taken.secretEncrypted, sealedFor(sessionId, purpose));
}

function sealedFor(sessionId: string, purpose: ChallengePurpose): string {
  return `second_factor_challenges/${sessionId}/${purpose}`;
}
