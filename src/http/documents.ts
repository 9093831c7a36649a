// Documents are parsed, measured, validated and priced once; clients send the same few again and again.
import {
  type DocumentNode,
  type FragmentDefinitionNode,
  GraphQLError,
  type GraphQLSchema,
  Kind,
  type OperationDefinitionNode,
  parse,
  specifiedRules,
  validate,
} from 'graphql';
import { RequestFault, refusedDocument, withCode } from './errors.ts';
import { type CostOf, compileCost } from './limits/cost.ts';
import { DOCUMENT_LIMITS, refuseShape } from './limits/shape.ts';
import { variablesOfAnswers } from './shared-operation.ts';

export interface Operation {
  readonly document: DocumentNode;
  readonly kind: 'query' | 'mutation' | 'subscription';
  readonly name: string | null;
  readonly costOf: CostOf;
  /** Of a subscription: the variables that its answers may depend on besides the event; null: they are not shared. */
  readonly answersVaryBy: readonly string[] | null;
}

export interface Documents {
  /** Throws RequestFault. */
  find(query: string, operationName: string | null): Operation;
}

interface Entry {
  readonly operations: readonly Operation[];
  readonly weight: number;
}

/** In tokens, of which each is some 300 bytes of syntax tree: 30 MB at most. */
const CACHE_WEIGHT = 100_000;
/** Literals are one token whatever their length. */
const CHARACTERS_A_TOKEN = 50;
const CACHED_FAULTS = 200;
/** Each costs a search for similar names. */
const MAX_ERRORS = 10;

export function createDocuments(schema: GraphQLSchema): Documents {
  const entries = new Map<string, Entry>();
  const faults = new Map<string, RequestFault>();
  let weight = 0;

  const remember = (query: string, entry: Entry) => {
    entries.set(query, entry);
    weight += entry.weight;
    for (const [oldest, { weight: freed }] of entries) {
      if (weight <= CACHE_WEIGHT) break;
      entries.delete(oldest);
      weight -= freed;
    }
  };
  const rememberFault = (query: string, fault: RequestFault) => {
    faults.set(query, fault);
    const oldest = faults.keys().next();
    if (faults.size > CACHED_FAULTS && !oldest.done) faults.delete(oldest.value);
  };
  const load = (query: string): Entry => {
    const known = entries.get(query);
    if (known !== undefined) {
      // Recency is the order of the map.
      entries.delete(query);
      entries.set(query, known);
      return known;
    }
    const fault = faults.get(query);
    if (fault !== undefined) throw fault;
    try {
      const entry = prepare(schema, query);
      remember(query, entry);
      return entry;
    } catch (error) {
      if (error instanceof RequestFault) rememberFault(query, error);
      throw error;
    }
  };

  return {
    find(query, operationName) {
      if (query.length > DOCUMENT_LIMITS.characters) {
        throw refusedDocument(
          'QUERY_TOO_COMPLEX',
          `The document is longer than ${DOCUMENT_LIMITS.characters} characters; long values belong into variables.`,
        );
      }
      const { operations } = load(query);
      const [first] = operations;
      if (operationName === null && operations.length === 1 && first !== undefined) return first;
      const named = operations.find(({ name }) => operationName !== null && name === operationName);
      if (named !== undefined) return named;
      throw refusedDocument(
        'OPERATION_RESOLUTION_FAILURE',
        operationName === null
          ? 'Name the operation: the document has several.'
          : 'The document has no such operation.',
      );
    },
  };
}

function prepare(schema: GraphQLSchema, query: string): Entry {
  const document = parseDocument(query);
  const fault = refuseShape(document);
  if (fault !== null) throw fault;
  const errors = validate(schema, document, specifiedRules, { maxErrors: MAX_ERRORS });
  if (errors.length > 0)
    throw new RequestFault(withCode(errors, 'GRAPHQL_VALIDATION_FAILED'), 400, { inDocument: true });

  const fragments = new Map<string, FragmentDefinitionNode>();
  const definitions: OperationDefinitionNode[] = [];
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
    else if (definition.kind === Kind.OPERATION_DEFINITION) definitions.push(definition);
  }
  if (definitions.length === 0) throw refusedDocument('OPERATION_RESOLUTION_FAILURE', 'The document has no operation.');
  const operations = definitions.map((definition) => ({
    document,
    kind: definition.operation,
    name: definition.name?.value ?? null,
    costOf: compileCost(schema, definition, fragments),
    answersVaryBy: definition.operation === 'subscription' ? variablesOfAnswers(schema, definition, fragments) : null,
  }));
  return { operations, weight: Math.max(document.tokenCount ?? 0, query.length / CHARACTERS_A_TOKEN) };
}

function parseDocument(query: string): DocumentNode {
  try {
    return parse(query, { maxLexicalTokens: DOCUMENT_LIMITS.tokens });
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error;
    if (error.message.includes('tokens. Parsing aborted')) throw refusedDocument('QUERY_TOO_COMPLEX', error.message);
    throw new RequestFault(withCode([error], 'GRAPHQL_PARSE_FAILED'), 400, { inDocument: true });
  }
}
