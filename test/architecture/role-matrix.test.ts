// Every query, mutation and subscription, and every guarded field, against every role: made from the schema, and judged by
// the table of permissions. A new field without a permission, or one whose rule is not what its scopes do, fails here.
import { getNamedType, isObjectType } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Actor } from '#/domain/actor.ts';
import { encodeId } from '#/domain/ids.ts';
import { isPermission, type Permission, type PermissionRule, permissions } from '#/domain/permissions.ts';
import type { Person } from '#/domain/person.ts';
import { schema } from '#/schema/index.ts';
import { declaredBy, documentFor, type RootField, rootFieldsOf, variablesFor } from '../support/schema-calls.ts';
import { makeScene, type Scene, type Target } from '../support/scene.ts';
import { type Answer, type World, world } from '../support/world.ts';

const roles = [
  'nobody',
  'stranger',
  'guest',
  'viewer',
  'serverAdmin',
  'admin',
  'owner',
  'staff',
  'reviewer',
  'serverToken',
  'accountToken',
] as const;
type Role = (typeof roles)[number];

/** REFUSED: FORBIDDEN. HIDDEN: answered like what never existed. NOBODY: UNAUTHENTICATED. */
type Outcome = 'ALLOWED' | 'REFUSED' | 'HIDDEN' | 'NOBODY';

/** Root fields that are about the person who asks, or are for anybody: test/architecture/half-signed-in.test.ts. */
const personalScopes = new Set(['public', 'signedIn', 'enrolling', 'secondStep', 'anyStep', 'staff']);
/** About whatever the id names: each kind with the permission of the fields under which it stands. */
const byKind = new Set(['Query.node', 'Query.nodes']);

/** What an id argument means, by the end of its path or by its field. */
function targetOf(name: string, path: string): Target | null {
  const last = path.split('.').at(-1) ?? '';
  const direct: Readonly<Record<string, Target>> = {
    accountId: 'account',
    serverId: 'server',
    streamId: 'stream',
    userId: 'member',
  };
  const known = direct[last];
  if (known !== undefined) return known;
  if (last !== 'id') return null;
  const [, field = ''] = name.split('.');
  const ends: readonly (readonly [RegExp, Target])[] = [
    [/Query\.server$|Server$/, 'server'],
    [/Query\.account$|updateAccount$/, 'account'],
    [/Query\.message$|Email$/, 'message'],
    [/Stream$/, 'stream'],
    [/Domain$|DkimKey$/, 'domain'],
    [/SenderSignature$/, 'signature'],
    [/ServerToken$/, 'serverToken'],
    [/AccountToken$/, 'accountToken'],
    [/Invitation$/, 'invitation'],
    [/EmergencyContact$/, 'contact'],
    [/StaffAccess/, 'staffAccess'],
    [/WebhookDelivery$/, 'webhookDelivery'],
    [/InboundRule$/, 'inboundRule'],
    [/InboundMessage$/, 'inboundMessage'],
    [/Bounce$/, 'bounce'],
    [/Webhook$|WebhookSecret$/, 'webhook'],
  ];
  return ends.find(([pattern]) => pattern.test(name) || pattern.test(field))?.[1] ?? null;
}

let w: World;
let stranger: Person;

beforeAll(async () => {
  w = await world();
  stranger = await w.person({ account: await w.account(), role: 'OWNER' });
});
afterAll(() => w[Symbol.asyncDispose]());

async function asker(role: Role, { account, serverId }: Scene): Promise<Actor | Person | null> {
  switch (role) {
    case 'nobody':
      return null;
    case 'stranger':
      return stranger;
    case 'guest':
      return w.person({ account });
    case 'viewer':
      return w.person({ account, grants: { [serverId]: 'VIEWER' } });
    case 'serverAdmin':
      return w.person({ account, grants: { [serverId]: 'ADMIN' } });
    case 'admin':
      return w.person({ account, role: 'ADMIN', secondFactor: true });
    case 'owner':
      return w.person({ account, role: 'OWNER', secondFactor: true });
    case 'staff':
    case 'reviewer':
      return w.staff({ account, complianceReview: role === 'reviewer' });
    case 'serverToken':
      return account.token();
    case 'accountToken':
      return account.manager;
    default:
      return role satisfies never;
  }
}

