// Whether what somebody shows is a second factor of theirs. Each code and each answer of a key is good once: the rows that
// decide are locked, so that of several tries at once one wins.
import { useBackupCode } from '#/db/backup-codes.ts';
import type { SystemWriteScope } from '#/db/scope.ts';
import { lockTwoFactorMethods, recordFactorUse, type TwoFactorMethodRow } from '#/db/two-factor-methods.ts';
import { BadUserInput } from '#/domain/errors.ts';
import type { Person } from '#/domain/person.ts';
import type { Deps } from '../deps.ts';
import type { Guess } from '../sign-in/guesses.ts';
import { knownDeviceOf } from '../sign-in/known-device.ts';
import type { Visitor } from '../visitor.ts';
import { backupCodeHashOf } from './backup-code-text.ts';
import { spendChallenge } from './challenges.ts';
import { credentialIdOf, type KnownPasskey, verified } from './passkey.ts';
import { stepOf, totpPurpose } from './totp.ts';

export type ShownFactor =
  | { readonly kind: 'TOTP'; readonly code: string }
  | { readonly kind: 'BACKUP_CODE'; readonly code: string }
  /** What `navigator.credentials.get` gave, as JSON. */
  | { readonly kind: 'PASSKEY'; readonly answer: unknown };

type Tools = Pick<Deps, 'secrets' | 'publicUrl' | 'log'>;

/** The one of the fields that is given. */
export function onlyOne<T>(fields: Readonly<Record<string, T | null>>): T {
  const given = Object.values(fields).filter((field) => field !== null);
  const [only] = given;
  if (only === undefined || given.length > 1) {
    throw new BadUserInput(`Exactly one of ${Object.keys(fields).join(', ')} must be given.`);
  }
  return only;
}

/** Over all sessions of the user; a device that is known counts by itself, so that nobody else can make it wait. */
export async function factorGuessOf(deps: Deps, visitor: Visitor, userId: string): Promise<Guess> {
  const device = await knownDeviceOf(deps, visitor, userId);
  return { kind: 'second-factor', about: device === null ? userId : `${userId}/${device}` };
}

export async function isShown(
  scope: SystemWriteScope,
  tools: Tools,
  { userId, session }: Person,
  shown: ShownFactor,
): Promise<boolean> {
  switch (shown.kind) {
    case 'TOTP':
      return takeCode(scope, tools, await lockTwoFactorMethods(scope, userId), shown.code);
    case 'BACKUP_CODE': {
      const hash = backupCodeHashOf(shown.code);
      return hash !== null && (await useBackupCode(scope, userId, hash));
    }
    case 'PASSKEY': {
      const challenge = await spendChallenge(scope, tools.secrets, session.id, 'VERIFY_PASSKEY');
      const methods = await lockTwoFactorMethods(scope, userId);
      return challenge !== null && takeAnswer(scope, tools, methods, challenge, shown.answer);
    }
    default:
      return shown satisfies never;
  }
}

async function takeCode(
  scope: SystemWriteScope,
  { secrets }: Tools,
  methods: readonly TwoFactorMethodRow[],
  code: string,
): Promise<boolean> {
  for (const method of methods) {
    if (method.secretEncrypted === null) continue;
    const secret = secrets.open(method.secretEncrypted, totpPurpose(method.userId));
    const step = stepOf(secret, code, scope.now, method.usedStep);
    if (step === null) continue;
    await recordFactorUse(scope, method, { usedStep: step });
    return true;
  }
  return false;
}

async function takeAnswer(
  scope: SystemWriteScope,
  tools: Tools,
  methods: readonly TwoFactorMethodRow[],
  challenge: Buffer,
  answer: unknown,
): Promise<boolean> {
  const id = credentialIdOf(answer);
  const method = methods.find(({ credentialId }) => credentialId !== null && credentialId === id);
  const [key] = method === undefined ? [] : passkeysOf([method]);
  if (method === undefined || key === undefined) return false;
  const signCount = await verified(tools, challenge, key, answer);
  if (signCount === null) return false;
  await recordFactorUse(scope, method, { signCount });
  return true;
}

export function passkeysOf(methods: readonly TwoFactorMethodRow[]): KnownPasskey[] {
  return methods.flatMap(({ credentialId, publicKey, signCount, transports }) =>
    credentialId === null || publicKey === null
      ? []
      : [{ credentialId, publicKey, signCount: signCount ?? 0, transports }],
  );
}
