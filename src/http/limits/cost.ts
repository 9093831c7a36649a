// What a document may cost at most, known before it runs: a point for each object that it can return. `first` multiplies
// the lists of its connection; a list of unknown length counts as five. Fragments of all types count, and so does what
// @include and @skip leave out: the figure must be one that a client can work out from the document and its variables.
//
// A schema field may set `extensions.cost`: its own points instead of 1 (an object) or 0 (a leaf); these are not refunded.
// `extensions.costPerItem: { argument: 'input.messages', cost: 5 }` adds so many for each item of that list, or each of
// that number, and multiplies what is selected below by it.
import {
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLCompositeType,
  type GraphQLField,
  type GraphQLSchema,
  getNamedType,
  isCompositeType,
  isInterfaceType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
  type ValueNode,
} from 'graphql';

export type Variables = Readonly<Record<string, unknown>>;

export interface Points {
  readonly total: number;
  /** Part that is not refunded, however little comes back. */
  readonly kept: number;
}

export type CostOf = (variables: Variables) => Points;

const UNKNOWN_LENGTH = 5;
/** Of a connection whose `first` is optional and absent. */
const UNKNOWN_PAGE = 20;
/** The whole schema is read and written, whatever is selected of it. */
const INTROSPECTION = { __schema: 500, __type: 50 } as const;
const MOST = 1e12;

type Size = number | ((variables: Variables) => number);

interface Cost {
  total: number;
  kept: number;
  /** What depends on variables. */
  readonly scaled: { readonly size: (variables: Variables) => number; readonly inner: Cost }[];
}

export function compileCost(
  schema: GraphQLSchema,
  operation: OperationDefinitionNode,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
): CostOf {
  const root = schema.getRootType(operation.operation);
  const cost = root
    ? new Compiler(schema, operation, fragments).selections(operation.selectionSet, root, null)
    : nothing();
  if (cost.scaled.length === 0) {
    const points = bounded(cost);
    return () => points;
  }
  return (variables) => bounded(evaluate(cost, variables));
}

function bounded({ total, kept }: Points): Points {
  return { total: Math.min(Math.max(total, 1), MOST), kept: Math.min(kept, MOST) };
}

function evaluate(cost: Cost, variables: Variables): Points {
  let { total, kept } = cost;
  for (const { size, inner } of cost.scaled) {
    const points = evaluate(inner, variables);
    const times = size(variables);
    total += times * points.total;
    kept += times * points.kept;
  }
  return { total, kept };
}

class Compiler {
  readonly #schema: GraphQLSchema;
  readonly #operation: OperationDefinitionNode;
  readonly #fragments: ReadonlyMap<string, FragmentDefinitionNode>;

  constructor(
    schema: GraphQLSchema,
    operation: OperationDefinitionNode,
    fragments: ReadonlyMap<string, FragmentDefinitionNode>,
  ) {
    this.#schema = schema;
    this.#operation = operation;
    this.#fragments = fragments;
  }