/** By the table alone, told once more in other words than the product's. */
function expected(
  role: Role,
  permission: Permission,
  onServer = permissions[permission].serverLevel !== null,
): Outcome {
  const rule: PermissionRule = permissions[permission];
  const ofServer = rule.serverLevel !== null;
  const least = { MEMBER: 1, SERVER_ADMIN: 3, ADMIN: 4, OWNER: 5 } as const;
  const may = (rank: number) => (rank >= least[rule.accountRole ?? 'OWNER'] ? 'ALLOWED' : 'REFUSED');
  switch (role) {
    case 'nobody':
      return 'NOBODY';
    case 'stranger':
      return 'HIDDEN';
    case 'guest':
      return onServer ? 'HIDDEN' : may(1);
    case 'viewer':
      return ofServer ? (rule.serverLevel === 'VIEWER' ? 'ALLOWED' : 'REFUSED') : may(2);
    case 'serverAdmin':
      return ofServer ? 'ALLOWED' : may(3);
    case 'admin':
      return ofServer ? 'ALLOWED' : may(4);
    case 'owner':
      return 'ALLOWED';
    case 'staff':
      return rule.staff === 'GRANT' ? 'ALLOWED' : 'REFUSED';
    case 'reviewer':
      return rule.staff === null ? 'REFUSED' : 'ALLOWED';
    case 'serverToken':
      return rule.serverToken === null ? 'REFUSED' : 'ALLOWED';
    case 'accountToken':
      return rule.accountToken ? 'ALLOWED' : 'REFUSED';
    default:
      return role satisfies never;
  }
}

function outcomeOf({ data, errors }: Answer, field: string): Outcome {
  const codes = errors.map(({ code }) => code);
  const defect = codes.find((code) => code.startsWith('INTERNAL'));
  if (defect !== undefined) throw new Error(defect);
  if (codes.includes('UNAUTHENTICATED')) return 'NOBODY';
  if (codes.includes('FORBIDDEN')) return 'REFUSED';
  if (codes.includes('NOT_FOUND')) return 'HIDDEN';
  if (errors.length > 0) return 'ALLOWED';
  const value: unknown = data?.[field];
  if (value === null || value === undefined) return 'HIDDEN';
  return Reflect.get(Object(value), '__typename') === 'NotFound' ? 'HIDDEN' : 'ALLOWED';
}

function succeeded({ data, errors }: Answer, field: string): boolean {
  const code: unknown = Reflect.get(Object(data?.[field]), 'code');
  return errors.length === 0 && typeof code !== 'string';
}

const rootFields = rootFieldsOf(schema);
const guarded = rootFields.filter(({ name, field }) => !byKind.has(name) && declaredBy(field).permission !== null);

describe('each root field', () => {
  test.each(rootFields.map((root) => [root.name, root] as const))(
    '%s needs a permission of the table, or is about the person who asks',
    (name, { field }) => {
      const { permission, scopes } = declaredBy(field);
      if (permission !== null) expect(isPermission(permission)).toBe(true);
      else if (!byKind.has(name)) expect(scopes.some((scope) => personalScopes.has(scope))).toBe(true);
    },
  );
});

/** What stands on a server: whoever does not see that does not see it. */
const onServers: ReadonlySet<Target> = new Set([
  'server',
  'stream',
  'message',
  'serverToken',
  'webhook',
  'webhookDelivery',
  'bounce',
  'suppression',
  'inboundMessage',
  'inboundRule',
]);

function targetsOf(rootField: RootField): ReadonlySet<Target> {
  const targets = new Set<Target>();
  variablesFor(rootField, (path) => {
    const target = targetOf(rootField.name, path);
    if (target !== null) targets.add(target);
    return undefined;
  });
  return targets;
}

async function call(rootField: RootField, scene: Scene, who: Actor | Person | null): Promise<Answer> {
  const ids = new Map<string, string>();
  for (const target of targetsOf(rootField)) ids.set(target, await scene.id(target));
  const variables = variablesFor(rootField, (path) => ids.get(targetOf(rootField.name, path) ?? ''));
  const document = documentFor(rootField, variables);
  if (rootField.root !== 'subscription') return w.execute(document, variables, who);
  try {
    await (await w.subscribe(document, variables, who)).end();
    return { data: { [rootField.field.name]: 'opened' }, errors: [] };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'INTERNAL';
    return { data: null, errors: [{ code, message: String(error), path: '' }] };
  }
}

