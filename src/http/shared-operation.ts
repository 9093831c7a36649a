// Which subscriptions may be executed together: those whose document asks the same of an event. The arguments of the root
// field choose the events and say nothing of them, so whoever comes back with another cursor, or filters otherwise, still
// shares. A root field says by `extensions.shared` that it answers from the event alone.
import {
  type DocumentNode,
  type FragmentDefinitionNode,
  type GraphQLSchema,
  Kind,
  type OperationDefinitionNode,
  visit,
} from 'graphql';

/** Names of the variables that an answer may depend on; null: it may not be shared. */
export function variablesOfAnswers(
  schema: GraphQLSchema,
  operation: OperationDefinitionNode,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
): readonly string[] | null {
  const [root] = operation.selectionSet.selections;
  if (operation.selectionSet.selections.length !== 1 || root?.kind !== Kind.FIELD) return null;
  const field = schema.getSubscriptionType()?.getFields()[root.name.value];
  if (field?.extensions['shared'] !== true) return null;
  const names = new Set<string>();
  const collect = (node: DocumentNode | FragmentDefinitionNode | OperationDefinitionNode) =>
    visit(node, {
      // Its default is no use of it.
      VariableDefinition: () => false,
      Field: (each) => (each === root ? { ...each, arguments: [] } : undefined),
      Variable: ({ name }) => void names.add(name.value),
    });
  collect(operation);
  for (const fragment of fragments.values()) collect(fragment);
  return [...names].toSorted();
}
