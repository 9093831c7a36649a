// For every scope that a server token can have, and for account tokens: every field of the schema is called by a token that
// has only it, and the fields that let it in must be those that the table of permissions says. A new field is covered on
// the day it appears, and one without a permission fails until somebody decides on it here.
import {
  getNamedType,
  GraphQLObjectType,
  GraphQLSchema,
  isInterfaceType,
  isObjectType,
  parse,
  execute as run,
  type ExecutionResult,
  GraphQLError,
  subscribe,
} from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Actor } from '#/domain/actor.ts';
import { encodeId, type IdKind, idPrefixes } from '#/domain/ids.ts';
import { type Permission, permissions, serverTokenScopes } from '#/domain/permissions.ts';
import { createContext, schema } from '#/schema/index.ts';
import { type FieldRule, fieldRules, isOpenTo, type TokenKind } from '../../tools/field-rules.ts';
import { sampleCall } from '../support/sample-input.ts';
import { type TestAccount, type World, world } from '../support/world.ts';

const ROOTS: ReadonlySet<string> = new Set(['Query', 'Mutation', 'Subscription']);
const rules = fieldRules(schema);
const roots = rules.filter(({ type }) => ROOTS.has(type.name));
const nested = rules.filter(({ type }) => !ROOTS.has(type.name));
const tokens: readonly TokenKind[] = [...serverTokenScopes, 'ACCOUNT_TOKEN'];

/**
 * Fields without a permission of their own, of types that have fields with one: they belong to whoever has got the row, by
 * whatever way that was. A new field of these types gets a permission (src/schema/guards.ts), or stands here.
 */
const open: Readonly<Record<string, readonly string[]>> = {
  Account: ['id', 'name', 'retentionDays', 'tokenReminderDays', 'twoFactorPolicy'],
  Message: [
    ...['acceptedAt', 'attachments', 'expiresAt', 'from', 'id', 'metadata', 'recipients', 'sandboxed', 'sendAt'],
    // Who sends a message sees the name of its stream, whatever else they may.
    ...['stream', 'subject', 'tag'],
  ],
  MessageStream: [
    ...[
      'archivedAt',
      'description',
      'id',
      'inDoubt',
      'kind',
      'lifetimeMinutes',
      'name',
      'purgeAt',
      'slug',
      'tlsPolicy',
    ],
  ],
  Recipient: ['address', 'kind', 'status'],
  // The name of one's own account.
  Server: ['account', 'color', 'deliveryType', 'id', 'name', 'trackLinks', 'trackOpens'],
  // What the product ships with; Query.shaping itself is for staff.
  Shaping: ['presets'],
  // Of oneself.
  Viewer: ['kind', 'requirement'],
};

/** Ways without a permission of their own from one thing to another. They lead to nothing that `why` does not cover. */
const ways: Readonly<Record<string, string>> = {
  'Invitation.invitedBy': 'a member of the same account',
  'InvitedMembers.invitations': 'just made',
  'IssuedAccountToken.token': 'just made',
  'InboundSettings.rules': 'of the settings that the asker sees',
  'IssuedInboundSecret.server': 'just rotated',
  'IssuedServerToken.token': 'just made',
  'StartedSuppressionImport.import': 'just made',
  'RecipientExplanation.suppressions': 'why mail to one address does not arrive, for whoever sees that mail',
  'SuppressedAddresses.suppressions': 'just made',
  'IssuedWebhook.webhook': 'just made',
  'WebhookTest.webhook': 'just called',
  'RotatedAccountToken.previous': 'just rotated',
  'RotatedAccountToken.token': 'just made',
  'RotatedServerToken.previous': 'just rotated',
  'RotatedServerToken.token': 'just made',
  'Membership.account': 'one’s own, or one whose members one sees',
  'Membership.user': 'the member itself',
  'ServerAccess.server': 'grants on servers that the asker reaches',
  'ServerToken.stream': 'of the token’s own server',
  'SignedIn.session': 'one’s own',
  'SignedIn.user': 'oneself',
  'TwoFactorEnrolled.method': 'one’s own',
  'TwoFactorState.methods': 'of a person that one sees',
  'User.sessions': 'one’s own only',
};

