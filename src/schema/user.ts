// People as they are seen: identities, their second factors and their sessions.
import { createContextCache } from '@pothos/core';
import DataLoader from 'dataloader';
import { countUnusedBackupCodes } from '#/db/backup-codes.ts';
import { listSessions, type SessionRow } from '#/db/sessions.ts';
import { listTwoFactorMethods, type TwoFactorMethodRow } from '#/db/two-factor-methods.ts';
import { minutesAfter, SESSION_IDLE_MINUTES } from '#/domain/identity/rules.ts';
import { encodeId } from '#/domain/ids.ts';
import { builder } from './builder.ts';
import type { Context } from './context.ts';

const TwoFactorMethodKind = builder.enumType('TwoFactorMethodKind', {
  description: 'How a second factor proves who somebody is.',
  values: {
    TOTP: { description: 'A code of an authenticator app (RFC 6238).' },
    PASSKEY: { description: 'A passkey or security key (WebAuthn).' },
  } as const,
});

export const TwoFactorMethod = builder.objectRef<TwoFactorMethodRow>('TwoFactorMethod').implement({
  description: 'A second factor that somebody has set up.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({ description: 'Global id, tfa_….', resolve: ({ id }) => encodeId('factor', id) }),
    kind: t.field({ type: TwoFactorMethodKind, description: 'What it is.', resolve: ({ kind }) => kind }),
    name: t.exposeString('name', { description: 'For people.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was set up.' }),
    lastUsedAt: t.expose('lastUsedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was last shown; null while it never was.',
    }),
  }),
});

/** `current` is known where the session was just begun. */
export const Session = builder.objectRef<SessionRow & { readonly current?: boolean }>('Session').implement({
  description: 'A sign-in of a person, on one browser or program.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({ description: 'Global id, ses_….', resolve: ({ id }) => encodeId('session', id) }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it began.' }),
    lastSeenAt: t.expose('lastSeenAt', { type: 'DateTime', description: 'When it was last used, right to a minute.' }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      description: `When it ends, however much it is used. Unused it ends after ${SESSION_IDLE_MINUTES} minutes.`,
    }),
    ipAddress: t.exposeString('ipAddress', { description: 'Where it was begun from.' }),
    userAgent: t.exposeString('userAgent', { description: 'What it was begun with.' }),
    current: t.boolean({
      description: 'It is the one that asks.',
      resolve: ({ id, current }, _args, { asker }) =>
        current ?? (asker !== null && 'person' in asker && asker.person.session.id === id),
    }),
  }),
});

/** A person, as far as others see them. */
export interface Somebody {
  readonly id: string;
  readonly name: string;
  readonly email: string;
  readonly secondFactor: boolean;
  /** It is the one who asks, and has proved it with this very call: the request itself came from nobody yet. */
  readonly self?: boolean;
}

const methodsOf = createContextCache(
  ({ deps }: Context) =>
    new DataLoader<string, readonly TwoFactorMethodRow[]>(async (userIds) => {
      const rows = Map.groupBy(await listTwoFactorMethods(deps.db, userIds), ({ userId }) => userId);
      return userIds.map((id) => rows.get(id) ?? []);
    }),
);

const TwoFactorState = builder.objectRef<Somebody>('TwoFactorState').implement({
  description: 'Whether, and how, somebody proves more than a password.',
  fields: (t) => ({
    enabled: t.exposeBoolean('secondFactor', { description: 'Somebody who signs in must show a second factor.' }),
    methods: t.field({
      type: [TwoFactorMethod],
      description: 'What is set up, oldest first. Nothing for those who have not signed in completely.',
      resolve: async ({ id, self }, _args, context) =>
        self === true || isSelf(context, id) || context.callers.length > 0
          ? [...(await methodsOf(context).load(id))]
          : [],
    }),
    backupCodesRemaining: t.int({
      nullable: true,
      description: "Backup codes that were not used yet. The caller's own only.",
      resolve: ({ id, self }, _args, context) =>
        self === true || isSelf(context, id) ? countUnusedBackupCodes(context.deps.db, id) : null,
    }),
  }),
});

export const User = builder.objectRef<Somebody>('User').implement({
  description: 'An identity: one person, who may be a member of many accounts.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({ description: 'Global id, usr_….', resolve: ({ id }) => encodeId('user', id) }),
    name: t.exposeString('name', { description: 'As the person wrote it.' }),
    email: t.exposeString('email', { description: 'With which the person signs in.' }),
    twoFactor: t.field({ type: TwoFactorState, description: 'The second factor.', resolve: (somebody) => somebody }),
    sessions: t.field({
      type: [Session],
      nullable: true,
      description: "Sessions that are open, newest first. The caller's own only.",
      resolve: ({ id, self }, _args, context) => {
        if (self !== true && !isSelf(context, id)) return null;
        const now = context.deps.clock.now();
        return listSessions(context.deps.db, id, now, minutesAfter(now, -SESSION_IDLE_MINUTES));
      },
    }),
  }),
});

/** Signed in completely, or but for setting up the second factor. */
export function isSelf({ asker }: Context, userId: string): boolean {
  return (
    asker !== null &&
    'person' in asker &&
    asker.person.userId === userId &&
    asker.person.requirement !== 'VERIFY_TWO_FACTOR'
  );
}