  /** `page`: length of the lists directly below, when these are a connection's. */
  selections(set: SelectionSetNode, type: GraphQLCompositeType, page: Size | null): Cost {
    const sum = nothing();
    for (const selection of set.selections) {
      if (selection.kind === Kind.FIELD) {
        add(sum, this.#field(selection, type, page));
        continue;
      }
      const fragment = selection.kind === Kind.FRAGMENT_SPREAD ? this.#fragments.get(selection.name.value) : selection;
      const condition = fragment?.typeCondition?.name.value;
      const on = condition === undefined ? type : this.#schema.getType(condition);
      if (fragment !== undefined && on !== undefined && isCompositeType(on)) {
        add(sum, this.selections(fragment.selectionSet, on, page));
      }
    }
    return sum;
  }

  #field(node: FieldNode, parent: GraphQLCompositeType, page: Size | null): Cost {
    const name = node.name.value;
    if (name === '__schema' || name === '__type') return { total: INTROSPECTION[name], kept: 0, scaled: [] };
    const field = isObjectType(parent) || isInterfaceType(parent) ? parent.getFields()[name] : undefined;
    if (field === undefined) return nothing();
    const named = getNamedType(field.type);
    const own = readOwn(field);
    const perItem = readPerItem(field);
    const paging = field.args.some((argument) => argument.name === 'first' || argument.name === 'last');
    const ownPage = paging ? this.#pageSize(node, field) : null;
    const isList = isListType(isNonNullType(field.type) ? field.type.ofType : field.type);

    const cost = nothing();
    cost.total = own ?? (isCompositeType(named) ? 1 : 0);
    cost.kept = own ?? 0;
    const below =
      node.selectionSet !== undefined && isCompositeType(named)
        ? this.selections(node.selectionSet, named, isList ? null : ownPage)
        : nothing();
    if (perItem !== null) {
      below.total += perItem.cost;
      below.kept += perItem.cost;
      add(cost, times(below, this.#argumentSize(node, field, perItem.argument, 1)));
      return cost;
    }
    add(cost, below);
    return isList && isCompositeType(named) ? times(cost, ownPage ?? page ?? UNKNOWN_LENGTH) : cost;
  }

  #pageSize(node: FieldNode, field: GraphQLField<unknown, unknown>): Size {
    const given = node.arguments?.find(({ name }) => name.value === 'first' || name.value === 'last');
    return this.#argumentSize(node, field, given?.name.value ?? 'first', UNKNOWN_PAGE);
  }

  /** `path`: argument, then input fields. `absent`: what counts when nothing is given. */
  #argumentSize(node: FieldNode, field: GraphQLField<unknown, unknown>, path: string, absent: number): Size {
    const [argument = '', ...rest] = path.split('.');
    let value = node.arguments?.find(({ name }) => name.value === argument)?.value;
    for (;;) {
      if (value === undefined) break;
      if (value.kind === Kind.VARIABLE) return this.#variableSize(value.name.value, rest, absent);
      const step = rest[0];
      if (step === undefined || value.kind !== Kind.OBJECT) break;
      rest.shift();
      value = value.fields.find(({ name }) => name.value === step)?.value;
    }
    if (value !== undefined) return literalSize(value, absent);
    const fallback = field.args.find(({ name }) => name === argument);
    if (fallback?.default?.literal !== undefined) return literalSize(fallback.default.literal, absent);
    // oxlint-disable-next-line typescript/no-deprecated -- where Pothos puts it
    return sizeOf(fallback?.default?.value ?? fallback?.defaultValue, absent);
  }

  #variableSize(name: string, path: readonly string[], absent: number): Size {
    const definition = this.#operation.variableDefinitions?.find(({ variable }) => variable.name.value === name);
    const fallback = definition?.defaultValue === undefined ? absent : literalSize(definition.defaultValue, absent);
    return (variables) => {
      let value = variables[name];
      if (value === undefined) return fallback;
      for (const step of path) value = isRecord(value) ? value[step] : undefined;
      return sizeOf(value, absent);
    };
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function literalSize(value: ValueNode, absent: number): number {
  if (value.kind === Kind.INT) return sizeOf(Number(value.value), absent);
  return value.kind === Kind.LIST ? value.values.length : absent;
}

/** What is neither number nor list will not coerce, or is one item standing for a list of one. */
function sizeOf(value: unknown, absent: number): number {
  if (Array.isArray(value)) return value.length;
  if (typeof value === 'number' && value >= 0) return Math.min(value, MOST);
  return value === undefined || value === null ? absent : 1;
}

function readOwn(field: GraphQLField<unknown, unknown>): number | null {
  const cost = field.extensions['cost'];
  return typeof cost === 'number' ? cost : null;
}

function readPerItem(field: GraphQLField<unknown, unknown>): { argument: string; cost: number } | null {
  const perItem = field.extensions['costPerItem'];
  if (!isRecord(perItem)) return null;
  const { argument, cost } = perItem;
  return typeof argument === 'string' && typeof cost === 'number' ? { argument, cost } : null;
}

function nothing(): Cost {
  return { total: 0, kept: 0, scaled: [] };
}

function add(sum: Cost, cost: Cost): void {
  sum.total += cost.total;
  sum.kept += cost.kept;
  sum.scaled.push(...cost.scaled);
}

function times(cost: Cost, size: Size): Cost {
  if (typeof size === 'function') return { total: 0, kept: 0, scaled: [{ size, inner: cost }] };
  return {
    total: cost.total * size,
    kept: cost.kept * size,
    scaled: cost.scaled.map((part) => ({ size: (variables) => size * part.size(variables), inner: part.inner })),
  };
}

/** Objects in an answer: what `total` was an upper bound of. */
export function countObjects(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  let count = 0;
  if (Array.isArray(value)) {
    for (const item of value) count += countObjects(item);
    return count;
  }
  for (const item of Object.values(value)) if (typeof item === 'object') count += countObjects(item);
  return count + 1;
}