let w: World;
let a: TestAccount;
beforeAll(async () => {
  w = await world();
  a = await w.account();
});
afterAll(() => w[Symbol.asyncDispose]());

const actorOf = (token: TokenKind): Actor => (token === 'ACCOUNT_TOKEN' ? a.manager : a.token([token]));

/** Of an installation on which strangers may sign up: what is refused to all says nothing of tokens. */
const contextOf = (actor: Actor) =>
  createContext(
    { ...w.deps, signUp: true },
    { actor },
    {
      requestId: 'test',
      ipAddress: '192.0.2.1',
      userAgent: 'test',
      cookies: null,
      signal: new AbortController().signal,
    },
  );

/** The doors alone: each type of the schema can be had without a way to it. What is behind the doors does not matter. */
const probe = new GraphQLSchema({
  query: new GraphQLObjectType({
    name: 'Probe',
    fields: Object.fromEntries(
      [...new Set(nested.map(({ type }) => type))].map((type) => [
        type.name,
        { type, resolve: () => rowOf(type.name) },
      ]),
    ),
  }),
  types: Object.values(schema.getTypeMap()).filter((type) => isObjectType(type) && !ROOTS.has(type.name)),
});

function rowOf(typeName: string): object {
  const { accountId, serverId } = a;
  const nobodys = w.deps.ids.next();
  const id = typeName === 'Account' ? accountId : typeName === 'Server' ? serverId : nobodys;
  const row = { accountId, serverId, id, messageId: nobodys, streamId: nobodys, userId: nobodys };
  return typeName === 'Viewer' ? { ...row, actor: a.manager } : row;
}

/** Whether the field let the token in, whatever came after. */
async function letsIn(rule: FieldRule, token: TokenKind): Promise<boolean> {
  const field = rule.type.getFields()[rule.field];
  if (field === undefined) throw new Error(`there is no ${rule.name}`);
  const { head, call, variables } = sampleCall(field, encodeId('server', w.deps.ids.next()));
  const contextValue = contextOf(actorOf(token));
  const isRoot = ROOTS.has(rule.type.name);
  const text = isRoot
    ? `${rule.type.name.toLowerCase()} ${head} { ${call} }`
    : `query ${head} { ${rule.type.name} { ${call} } }`;
  const args = { document: parse(text), variableValues: variables, contextValue };
  if (rule.type.name !== 'Subscription') {
    const result = await run({ ...args, schema: isRoot ? schema : probe });
    return !codesOf(result).some((code) => code === 'FORBIDDEN' || code === 'UNAUTHENTICATED');
  }
  const opened = await subscribe({ ...args, schema });
  if (!(Symbol.asyncIterator in opened)) return !codesOf(opened).includes('FORBIDDEN');
  await opened[Symbol.asyncIterator]().return?.();
  return true;
}

function codesOf({ errors = [] }: ExecutionResult): readonly string[] {
  return errors.map((error) => {
    let cause: Error = error;
    while (cause instanceof GraphQLError && cause.cause instanceof Error) cause = cause.cause;
    // A call that is refused before it is run tests nothing.
    if (cause instanceof GraphQLError && cause.path === undefined) throw cause;
    return 'code' in cause && typeof cause.code === 'string' ? cause.code : 'INTERNAL';
  });
}

