// What holds for the whole schema: scopes, descriptions, and the contract.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import SchemaBuilder from '@pothos/core';
import {
  buildSchema,
  findBreakingChanges,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isIntrospectionType,
  isObjectType,
  isSpecifiedScalarType,
} from 'graphql';
import { describe, expect, test } from 'vitest';
import { schema } from '#/schema/index.ts';
import { scopesRequired } from '#/schema/scopes-required.ts';
import { notYetBuilt } from './not-yet-built.ts';

const types = Object.values(schema.getTypeMap()).filter(
  (type) => !isIntrospectionType(type) && !isSpecifiedScalarType(type),
);
const roots = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()];

describe('scopes', () => {
  const rootFields = roots.flatMap((root) => Object.values(root?.getFields() ?? {}).map((field) => ({ root, field })));

  test.each(rootFields.map(({ root, field }) => [`${root?.name}.${field.name}`, field] as const))(
    '%s has some',
    (_name, field) => {
      const options: unknown = field.extensions['pothosOptions'];
      expect(options).toMatchObject({ authScopes: expect.anything() });
    },
  );

  test('a root field without them does not get into a schema', () => {
    const careless = new SchemaBuilder<object>({ plugins: [scopesRequired], scopeAuth: { authScopes: () => ({}) } });
    careless.queryType({ fields: (t) => ({ open: t.boolean({ resolve: () => true }) }) });
    expect(() => careless.toSchema()).toThrow('Query.open names no authScopes');
  });

  /** What can be done by anybody is named in half-signed-in.test.ts. */
  test('only the viewer is for anybody to see', () => {
    const open = rootFields.filter(({ root, field }) => {
      if (root?.name === 'Mutation') return false;
      const options: unknown = field.extensions['pothosOptions'];
      return expect.objectContaining({ authScopes: { public: true } }).asymmetricMatch(options);
    });
    expect(open.map(({ field }) => field.name)).toEqual(['viewer']);
  });
});

test('everything has a description', () => {
  const without: string[] = [];
  const look = (path: string, { description }: { readonly description?: string | null | undefined }) => {
    if (!description) without.push(path);
  };
  for (const type of types) {
    look(type.name, type);
    if (isEnumType(type)) for (const value of type.getValues()) look(`${type.name}.${value.name}`, value);
    if (isInputObjectType(type))
      for (const field of Object.values(type.getFields())) look(`${type.name}.${field.name}`, field);
    if (isObjectType(type) || isInterfaceType(type)) {
      for (const field of Object.values(type.getFields())) {
        look(`${type.name}.${field.name}`, field);
        for (const argument of field.args) look(`${type.name}.${field.name}(${argument.name})`, argument);
      }
    }
  }
  expect(without).toEqual([]);
});

test('the contract is held, but for what is listed as not yet built, and that is not there', async () => {
  const contract = buildSchema(await readFile(join(import.meta.dirname, '../support/contract.graphql'), 'utf8'));
  // oxlint-disable-next-line typescript/no-deprecated -- findSchemaChanges tells of safe changes too
  const broken = findBreakingChanges(contract, schema).map(({ description }) => description);
  const expected = [
    ...notYetBuilt.types.map((name) => `${name} was removed.`),
    ...notYetBuilt.fields.map((name) => `Field ${name} was removed.`),
    ...notYetBuilt.members.map((pair) => {
      const [union, member] = pair.split(' | ');
      return `${member} was removed from union type ${union}.`;
    }),
  ];
  expect(broken.sort()).toEqual(expected.sort());
});
