// Arguments that pass coercion, made from the schema: for tests that call every field.
import {
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputField,
  type GraphQLInputType,
  getNamedType,
  getNullableType,
  isCompositeType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isRequiredArgument,
} from 'graphql';

/** Only what is required; `id` stands wherever an id is. */
export function sampleInputs(
  fields: readonly (GraphQLArgument | GraphQLInputField)[],
  id: string,
): Readonly<Record<string, unknown>> {
  // Arguments and fields of inputs are required alike.
  const required = fields.filter(({ type, default: fallback }) => isNonNullType(type) && fallback === undefined);
  return Object.fromEntries(required.map((field) => [field.name, sampleOf(field.type, id)]));
}

/** `field(args) { __typename }` with the variables that it takes. */
export function sampleCall(field: GraphQLField<unknown, unknown>, id: string) {
  const args = field.args.filter(isRequiredArgument);
  const head = args.map((argument) => `$${argument.name}: ${argument.type.toString()}`).join(', ');
  const given = args.map(({ name }) => `${name}: $${name}`).join(', ');
  const selection = isCompositeType(getNamedType(field.type)) ? '{ __typename }' : '';
  return {
    head: head === '' ? '' : `(${head})`,
    call: `${field.name}${given === '' ? '' : `(${given})`} ${selection}`,
    variables: sampleInputs(args, id),
  };
}

function sampleOf(type: GraphQLInputType, id: string): unknown {
  const bare = getNullableType(type);
  if (isListType(bare)) return [sampleOf(bare.ofType, id)];
  const named = getNamedType(bare);
  if (isInputObjectType(named)) return sampleInputs(Object.values(named.getFields()), id);
  if (isEnumType(named)) return named.getValues()[0]?.name;
  switch (named.name) {
    case 'ID':
      return id;
    case 'Int':
      return 1;
    case 'Boolean':
      return false;
    case 'JSON':
      return {};
    case 'DateTime':
      return '2030-01-01T00:00:00.000Z';
    default:
      return 'x@sample.example';
  }
}
