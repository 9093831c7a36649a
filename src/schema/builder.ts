// The one builder. Errors come before scopes, so that a refusal is never taken for an outcome; every scope that a field
// names must hold.
import SchemaBuilder from '@pothos/core';
import ErrorsPlugin from '@pothos/plugin-errors';
import RelayPlugin from '@pothos/plugin-relay';
import ScopeAuthPlugin, { type AuthFailure, AuthScopeFailureType } from '@pothos/plugin-scope-auth';
import { Forbidden, Unauthenticated } from '#/domain/errors.ts';
import { type Actor, type Permission, type PermissionRule, permissions, refusalOf } from '#/domain/permissions.ts';
import type { Context, SignedContext } from './context.ts';
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
    authenticated: boolean;
    can: Permission;
  };
  AuthContexts: { authenticated: SignedContext; can: SignedContext };
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
    authScopes: ({ caller }) => ({
      public: true,
      authenticated: caller !== null,
      can: (permission) => caller !== null && refusalOf(caller.actor, permission) === null,
    }),
    unauthorizedError: (_parent, { caller }, info, { failure }) =>
      caller === null
        ? new Unauthenticated()
        : new Forbidden(missingOf(caller.actor, failure) ?? `${info.parentType.name}.${info.fieldName}`),
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

/** The right that was missing, in words. */
function missingOf(actor: Actor, failure: AuthFailure): string | null {
  switch (failure.kind) {
    case AuthScopeFailureType.AllAuthScopes:
    case AuthScopeFailureType.AnyAuthScopes:
      return failure.failures.map((inner) => missingOf(actor, inner)).find((text) => text !== null) ?? null;
    case AuthScopeFailureType.AuthScope: {
      const { parameter } = failure;
      return isPermission(parameter) ? refusalOf(actor, parameter) : null;
    }
    default:
      return null;
  }
}

function isPermission(value: unknown): value is Permission {
  return typeof value === 'string' && Object.hasOwn(permissions, value);
}

/** A description with who may. */
export function guarded(permission: Permission, description: string): string {
  const { serverToken, accountToken }: PermissionRule = permissions[permission];
  if (serverToken === 'ANY') return description;
  const needed =
    serverToken === null ? 'an account token' : accountToken ? `${serverToken} or an account token` : serverToken;
  return `${description} Needs ${needed}.`;
}
