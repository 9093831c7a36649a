// Answers of a shared subscription are executed once and sent to everybody with the same rights (src/http/rights-key.ts). So
// nothing that can be reached from one may depend on who asks beyond that: a type is entered here when that is so.
import { getNamedType, isInterfaceType, isObjectType, isUnionType } from 'graphql';
import { expect, test } from 'vitest';
import { schema } from '#/schema/index.ts';

const FROM_RIGHTS_ALONE = [
  'AcceptedEvent',
  'AttachmentInfo',
  'Bounce',
  'BouncedEvent',
  'CancelledEvent',
  'ClickedEvent',
  'DelayedEvent',
  'DeliveredEvent',
  'DeliveryAttempt',
  'ExpiredEvent',
  'InDoubtEvent',
  'Message',
  'MessageEvent',
  'MessageEventConnection',
  'MessageEventEdge',
  'MessageStream',
  'OpenedEvent',
  'PageInfo',
  'Recipient',
  'SpamComplaintEvent',
  'SubscriptionChangedEvent',
  'SuppressedEvent',
  'Suppression',
  'SuppressionConnection',
  'SuppressionEdge',
  'SuppressionImport',
  'SuppressionImportConnection',
  'SuppressionImportEdge',
  'SuppressionImportProblem',
];

function reachedFrom(start: string): string[] {
  const reached = new Set<string>();
  const look = (name: string): void => {
    const type = schema.getType(name);
    if (reached.has(name) || !(isObjectType(type) || isInterfaceType(type) || isUnionType(type))) return;
    reached.add(name);
    if (isUnionType(type)) for (const member of type.getTypes()) look(member.name);
    else for (const field of Object.values(type.getFields())) look(getNamedType(field.type).name);
    if (isInterfaceType(type)) for (const each of schema.getPossibleTypes(type)) look(each.name);
  };
  look(start);
  return [...reached].toSorted();
}

test('from a shared subscription only what depends on rights alone is reached', () => {
  const fields = Object.values(schema.getSubscriptionType()?.getFields() ?? {});
  const shared = fields.filter(({ extensions }) => extensions['shared'] === true);
  expect(shared.map(({ name }) => name)).toEqual(['messageEvents']);
  expect(shared.flatMap(({ type }) => reachedFrom(getNamedType(type).name))).toEqual(FROM_RIGHTS_ALONE);
});