describe.each(tokens)('a token with %s alone', (token) => {
  test('is let into the root fields that the table of permissions says, and no other', async () => {
    const entered = [];
    for (const rule of roots) if (await letsIn(rule, token)) entered.push(rule.name);
    expect(entered).toEqual(roots.filter((rule) => isOpenTo(rule, token)).map(({ name }) => name));
  });

  test('is let into the fields of things that the table of permissions says, and no other', async () => {
    const guarded = nested.filter(({ demands }) => demands.length > 0);
    expect(guarded.length).toBeGreaterThan(100);
    const entered = [];
    for (const rule of guarded) if (await letsIn(rule, token)) entered.push(rule.name);
    expect(entered).toEqual(guarded.filter((rule) => isOpenTo(rule, token)).map(({ name }) => name));
  });

  test('finds by id the kinds of things that it may see', async () => {
    const document = parse('query ($id: ID!) { node(id: $id) { id } }');
    const found = new Map<string, readonly string[]>();
    for (const kind of Object.keys(idPrefixes)) {
      const variableValues = { id: encodeId(kind as IdKind, w.deps.ids.next()) };
      found.set(
        kind,
        codesOf(await run({ schema, document, variableValues, contextValue: contextOf(actorOf(token)) })),
      );
    }
    const refused = [...found].filter(([, codes]) => codes.includes('FORBIDDEN')).map(([kind]) => kind);
    const ofKinds: Readonly<Record<string, Permission>> = {
      account: 'account.read',
      server: 'server.read',
      stream: 'stream.read',
      message: 'message.read',
      bounce: 'event.read',
      domain: 'domain.read',
      signature: 'domain.read',
    };
    const rule = (permission: Permission) => permissions[permission];
    const may = ([, permission]: [string, Permission]) =>
      token === 'ACCOUNT_TOKEN'
        ? rule(permission).accountToken
        : rule(permission).serverToken === 'ANY' || rule(permission).serverToken === token;
    const expected = Object.entries(ofKinds)
      .filter((entry) => !may(entry))
      .map(([kind]) => kind);
    expect(refused.filter((kind) => kind in ofKinds).sort()).toEqual(expected.sort());
  });
});

test('no token does anything about people, second factors, other tokens or the account itself', () => {
  const forPeople = Object.entries(permissions).filter(([name]) =>
    /^(?:member|contact|audit|staffAccess|accountToken)\.|^serverToken\.write$|^account\.(?!read)/.test(name),
  );
  expect(forPeople.length).toBeGreaterThan(10);
  for (const [name, { serverToken, accountToken }] of forPeople)
    expect([name, serverToken, accountToken]).toEqual([name, null, false]);
  const personal = roots.filter(({ demands }) => demands.includes('people'));
  expect(personal.length).toBeGreaterThan(5);
  expect(personal.filter((rule) => tokens.some((token) => isOpenTo(rule, token)))).toEqual([]);
});

test('each scope opens something, or waits for what is still to be built', () => {
  const opened = (token: TokenKind) => rules.filter((rule) => isOpenTo(rule, token)).length;
  const least = Math.min(...tokens.map(opened));
  const idle = tokens.filter((token) => token !== 'ACCOUNT_TOKEN' && opened(token) === least);
  const used: ReadonlySet<unknown> = new Set(Object.values(permissions).map(({ serverToken }) => serverToken));
  expect(idle).toEqual(serverTokenScopes.filter((scope) => !used.has(scope)));
});

describe('a field without a permission is one that somebody has decided on', () => {
  const guarded = new Set(nested.filter(({ demands }) => demands.length > 0).map(({ type }) => type.name));
  const without = nested.filter(({ demands }) => demands.length === 0);

  test('where other fields of its type have one', () => {
    const unknown = without.filter(({ type, field }) => guarded.has(type.name) && !open[type.name]?.includes(field));
    expect(unknown.map(({ name }) => name)).toEqual([]);
    const known = Object.entries(open).flatMap(([type, fields]) => fields.map((field) => `${type}.${field}`));
    expect(known.filter((name) => !without.some((rule) => rule.name === name))).toEqual([]);
  });

  test('where it leads to something that can be found by its id', () => {
    const leading = without.filter(({ type, field }) => {
      const target = getNamedType(type.getFields()[field]?.type);
      if (guarded.has(type.name) || /(?:Connection|Edge)$/.test(type.name)) return false;
      return (isObjectType(target) || isInterfaceType(target)) &&
        target.getInterfaces().some(({ name }) => name === 'Node')
        ? true
        : guarded.has(target?.name ?? '');
    });
    expect(leading.map(({ name }) => name).sort()).toEqual(Object.keys(ways).sort());
  });
});
