// Second factors: setting them up, removing them, backup codes.
import {
  BACKUP_CODES,
  CHALLENGE_MINUTES,
  MAX_TWO_FACTOR_METHOD_NAME,
  MAX_TWO_FACTOR_METHODS,
} from '#/domain/identity/rules.ts';
import type { Enrolled } from '#/resolvers/second-factor/add-method.ts';
import { beginPasskeyEnrollment } from '#/resolvers/second-factor/begin-passkey-enrollment.ts';
import { beginPasskeyVerification } from '#/resolvers/second-factor/begin-passkey-verification.ts';
import { beginTotpEnrollment } from '#/resolvers/second-factor/begin-totp-enrollment.ts';
import { confirmPasskeyEnrollment } from '#/resolvers/second-factor/confirm-passkey-enrollment.ts';
import { confirmTotpEnrollment } from '#/resolvers/second-factor/confirm-totp-enrollment.ts';
import { type NewBackupCodes, regenerateBackupCodes } from '#/resolvers/second-factor/regenerate-backup-codes.ts';
import { removeTwoFactorMethod } from '#/resolvers/second-factor/remove-two-factor-method.ts';
import { builder } from './builder.ts';
import { visitorOf } from './context.ts';
import { resultUnion } from './errors.ts';
import { uuidOf } from './ids.ts';
import { IdInput } from './inputs.ts';
import { TwoFactorMethod, User } from './user.ts';

const nameText = `For people; up to ${MAX_TWO_FACTOR_METHOD_NAME} characters. Named for its kind unless given.`;

const ConfirmTotpEnrollmentInput = builder.inputType('ConfirmTotpEnrollmentInput', {
  description: 'The first code of a new authenticator app.',
  fields: (t) => ({
    code: t.string({ description: 'Six digits.' }),
    name: t.string({ required: false, description: nameText }),
  }),
});

const ConfirmPasskeyEnrollmentInput = builder.inputType('ConfirmPasskeyEnrollmentInput', {
  description: 'The answer of a new passkey.',
  fields: (t) => ({
    response: t.field({ type: 'JSON', description: 'What `navigator.credentials.create` gave, as JSON.' }),
    name: t.string({ required: false, description: nameText }),
  }),
});

const TotpEnrollment = builder
  .objectRef<{ readonly secret: string; readonly uri: string; readonly qrSvg: string }>('TotpEnrollment')
  .implement({
    description: 'The secret for an authenticator, as text, as an otpauth:// URI and as a QR code (SVG).',
    fields: (t) => ({
      secret: t.exposeString('secret', { description: 'In base32, to type in.' }),
      uri: t.exposeString('uri', { description: 'otpauth://totp/… with issuer and address.' }),
      qrSvg: t.exposeString('qrSvg', { description: 'The URI, to photograph.' }),
    }),
  });

const PasskeyOptions = builder.objectRef<{ readonly options: object }>('PasskeyOptions').implement({
  description: 'What a browser asks of a passkey. It is good for one answer.',
  fields: (t) => ({
    options: t.field({
      type: 'JSON',
      description:
        'For `PublicKeyCredential.parseCreationOptionsFromJSON` or `parseRequestOptionsFromJSON`, as `publicKey`.',
      resolve: ({ options }) => options,
    }),
  }),
});

const TwoFactorEnrolled = builder.objectRef<Enrolled>('TwoFactorEnrolled').implement({
  description: 'A second factor is set up.',
  fields: (t) => ({
    method: t.field({ type: TwoFactorMethod, description: 'The second factor.', resolve: ({ method }) => method }),
    backupCodes: t.stringList({
      description: `${BACKUP_CODES} codes that stand in for it, each good once; shown this once. Empty with every method after the first: the same codes stand in for them all.`,
      resolve: ({ backupCodes }) => [...backupCodes],
    }),
  }),
});

const BackupCodes = builder.objectRef<NewBackupCodes>('BackupCodes').implement({
  description: 'New backup codes; those from before are void.',
  fields: (t) => ({
    codes: t.stringList({
      description: `${BACKUP_CODES} codes, each good once; shown this once.`,
      resolve: ({ codes }) => [...codes],
    }),
  }),
});

