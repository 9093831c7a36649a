// What is done to API tokens.
import {
  MAX_ALLOWED_IPS,
  MAX_TOKEN_NAME,
  MAX_TOKEN_YEARS,
  MAX_TOKENS,
  TOKEN_REMINDER_DAYS,
  UNUSED_TOKEN_DAYS,
} from '#/domain/token-rules.ts';
import { createAccountToken } from '#/resolvers/tokens/create-account-token.ts';
import { createServerToken } from '#/resolvers/tokens/create-server-token.ts';
import type { IssuedToken } from '#/resolvers/tokens/issue-token.ts';
import type { RotatedToken } from '#/resolvers/tokens/replace-token.ts';
import { revokeAccountToken } from '#/resolvers/tokens/revoke-account-token.ts';
import { revokeServerToken } from '#/resolvers/tokens/revoke-server-token.ts';
import { rotateAccountToken } from '#/resolvers/tokens/rotate-account-token.ts';
import { rotateServerToken } from '#/resolvers/tokens/rotate-server-token.ts';
import { setTokenReminder } from '#/resolvers/tokens/set-token-reminder.ts';
import { Account } from './account.ts';
import { builder, guarded } from './builder.ts';
import { resultUnion } from './errors.ts';
import { onId } from './guards.ts';
import { uuidOf } from './ids.ts';
import { IdInput, RotateTokenInput } from './inputs.ts';
import { callerAt } from './locate.ts';
import { AccountToken, ServerToken, ServerTokenScope } from './token.ts';

const secretText = 'Shown this once.';
const nameText = `For people; 1 to ${MAX_TOKEN_NAME} characters.`;
const ipsText = `IPv4 and IPv6 addresses and networks (CIDR) that it may be used from, at most ${MAX_ALLOWED_IPS}; from everywhere unless given. Kept as networks; bits beyond a prefix are refused.`;
const expiryText = `When it ends, at most ${MAX_TOKEN_YEARS} years from now; never by itself unless given.`;
const proofText = 'Needs a fresh proof of identity (stepUp).';

const CreateServerTokenInput = builder.inputType('CreateServerTokenInput', {
  description: 'A new token of a server.',
  fields: (t) => ({
    serverId: t.id({ description: 'The server that gets it.' }),
    name: t.string({ description: nameText }),
    scopes: t.field({
      type: [ServerTokenScope],
      required: false,
      description:
        'What an application needs unless given: MESSAGES_SEND, MESSAGES_READ, EVENTS_READ, STATS_READ. Not empty.',
    }),
    stream: t.string({
      required: false,
      description: 'Slug of the one stream that it is bound to, which must not be archived; all unless given.',
    }),
    allowedIps: t.stringList({ required: false, description: ipsText }),
    expiresAt: t.field({ type: 'DateTime', required: false, description: expiryText }),
  }),
});

const CreateAccountTokenInput = builder.inputType('CreateAccountTokenInput', {
  description: 'A new token of an account.',
  fields: (t) => ({
    accountId: t.id({ description: 'The account that gets it.' }),
    name: t.string({ description: nameText }),
    allowedIps: t.stringList({ required: false, description: ipsText }),
    expiresAt: t.field({ type: 'DateTime', required: false, description: expiryText }),
  }),
});

const IssuedServerToken = builder.objectRef<IssuedToken>('IssuedServerToken').implement({
  description: 'A new token of a server with its secret.',
  fields: (t) => ({
    token: t.field({ type: ServerToken, description: 'The token.', resolve: ({ token }) => token }),
    secret: t.exposeString('secret', { description: secretText }),
  }),
});

const IssuedAccountToken = builder.objectRef<IssuedToken>('IssuedAccountToken').implement({
  description: 'A new token of an account with its secret.',
  fields: (t) => ({
    token: t.field({ type: AccountToken, description: 'The token.', resolve: ({ token }) => token }),
    secret: t.exposeString('secret', { description: secretText }),
  }),
});

