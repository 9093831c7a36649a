// What each field of the schema asks of a token, read from the schema itself: docs/permissions.md lists it, and
// test/architecture/scope-matrix.test.ts calls every field to see that it holds.
import {
  type GraphQLInterfaceType,
  type GraphQLObjectType,
  type GraphQLSchema,
  isInterfaceType,
  isIntrospectionType,
  isObjectType,
} from 'graphql';
import { isPermission, type Permission, permissions, type ServerTokenScope } from '#/domain/permissions.ts';

/** A permission; or every token, whatever it may; or not even one; or no token: it is for people. */
export type Demand = Permission | 'every token' | 'nothing' | 'people';

export interface FieldRule {
  /** e.g. `Query.server`. */
  readonly name: string;
  readonly type: GraphQLObjectType;
  readonly field: string;
  /** All must be met; empty: the field is open to whoever has got its row. */
  readonly demands: readonly Demand[];
  /** All of them are those of the type as a whole. */
  readonly likeItsType: boolean;
}

export type TokenKind = ServerTokenScope | 'ACCOUNT_TOKEN';

export function fieldRules(schema: GraphQLSchema): readonly FieldRule[] {
  return Object.values(schema.getTypeMap())
    .filter((type): type is GraphQLObjectType => isObjectType(type) && !isIntrospectionType(type))
    .flatMap((type) => {
      const ofType = demandsOfType(type);
      return Object.values(type.getFields()).map((field) => {
        const own = demandsOf(field);
        const demands = [...new Set([...ofType, ...own])];
        return {
          name: `${type.name}.${field.name}`,
          type,
          field: field.name,
          demands,
          likeItsType: ofType.length > 0 && own.length === 0,
        };
      });
    });
}

/** By the table of permissions alone. */
export function isOpenTo({ demands }: FieldRule, token: TokenKind): boolean {
  return demands.every((demand) => {
    if (demand === 'people') return false;
    if (demand === 'every token' || demand === 'nothing') return true;
    const { serverToken, accountToken } = permissions[demand];
    return token === 'ACCOUNT_TOKEN' ? accountToken : serverToken === 'ANY' || serverToken === token;
  });
}

function demandsOfType(type: GraphQLObjectType | GraphQLInterfaceType): readonly Demand[] {
  return [type, ...type.getInterfaces().filter(isInterfaceType)].flatMap(demandsOf);
}

function demandsOf({ extensions }: { readonly extensions: object }): readonly Demand[] {
  const options: unknown = Reflect.get(extensions, 'pothosOptions');
  const scopes: unknown = isRecord(options) ? options['authScopes'] : undefined;
  return scopes === undefined ? [] : demandsOfScopes(scopes);
}

/** Throws for a scope that it does not know: whoever adds one says here what it means for tokens. */
function demandsOfScopes(scopes: unknown): readonly Demand[] {
  if (typeof scopes === 'function') {
    const permission: unknown = Reflect.get(scopes, 'permission');
    if (!isPermission(permission)) throw new Error('a function of scopes does not tell its permission');
    return [permission];
  }
  if (!isRecord(scopes)) throw new Error('scopes are neither an object nor a function');
  return Object.entries(scopes).flatMap(([name, value]) => {
    if (name === 'can' && isPermission(value)) return [value];
    if (name === 'public') return ['nothing' as const];
    if (name === '$any' && isRecord(value)) {
      return Object.keys(value).some((each) => forTokens.has(each)) ? ['every token' as const] : ['people' as const];
    }
    if (forTokens.has(name)) return ['every token' as const];
    if (forPeople.has(name)) return ['people' as const];
    throw new Error(`what does the scope ${name} mean for tokens?`);
  });
}

/** `proved`: programs always are. */
const forTokens: ReadonlySet<string> = new Set(['authenticated', 'proved']);
const forPeople: ReadonlySet<string> = new Set(['signedIn', 'enrolling', 'secondStep', 'anyStep', 'staff']);

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