const ConfirmTotpEnrollmentResult = resultUnion(
  'ConfirmTotpEnrollmentResult',
  TwoFactorEnrolled,
  confirmTotpEnrollment,
  'The second factor, or why it is not set up.',
);
const ConfirmPasskeyEnrollmentResult = resultUnion(
  'ConfirmPasskeyEnrollmentResult',
  TwoFactorEnrolled,
  confirmPasskeyEnrollment,
  'The second factor, or why it is not set up.',
);
const RemoveTwoFactorMethodResult = resultUnion(
  'RemoveTwoFactorMethodResult',
  User,
  removeTwoFactorMethod,
  'The person, or why the second factor stays.',
);

const proofText = 'Needs a fresh proof (stepUp).';
const beginText = `Waits ${CHALLENGE_MINUTES} minutes, with this session; a person may have ${MAX_TWO_FACTOR_METHODS} second factors. ${proofText}`;
const firstText = `With the first one all other sessions end, and backup codes are made. ${proofText}`;

builder.mutationFields((t) => ({
  beginTotpEnrollment: t.withAuth({ enrolling: true, proved: true }).field({
    type: TotpEnrollment,
    nullable: true,
    description: `Begins to set up an authenticator app. ${beginText}`,
    resolve: (_root, _args, context) => beginTotpEnrollment(context.deps, visitorOf(context), null),
  }),
  confirmTotpEnrollment: t.withAuth({ enrolling: true, proved: true }).field({
    type: ConfirmTotpEnrollmentResult,
    nullable: true,
    description: `Sets the authenticator app up with its first code. ${firstText}`,
    args: { input: t.arg({ type: ConfirmTotpEnrollmentInput, description: 'The code.' }) },
    resolve: (_root, { input }, context) =>
      confirmTotpEnrollment(context.deps, visitorOf(context), { code: input.code, name: input.name ?? null }),
  }),
  beginPasskeyEnrollment: t.withAuth({ enrolling: true, proved: true }).field({
    type: PasskeyOptions,
    nullable: true,
    description: `Begins to set up a passkey or security key. ${beginText}`,
    resolve: (_root, _args, context) => beginPasskeyEnrollment(context.deps, visitorOf(context), null),
  }),
  confirmPasskeyEnrollment: t.withAuth({ enrolling: true, proved: true }).field({
    type: ConfirmPasskeyEnrollmentResult,
    nullable: true,
    description: `Sets the passkey up with its answer. ${firstText}`,
    args: { input: t.arg({ type: ConfirmPasskeyEnrollmentInput, description: 'The answer.' }) },
    resolve: (_root, { input }, context) =>
      confirmPasskeyEnrollment(context.deps, visitorOf(context), {
        response: input.response,
        name: input.name ?? null,
      }),
  }),
  beginPasskeyVerification: t.withAuth({ anyStep: true }).field({
    type: PasskeyOptions,
    nullable: true,
    description: `What the passkeys of the caller are to answer, for verifyTwoFactor and stepUp, within ${CHALLENGE_MINUTES} minutes; null when there are none.`,
    resolve: (_root, _args, context) => beginPasskeyVerification(context.deps, visitorOf(context), null),
  }),
  regenerateBackupCodes: t.withAuth({ signedIn: true, proved: true }).field({
    type: BackupCodes,
    nullable: true,
    description: `Makes new backup codes; null where there is no second factor that they could stand in for. ${proofText}`,
    resolve: (_root, _args, context) => regenerateBackupCodes(context.deps, visitorOf(context), null),
  }),
  removeTwoFactorMethod: t.withAuth({ signedIn: true, proved: true }).field({
    type: RemoveTwoFactorMethodResult,
    nullable: true,
    description: `Removes a second factor. The last one takes the backup codes with it, and stays where a second factor is demanded. ${proofText}`,
    args: { input: t.arg({ type: IdInput, description: 'The second factor.' }) },
    resolve: async (_root, { input }, context) => {
      const id = uuidOf('factor', input.id);
      return (await removeTwoFactorMethod(context.deps, visitorOf(context), { id })).user;
    },
  }),
}));
