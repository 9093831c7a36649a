// The one builder. Errors come before scopes, so that a refusal is never taken for an outcome; every scope that a field
// names must hold.
import SchemaBuilder from '@pothos/core';
import ErrorsPlugin from '@pothos/plugin-errors';
import RelayPlugin from '@pothos/plugin-relay';
import ScopeAuthPlugin, { type AuthFailure, AuthScopeFailureType } from '@pothos/plugin-scope-auth';
import { type Actor, refusalOf } from '#/domain/actor.ts';
import {
  Forbidden,
  StepUpRequired,
  TwoFactorEnrollmentRequired,
  TwoFactorRequired,
  Unauthenticated,
} from '#/domain/errors.ts';
import { isPermission, type Permission, type PermissionRule, permissions } from '#/domain/permissions.ts';
import type { Requirement } from '#/domain/person.ts';
import { type Context, rightsIn } from './context.ts';
import type { Right } from './guards.ts';
import { scopesRequired } from './scopes-required.ts';

interface Types {
  Context: Context;
  Scalars: {
    ID: { Input: string; Output: string };
    DateTime: { Input: Date; Output: Date };
    JSON: { Input: unknown; Output: unknown };
  };
  DefaultFieldNullability: false;
  DefaultInputFieldRequiredness: true;
  DefaultEdgesNullability: { list: false; items: false };
  DefaultNodeNullability: false;
  AuthScopes: {
    /** Anybody. */
    public: boolean;
    /** A token, or a person with nothing left to do before. */
    authenticated: boolean;
    /** A person with nothing left to do before. */
    signedIn: boolean;
    /** The same, or one who must set up a second factor first. */
    enrolling: boolean;
    /** A person whose second factor is still to be shown, and nobody else. */
    secondStep: boolean;
    /** Somewhere: the use-case, and what its id leads to, decide where. */
    can: Permission;
    /** In this account and on this server. */
    may: Right;
    /** A person who proved who they are within the last minutes; programs always have. */
    proved: boolean;
  };
  DefaultAuthStrategy: 'all';
}

export const builder = new SchemaBuilder<Types>({
  plugins: [ErrorsPlugin, ScopeAuthPlugin, RelayPlugin, scopesRequired],
  defaultFieldNullability: false,
  defaultInputFieldRequiredness: true,
  errors: { directResult: true },
  scopeAuth: {
    authorizeOnSubscribe: true,
    treatErrorsAsUnauthorized: false,
    defaultStrategy: 'all',
    cacheKey: (value) => JSON.stringify(value),
    authScopes: (context) => {
      const { asker, callers } = context;
      const requirement = requirementOf(context);
      const person = asker !== null && 'person' in asker;
      return {
        public: true,
        authenticated: asker !== null && requirement === null,
        signedIn: person && requirement === null,
        enrolling: person && requirement !== 'VERIFY_TWO_FACTOR',
        secondStep: requirement === 'VERIFY_TWO_FACTOR',
        can: (permission) => callers.some(({ actor }) => refusalOf(actor, permission) === null),
        may: ({ permission, accountId, serverId }) => {
          const rights = rightsIn(context, accountId);
          return rights !== null && refusalOf(rights.caller.actor, permission, serverId) === null;
        },
        proved: !person || isFresh(asker.person.provedUntil, context),
      };
    },
    unauthorizedError: (_parent, context, info, { failure }) =>
      refusalFor(context, failure, `${info.parentType.name}.${info.fieldName}`),
  },
  relay: {
    nodeQueryOptions: false,
    nodesQueryOptions: false,
    nodeTypeOptions: { description: 'What has an id of its own: `node` finds it by that id alone.' },
    idFieldOptions: { description: 'Global, sortable by age, and the same string in API, webhooks, logs and headers.' },
    pageInfoTypeOptions: { description: 'Where a page lies in its list.' },
    hasNextPageFieldOptions: { description: 'There is more after this page.' },
    hasPreviousPageFieldOptions: { description: 'This page does not begin at the start of the list.' },
    startCursorFieldOptions: { description: 'Cursor of the first edge; null on an empty page.' },
    endCursorFieldOptions: { description: 'Cursor of the last edge, for `after`; null on an empty page.' },
    edgesFieldOptions: {
      description: 'The entries of this page, in the order of the list.',
      nullable: { list: false, items: false },
    },
    pageInfoFieldOptions: { description: 'Where this page lies in the list.' },
    nodeFieldOptions: { description: 'The entry itself.', nullable: false },
    cursorFieldOptions: { description: 'Continue after this entry with `after`.' },
  },
});

builder.queryType({ description: 'Everything that can be read.' });
builder.mutationType({
  description: 'Everything that can be done. Each answers a union of its success and what may be expected to fail.',
});
builder.subscriptionType({ description: 'Everything that can be followed.' });

function requirementOf({ asker }: Context): Requirement | null {
  return asker !== null && 'person' in asker ? asker.person.requirement : null;
}

function isFresh(until: Date | null, { deps }: Context): boolean {
  return until !== null && until > deps.clock.now();
}

function refusalFor(context: Context, failure: AuthFailure, field: string): Error {
  if (context.asker === null) return new Unauthenticated();
  switch (requirementOf(context)) {
    case 'VERIFY_TWO_FACTOR':
      return new TwoFactorRequired();
    case 'ENROLL_TWO_FACTOR':
      return new TwoFactorEnrollmentRequired();
    default:
  }
  if (failedScopes(failure).includes('proved')) return new StepUpRequired();
  const [first] = context.callers;
  return new Forbidden((first === undefined ? null : missingOf(first.actor, failure)) ?? field);
}

function failedScopes(failure: AuthFailure): readonly string[] {
  if ('failures' in failure) return failure.failures.flatMap(failedScopes);
  return 'scope' in failure ? [failure.scope] : [];
}

/** The right that was missing, in words. */
function missingOf(actor: Actor, failure: AuthFailure): string | null {
  switch (failure.kind) {
    case AuthScopeFailureType.AllAuthScopes:
    case AuthScopeFailureType.AnyAuthScopes:
      return failure.failures.map((inner) => missingOf(actor, inner)).find((text) => text !== null) ?? null;
    case AuthScopeFailureType.AuthScope: {
      const { parameter } = failure;
      if (isPermission(parameter)) return refusalOf(actor, parameter) ?? parameter;
      return isRight(parameter) ? parameter.permission : null;
    }
    default:
      return null;
  }
}

function isRight(value: unknown): value is Right {
  return typeof value === 'object' && value !== null && 'permission' in value && isPermission(value.permission);
}

/** A description with who may. */
export function guarded(permission: Permission, description: string): string {
  const { serverToken, accountToken, serverLevel, accountRole }: PermissionRule = permissions[permission];
  if (serverToken === 'ANY') return description;
  const needed = [
    ...(serverToken === null ? [] : [serverToken]),
    ...(accountToken ? ['an account token'] : []),
    ...(serverLevel === null ? [] : [`${serverLevel} on the server`]),
    ...(accountRole === null ? [] : [roleTexts[accountRole]]),
  ];
  const last = needed.pop();
  return `${description} Needs ${needed.length === 0 ? last : `${needed.join(', ')} or ${last}`}.`;
}

const roleTexts = {
  MEMBER: 'a member',
  SERVER_ADMIN: 'a member who is ADMIN of a server',
  ADMIN: 'the role ADMIN',
  OWNER: 'the role OWNER',
} as const;
