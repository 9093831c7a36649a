// A root field without authScopes does not get into the schema: forgetting them is an error at start, not a hole.
import SchemaBuilder, {
  BasePlugin,
  type PothosOutputFieldConfig,
  PothosSchemaError,
  type SchemaTypes,
} from '@pothos/core';

export const scopesRequired = 'scopesRequired';

declare global {
  export namespace PothosSchemaTypes {
    interface Plugins<Types extends SchemaTypes> {
      scopesRequired: ScopesRequiredPlugin<Types>;
    }
  }
}

const ROOTS: ReadonlySet<string> = new Set(['Query', 'Mutation', 'Subscription']);

export class ScopesRequiredPlugin<Types extends SchemaTypes> extends BasePlugin<Types> {
  override onOutputFieldConfig(field: PothosOutputFieldConfig<Types>): PothosOutputFieldConfig<Types> {
    if (ROOTS.has(field.kind) && !field.pothosOptions.authScopes)
      throw new PothosSchemaError(`${field.kind}.${field.name} names no authScopes`);
    return field;
  }
}

SchemaBuilder.registerPlugin(scopesRequired, ScopesRequiredPlugin);
