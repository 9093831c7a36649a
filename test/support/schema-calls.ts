// Operations made from the schema: one for each root field, with inputs that pass coercion, so that a field that is added
// tomorrow is called by the tests of today.
import {
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputField,
  type GraphQLInputType,
  type GraphQLNamedType,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
  isUnionType,
} from 'graphql';

export type RootKind = 'query' | 'mutation' | 'subscription';

export interface RootField {
  readonly root: RootKind;
  /** e.g. `Mutation.sendEmail`. */
  readonly name: string;
  readonly field: GraphQLField<unknown, unknown>;
}

export function rootFieldsOf(schema: GraphQLSchema): RootField[] {
  const roots = [
    ['query', schema.getQueryType()],
    ['mutation', schema.getMutationType()],
    ['subscription', schema.getSubscriptionType()],
  ] as const;
  return roots.flatMap(([root, type]) =>
    Object.values(type?.getFields() ?? {}).map((field) => ({ root, field, name: `${type?.name}.${field.name}` })),
  );
}

/** The value of an id argument, by where it stands, e.g. `input.serverId`; undefined where none is known. */
export type IdAt = (path: string) => string | undefined;

/** What is required, and each id that `idAt` knows. */
export function variablesFor({ field }: RootField, idAt: IdAt): Readonly<Record<string, unknown>> {
  return inputOf(field.args, '', idAt);
}

function inputOf(fields: readonly (GraphQLArgument | GraphQLInputField)[], path: string, idAt: IdAt) {
  const entries = fields.flatMap((field) => {
    const at = path === '' ? field.name : `${path}.${field.name}`;
    const named = getNamedType(field.type);
    const id = named.name === 'ID' ? idAt(at) : undefined;
    if (id === undefined && !isNonNullType(field.type)) return [];
    return [[field.name, sample(field.type, at, idAt, id)] as const];
  });
  return Object.fromEntries(entries);
}

function sample(type: GraphQLInputType, path: string, idAt: IdAt, id: string | undefined): unknown {
  const bare = getNullableType(type);
  if (isListType(bare)) return [sample(bare.ofType, path, idAt, id)];
  const named = getNamedType(bare);
  if (isInputObjectType(named)) return inputOf(Object.values(named.getFields()), path, idAt);
  if (isEnumType(named)) return named.getValues()[0]?.name;
  switch (named.name) {
    case 'ID':
      return id ?? 'nothing';
    case 'Int':
      return 1;
    case 'Boolean':
      return false;
    case 'JSON':
      return {};
    case 'DateTime':
      return '2030-01-01T00:00:00Z';
    default:
      return 'sample@made.example';
  }
}

export function documentFor(rootField: RootField, variables: Readonly<Record<string, unknown>>): string {
  const { root, field } = rootField;
  const used = field.args.filter(({ name }) => name in variables);
  const head = used.map(({ name, type }) => `$${name}: ${type.toString()}`).join(', ');
  const args = used.map(({ name }) => `${name}: $${name}`).join(', ');
  const selection = selectionOf(getNamedType(field.type));
  return `${root}${head === '' ? '' : ` (${head})`} { ${field.name}${args === '' ? '' : `(${args})`}${selection} }`;
}

function selectionOf(type: GraphQLNamedType): string {
  const inner = insideOf(type);
  return isLeafType(type) ? '' : ` { __typename ${inner} }`;
}

/** What tells things apart: ids, and what errors say. */
function insideOf(type: GraphQLNamedType): string {
  if (isUnionType(type)) {
    return type
      .getTypes()
      .map((member) => `... on ${member.name} { __typename ${insideOf(member)} }`)
      .join(' ');
  }
  if (!isObjectType(type) && !isInterfaceType(type)) return '';
  return ['id', 'code', 'message']
    .filter((name) => isLeafType(getNullableType(type.getFields()[name]?.type)))
    .join(' ');
}

/** What a field says in its authScopes: the permission that it needs, or the states of a person that may call it. */
export interface Declared {
  readonly permission: string | null;
  readonly scopes: readonly string[];
}

export function declaredBy(field: GraphQLField<unknown, unknown>): Declared {
  const options: unknown = field.extensions['pothosOptions'];
  const scopes: unknown = Object(options).authScopes;
  if (typeof scopes === 'function')
    return { permission: String(Reflect.get(scopes, 'permission') ?? '') || null, scopes: [] };
  if (typeof scopes !== 'object' || scopes === null) return { permission: null, scopes: [] };
  const can: unknown = Reflect.get(scopes, 'can');
  return { permission: typeof can === 'string' ? can : null, scopes: Object.keys(scopes) };
}