const RotatedServerToken = builder.objectRef<RotatedToken>('RotatedServerToken').implement({
  description: 'The new token with its secret, and the one that it takes the place of.',
  fields: (t) => ({
    token: t.field({ type: ServerToken, description: 'The new token.', resolve: ({ token }) => token }),
    secret: t.exposeString('secret', { description: secretText }),
    previous: t.field({
      type: ServerToken,
      description: 'Still valid until its `expiresAt`.',
      resolve: ({ previous }) => previous,
    }),
  }),
});

const RotatedAccountToken = builder.objectRef<RotatedToken>('RotatedAccountToken').implement({
  description: 'The new token with its secret, and the one that it takes the place of.',
  fields: (t) => ({
    token: t.field({ type: AccountToken, description: 'The new token.', resolve: ({ token }) => token }),
    secret: t.exposeString('secret', { description: secretText }),
    previous: t.field({
      type: AccountToken,
      description: 'Still valid until its `expiresAt`.',
      resolve: ({ previous }) => previous,
    }),
  }),
});

const CreateServerTokenResult = resultUnion(
  'CreateServerTokenResult',
  IssuedServerToken,
  createServerToken,
  'The token with its secret, or why there is none.',
);
const RotateServerTokenResult = resultUnion(
  'RotateServerTokenResult',
  RotatedServerToken,
  rotateServerToken,
  'Both tokens, or why nothing was rotated.',
);
const RevokeServerTokenResult = resultUnion(
  'RevokeServerTokenResult',
  ServerToken,
  revokeServerToken,
  'The dead token, or why it was not revoked.',
);
const CreateAccountTokenResult = resultUnion(
  'CreateAccountTokenResult',
  IssuedAccountToken,
  createAccountToken,
  'The token with its secret, or why there is none.',
);
const RotateAccountTokenResult = resultUnion(
  'RotateAccountTokenResult',
  RotatedAccountToken,
  rotateAccountToken,
  'Both tokens, or why nothing was rotated.',
);
const RevokeAccountTokenResult = resultUnion(
  'RevokeAccountTokenResult',
  AccountToken,
  revokeAccountToken,
  'The dead token, or why it was not revoked.',
);

const rotateText =
  'Makes a token with the same name, rights and bindings; one that had an end gets the time that the old one was made for. The old one stays good for the overlap and says so on each use (headers Deprecation and Sunset).';
const revokeText =
  'Ends a token at once, everywhere: its connections are closed within two seconds. A dead one is answered as it is.';

