// What is done to domains.
import { encodeId } from '#/domain/ids.ts';
import { MAX_DOMAINS } from '#/domain/sender-identity/rules.ts';
import { addDomain } from '#/resolvers/domains/add-domain.ts';
import { removeDomain } from '#/resolvers/domains/remove-domain.ts';
import { rotateDkimKey } from '#/resolvers/domains/rotate-dkim-key.ts';
import { verifyDomain } from '#/resolvers/domains/verify-domain.ts';
import { builder, guarded } from './builder.ts';
import { Domain } from './domain.ts';
import { resultUnion } from './errors.ts';
import { uuidOf } from './ids.ts';
import { onId } from './guards.ts';
import { callerAt } from './locate.ts';
import { Deleted, IdInput } from './inputs.ts';

const AddDomainInput = builder.inputType('AddDomainInput', {
  description: 'A new domain.',
  fields: (t) => ({
    accountId: t.id({ description: 'The account that gets it.' }),
    name: t.string({
      description: 'Such as acme.example or news.acme.example. Not a public suffix, not a mailbox provider.',
    }),
    returnPath: t.string({
      required: false,
      description: 'Subdomain to which bounces come back; vr-bounces.‹name› unless given.',
    }),
  }),
});

const AddDomainResult = resultUnion('AddDomainResult', Domain, addDomain, 'The domain, or why there is none.');
const VerifyDomainResult = resultUnion(
  'VerifyDomainResult',
  Domain,
  verifyDomain,
  'The domain as it is now, verified or not; or why it was not looked at.',
);
const RotateDkimKeyResult = resultUnion(
  'RotateDkimKeyResult',
  Domain,
  rotateDkimKey,
  'The domain with its next keys, or why it has none.',
);
const RemoveDomainResult = resultUnion(
  'RemoveDomainResult',
  Deleted,
  removeDomain,
  'The id that the domain had, or why it is not removed.',
);

builder.mutationFields((t) => ({
  addDomain: t.withAuth(onId(addDomain, 'account', 'input.accountId')).field({
    type: AddDomainResult,
    nullable: true,
    description: guarded(
      addDomain.permission,
      `Adds a domain with new DKIM keys; an account may have ${MAX_DOMAINS}. It can be sent from once one of the keys is seen in DNS.`,
    ),
    extensions: { cost: 20 },
    args: { input: t.arg({ type: AddDomainInput, description: 'The new domain.' }) },
    resolve: async (_root, { input }, context) => {
      const accountId = uuidOf('account', input.accountId);
      const caller = await callerAt(context, addDomain.permission, 'account', accountId);
      return addDomain(context.deps, caller, { accountId, name: input.name, returnPath: input.returnPath ?? null });
    },
  }),
  verifyDomain: t.withAuth(onId(verifyDomain, 'domain', 'input.id')).field({
    type: VerifyDomainResult,
    nullable: true,
    description: guarded(
      verifyDomain.permission,
      'Asks DNS about all records of a domain now. They are looked at by themselves too, often while a record is waited for.',
    ),
    extensions: { cost: 20 },
    args: { input: t.arg({ type: IdInput, description: 'The domain.' }) },
    resolve: async (_root, { input }, context) => {
      const id = uuidOf('domain', input.id);
      const caller = await callerAt(context, verifyDomain.permission, 'domain', id);
      return (await verifyDomain(context.deps, caller, { id })).domain;
    },
  }),
  rotateDkimKey: t.withAuth(onId(rotateDkimKey, 'domain', 'input.id')).field({
    type: RotateDkimKeyResult,
    nullable: true,
    description: guarded(
      rotateDkimKey.permission,
      'Makes new DKIM keys. The present ones sign until the new ones are seen in DNS.',
    ),
    extensions: { cost: 20 },
    args: { input: t.arg({ type: IdInput, description: 'The domain.' }) },
    resolve: async (_root, { input }, context) => {
      const id = uuidOf('domain', input.id);
      return rotateDkimKey(context.deps, await callerAt(context, rotateDkimKey.permission, 'domain', id), { id });
    },
  }),
  removeDomain: t.withAuth(onId(removeDomain, 'domain', 'input.id')).field({
    type: RemoveDomainResult,
    nullable: true,
    description: guarded(
      removeDomain.permission,
      'Removes a domain with its keys. Mail that still waits to be delivered in its name is not sent any more.',
    ),
    args: { input: t.arg({ type: IdInput, description: 'The domain.' }) },
    resolve: async (_root, { input }, context) => {
      const uuid = uuidOf('domain', input.id);
      const caller = await callerAt(context, removeDomain.permission, 'domain', uuid);
      const { id } = await removeDomain(context.deps, caller, { id: uuid });
      return { id: encodeId('domain', id) };
    },
  }),
}));
