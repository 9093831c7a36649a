// Limits that hold before validation, which itself can be made expensive: measured on the syntax alone, in time linear in
// the document, every fragment once.
import { type DocumentNode, type FragmentDefinitionNode, Kind, type SelectionSetNode } from 'graphql';
import { type RequestFault, refusedDocument } from '../errors.ts';

export const DOCUMENT_LIMITS = {
  /** Texts of emails belong into variables. Room for a page of GraphiQL, small enough to be garbage. */
  characters: 32 * 1_024,
  tokens: 2_000,
  /** server > messages > edges > node > events > edges > node > message > recipients > attempts > field is 11. */
  depth: 12,
  /** Clients nest `ofType` nine times below __schema > types > fields > args > type. */
  introspectionDepth: 20,
  introspections: 4,
  aliases: 50,
  rootFields: 20,
  directives: 50,
  /** Validation compares the fields of each with those of each other. */
  fragments: 100,
  /** Fields after every fragment has been put in its places. */
  fields: 5_000,
  /** The same field twice in one selection set says nothing, and validation compares all pairs of them. */
  repetitions: 20,
} as const;

interface Shape {
  depth: number;
  fields: number;
  rootFields: number;
  introspections: number;
}

/** The refusal, or null. */
export function refuseShape(document: DocumentNode): RequestFault | null {
  const limits = DOCUMENT_LIMITS;
  const fragments = document.definitions.filter(({ kind }) => kind === Kind.FRAGMENT_DEFINITION).length;
  if (fragments > limits.fragments) return tooComplex(`has more than ${limits.fragments} fragments`);
  const measured = new Measurement(document);
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) measured.fragment(definition.name.value);
    if (definition.kind !== Kind.OPERATION_DEFINITION) continue;
    measured.directives += definition.directives?.length ?? 0;
    const shape = measured.selectionSet(definition.selectionSet);
    if (shape.depth > limits.depth) return tooComplex(`nests deeper than ${limits.depth} fields`);
    if (shape.fields > limits.fields) return tooComplex(`selects more than ${limits.fields} fields`);
    if (shape.rootFields > limits.rootFields) return tooComplex(`has more than ${limits.rootFields} root fields`);
    if (shape.introspections > limits.introspections) {
      return tooComplex(`introspects more than ${limits.introspections} times`);
    }
  }
  if (measured.aliases > limits.aliases) return tooComplex(`has more than ${limits.aliases} aliases`);
  if (measured.directives > limits.directives) return tooComplex(`has more than ${limits.directives} directives`);
  if (measured.repetitions > limits.repetitions) {
    return tooComplex(`repeats a field more than ${limits.repetitions} times in one place`);
  }
  if (measured.introspectionDepth > limits.introspectionDepth) return tooComplex('nests introspection too deep');
  return null;
}

function tooComplex(what: string): RequestFault {
  return refusedDocument('QUERY_TOO_COMPLEX', `The document ${what}.`);
}

class Measurement {
  aliases = 0;
  directives = 0;
  repetitions = 0;
  introspectionDepth = 0;
  readonly #definitions = new Map<string, FragmentDefinitionNode>();
  /** Null while it is being measured: a cycle, which validation will report. */
  readonly #fragments = new Map<string, Shape | null>();

  constructor(document: DocumentNode) {
    for (const definition of document.definitions) {
      if (definition.kind === Kind.FRAGMENT_DEFINITION) this.#definitions.set(definition.name.value, definition);
    }
  }

  fragment(name: string): Shape {
    const known = this.#fragments.get(name);
    const definition = this.#definitions.get(name);
    if (known !== undefined || definition === undefined) return known ?? emptyShape();
    this.#fragments.set(name, null);
    this.directives += definition.directives?.length ?? 0;
    const shape = this.selectionSet(definition.selectionSet);
    this.#fragments.set(name, shape);
    return shape;
  }

  /** Depths below __schema and __type are measured apart. */
  selectionSet(set: SelectionSetNode): Shape {
    const shape = emptyShape();
    const names = new Map<string, number>();
    for (const selection of set.selections) {
      this.directives += selection.directives?.length ?? 0;
      if (selection.kind === Kind.FIELD) {
        if (selection.alias !== undefined) this.aliases += 1;
        const key = selection.alias?.value ?? selection.name.value;
        const count = (names.get(key) ?? 0) + 1;
        names.set(key, count);
        this.repetitions = Math.max(this.repetitions, count);
        const opens = selection.name.value === '__schema' || selection.name.value === '__type';
        const inner = selection.selectionSet === undefined ? emptyShape() : this.selectionSet(selection.selectionSet);
        if (opens) this.introspectionDepth = Math.max(this.introspectionDepth, inner.depth);
        shape.depth = Math.max(shape.depth, opens ? 1 : inner.depth + 1);
        shape.fields += inner.fields + 1;
        shape.rootFields += 1;
        shape.introspections += inner.introspections + (opens ? 1 : 0);
      } else {
        const inner =
          selection.kind === Kind.FRAGMENT_SPREAD
            ? this.fragment(selection.name.value)
            : this.selectionSet(selection.selectionSet);
        shape.depth = Math.max(shape.depth, inner.depth);
        shape.fields += inner.fields;
        shape.rootFields += inner.rootFields;
        shape.introspections += inner.introspections;
      }
    }
    return shape;
  }
}

function emptyShape(): Shape {
  return { depth: 0, fields: 0, rootFields: 0, introspections: 0 };
}