describe('what each role may call', () => {
  test.each(guarded.map((root) => [root.name, root] as const))(
    '%s',
    async (_name, rootField) => {
      const { permission } = declaredBy(rootField.field);
      if (!isPermission(permission)) throw new Error('no permission of the table');
      let scene = await makeScene(w);
      const targets = targetsOf(rootField);
      const outcomes: Partial<Record<Role, Outcome>> = {};
      for (const role of roles) {
        const answer = await call(rootField, scene, await asker(role, scene));
        outcomes[role] = outcomeOf(answer, rootField.field.name);
        // What a mutation was done to is not what it was.
        if (rootField.root === 'mutation' && succeeded(answer, rootField.field.name)) scene = await makeScene(w);
      }
      const onServer = targets.size > 0 ? [...targets].some((target) => onServers.has(target)) : undefined;
      expect(outcomes).toEqual(Object.fromEntries(roles.map((role) => [role, expected(role, permission, onServer)])));
    },
    30_000,
  );
});

/** Fields below the root that a permission guards, and how the row that they stand under is reached. */
const parents: Readonly<Record<string, { readonly target: Target; readonly reach: Permission }>> = {
  Account: { target: 'account', reach: 'account.read' },
  Server: { target: 'server', reach: 'server.read' },
  Message: { target: 'message', reach: 'message.read' },
  MessageStream: { target: 'stream', reach: 'stream.read' },
  Bounce: { target: 'bounce', reach: 'bounce.read' },
  InboundMessage: { target: 'inboundMessage', reach: 'inbound.read' },
};
const nested = Object.values(schema.getTypeMap()).flatMap((type) =>
  isObjectType(type) && !type.name.startsWith('__') && !['Query', 'Mutation', 'Subscription'].includes(type.name)
    ? Object.values(type.getFields()).flatMap((field) => {
        const { permission } = declaredBy(field);
        return permission === null ? [] : [{ type: type.name, field, permission }];
      })
    : [],
);

describe('what each role reads of a row', () => {
  const reachable = nested.filter(({ type }) => type in parents);

  test('most guarded fields stand under these', () => {
    // Recipients, events and bounces come with their message or server and are covered there.
    expect(new Set(nested.map(({ type }) => type).filter((type) => !(type in parents)))).toEqual(
      new Set(['Recipient', ...eventTypes()]),
    );
    expect(reachable.length).toBeGreaterThan(13);
  });

  test.each(reachable.map((place) => [`${place.type}.${place.field.name}`, place] as const))(
    '%s',
    async (_name, { type, field, permission }) => {
      const parent = parents[type];
      if (parent === undefined || !isPermission(permission)) throw new Error('unreachable');
      const scene = await makeScene(w);
      const inner = { root: 'query' as const, name: field.name, field };
      const variables = variablesFor(inner, () => undefined);
      const selection = documentFor(inner, variables).replace(/^query(?: \([^{]*\))? \{|\}$/g, '');
      const head = field.args
        .filter(({ name }) => name in variables)
        .map(({ name, type: argument }) => `, $${name}: ${argument.toString()}`)
        .join('');
      const document = `query ($id: ID!${head}) { node(id: $id) { ... on ${type} { ${selection} } } }`;
      const id = await scene.id(parent.target);
      for (const role of roles) {
        const answer = await w.execute(document, { ...variables, id }, await asker(role, scene));
        const reached = expected(role, parent.reach);
        const wanted = reached === 'ALLOWED' ? expected(role, permission) : reached;
        const refused = answer.errors.some(({ path }) => path.startsWith('node.'));
        const got =
          answer.data?.node === null && !refused
            ? outcomeOf(answer, 'node')
            : refused
              ? outcomeOf(answer, 'node')
              : 'ALLOWED';
        expect({ role, got }).toEqual({ role, got: wanted === 'NOBODY' ? 'NOBODY' : wanted });
      }
    },
    30_000,
  );
});

function eventTypes(): string[] {
  const event = schema.getType('MessageEvent');
  return Object.values(schema.getTypeMap())
    .filter((type) => isObjectType(type) && type.getInterfaces().some((one) => getNamedType(one) === event))
    .map(({ name }) => name);
}

test('an id is encoded as the schema shows it', () => {
  expect(encodeId('account', '00000000-0000-0000-0000-000000000000')).toMatch(/^acc_/);
});