builder.mutationFields((t) => ({
  createServerToken: t.withAuth(onId(createServerToken, 'server', 'input.serverId')).field({
    type: CreateServerTokenResult,
    nullable: true,
    description: `${guarded(createServerToken.permission, `Makes a token of a server, which may have ${MAX_TOKENS} live ones, not counting those being rotated out.`)} ${proofText}`,
    args: { input: t.arg({ type: CreateServerTokenInput, description: 'The new token.' }) },
    resolve: async (_root, { input }, context) => {
      const serverId = uuidOf('server', input.serverId);
      const caller = await callerAt(context, createServerToken.permission, 'server', serverId);
      return createServerToken(context.deps, caller, {
        serverId,
        name: input.name,
        scopes: input.scopes ?? null,
        stream: input.stream ?? null,
        allowedIps: input.allowedIps ?? null,
        expiresAt: input.expiresAt ?? null,
      });
    },
  }),
  rotateServerToken: t.withAuth(onId(rotateServerToken, 'token', 'input.id')).field({
    type: RotateServerTokenResult,
    nullable: true,
    description: `${guarded(rotateServerToken.permission, rotateText)} ${proofText}`,
    args: { input: t.arg({ type: RotateTokenInput, description: 'The token.' }) },
    resolve: async (_root, { input }, context) => {
      const id = uuidOf('token', input.id);
      const caller = await callerAt(context, rotateServerToken.permission, 'token', id);
      return rotateServerToken(context.deps, caller, { id, overlapSeconds: input.overlapSeconds ?? null });
    },
  }),
  revokeServerToken: t.withAuth(onId(revokeServerToken, 'token', 'input.id')).field({
    type: RevokeServerTokenResult,
    nullable: true,
    description: `${guarded(revokeServerToken.permission, revokeText)} ${proofText}`,
    args: { input: t.arg({ type: IdInput, description: 'The token.' }) },
    resolve: async (_root, { input }, context) => {
      const id = uuidOf('token', input.id);
      return revokeServerToken(context.deps, await callerAt(context, revokeServerToken.permission, 'token', id), {
        id,
      });
    },
  }),
  createAccountToken: t.withAuth(onId(createAccountToken, 'account', 'input.accountId')).field({
    type: CreateAccountTokenResult,
    nullable: true,
    description: `${guarded(createAccountToken.permission, `Makes a token of an account, which may have ${MAX_TOKENS} live ones, not counting those being rotated out.`)} ${proofText}`,
    args: { input: t.arg({ type: CreateAccountTokenInput, description: 'The new token.' }) },
    resolve: async (_root, { input }, context) => {
      const accountId = uuidOf('account', input.accountId);
      const caller = await callerAt(context, createAccountToken.permission, 'account', accountId);
      return createAccountToken(context.deps, caller, {
        accountId,
        name: input.name,
        allowedIps: input.allowedIps ?? null,
        expiresAt: input.expiresAt ?? null,
      });
    },
  }),
  rotateAccountToken: t.withAuth(onId(rotateAccountToken, 'token', 'input.id')).field({
    type: RotateAccountTokenResult,
    nullable: true,
    description: `${guarded(rotateAccountToken.permission, rotateText)} ${proofText}`,
    args: { input: t.arg({ type: RotateTokenInput, description: 'The token.' }) },
    resolve: async (_root, { input }, context) => {
      const id = uuidOf('token', input.id);
      const caller = await callerAt(context, rotateAccountToken.permission, 'token', id);
      return rotateAccountToken(context.deps, caller, { id, overlapSeconds: input.overlapSeconds ?? null });
    },
  }),
  revokeAccountToken: t.withAuth(onId(revokeAccountToken, 'token', 'input.id')).field({
    type: RevokeAccountTokenResult,
    nullable: true,
    description: `${guarded(revokeAccountToken.permission, revokeText)} ${proofText}`,
    args: { input: t.arg({ type: IdInput, description: 'The token.' }) },
    resolve: async (_root, { input }, context) => {
      const id = uuidOf('token', input.id);
      return revokeAccountToken(context.deps, await callerAt(context, revokeAccountToken.permission, 'token', id), {
        id,
      });
    },
  }),
}));

const SetTokenReminderInput = builder.inputType('SetTokenReminderInput', {
  description: 'When to be reminded of old tokens.',
  fields: (t) => ({
    accountId: t.id({ description: 'The account.' }),
    days: t.int({
      description: `Age of a token in days, ${TOKEN_REMINDER_DAYS.min} to ${TOKEN_REMINDER_DAYS.max}; ${TOKEN_REMINDER_DAYS.default} until it is set.`,
    }),
  }),
});
const SetTokenReminderResult = resultUnion(
  'SetTokenReminderResult',
  Account,
  setTokenReminder,
  'The account, or why it is as it was.',
);

builder.mutationField('setTokenReminder', (t) =>
  t.withAuth(onId(setTokenReminder, 'account', 'input.accountId')).field({
    type: SetTokenReminderResult,
    nullable: true,
    description: guarded(
      setTokenReminder.permission,
      `Sets the age at which owner and admins are reminded, once, to rotate a token. They also hear of one that was not used for ${UNUSED_TOKEN_DAYS} days.`,
    ),
    args: { input: t.arg({ type: SetTokenReminderInput, description: 'The age.' }) },
    resolve: async (_root, { input }, context) => {
      const accountId = uuidOf('account', input.accountId);
      const caller = await callerAt(context, setTokenReminder.permission, 'account', accountId);
      return setTokenReminder(context.deps, caller, { accountId, days: input.days });
    },
  }),
);
