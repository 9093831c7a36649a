// Types for the operations that the tests send to our own API, so that a test fails to compile when the schema moves
// away from it. Run by npm run gen, which hands over the schema that it has just printed.
import type { CodegenConfig } from '@graphql-codegen/cli';

const config = {
  schema: 'schema.graphql',
  documents: ['test/**/*.graphql.ts', 'test/support/operations/*.graphql'],
  ignoreNoDocuments: true,
  importExtension: '.ts',
  generates: {
    'test/gql/': {
      preset: 'client',
      // Tests compare whole results; masks would stand in the way.
      presetConfig: { fragmentMasking: false },
      config: {
        // Plain fetch and graphql-ws send text, and a text needs no second copy of graphql in vitest's loader.
        documentMode: 'string',
        useTypeImports: true,
        enumsAsTypes: true,
        strictScalars: true,
        scalars: { ID: 'string', DateTime: 'string', JSON: 'unknown' },
      },
    },
  },
} satisfies CodegenConfig;

export default config;
