// Made from the schema: every argument that takes an id or a cursor is called by one account with what belongs to another,
// and must answer exactly as it answers to what never existed. A new field is covered on the day it appears.
import {
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputField,
  getNamedType,
  getNullableType,
  type GraphQLInputType,
  type GraphQLNamedType,
  isLeafType,
  isInputObjectType,
  isEnumType,
  isListType,
  isNonNullType,
  isObjectType,
  isUnionType,
  isInterfaceType,
  print,
  parse,
} from 'graphql';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { decodeIdOf, encodeId, type IdKind } from '#/domain/ids.ts';
import { listTwoFactorMethods } from '#/db/two-factor-methods.ts';
import type { Actor } from '#/domain/actor.ts';
import type { Person } from '#/domain/person.ts';
import { bucketAt } from '#/domain/retention.ts';
import { schema } from '#/schema/index.ts';
import { inboundAddress } from '#/resolvers/inbound/inbound-content.ts';
import { insertBounce } from '../support/bounces.ts';
import { postbox } from '../support/returned-mail.ts';
import { type TestAccount, type World, world } from '../support/world.ts';

type Values = Readonly<Partial<Record<IdKind, string>> & { eventCursor: string }>;

let w: World;
let mine: TestAccount;
let me: Person;
let theirs: Values;
let nobodys: Values;

beforeAll(async () => {
  w = await world();
  mine = await w.account();
  const other = await w.account();
  const people = await peopleOf(other);
  const send = (account: TestAccount) =>
    w.execute(
      'mutation ($input: SendEmailInput!) { sendEmail(input: $input) { ... on Message { id stream { id } } } }',
      { input: { from: `x@${account.domain}`, to: ['ann@r.example'], text: 'x' } },
      account.token(),
    );
  await send(mine);
  const { id: message, stream } = (await send(other)).data.sendEmail;
  const addressOf = async (account: TestAccount) => {
    const input = { accountId: encodeId('account', account.accountId), address: `x@s.${account.domain}`, name: 'X' };
    const document =
      'mutation ($input: AddSenderSignatureInput!) { addSenderSignature(input: $input) { ... on SenderSignature { id } } }';
    return (await w.execute(document, { input }, account.manager)).data.addSenderSignature.id;
  };
  await addressOf(mine);
  const webhookOf = async (account: TestAccount) => {
    const input = {
      serverId: encodeId('server', account.serverId),
      url: 'https://hooks.example/',
      events: ['ACCEPTED'],
    };
    const document = `mutation ($input: CreateWebhookInput!) {
      createWebhook(input: $input) { ... on IssuedWebhook { webhook { id } } } }`;
    const answered = await w.execute(document, { input: { ...input, skipVerification: true } }, account.manager);
    return answered.data.createWebhook.webhook.id as string;
  };
  await webhookOf(mine);
  const webhook = await webhookOf(other);
  const suppressionOf = async (account: TestAccount, streamId: string) => {
    const document =
      'mutation ($input: SuppressAddressesInput!) { suppressAddresses(input: $input) { ... on SuppressedAddresses { suppressions { id } } } }';
    const input = { streamId, addresses: [`s@${account.domain}`] };
    return (await w.execute(document, { input }, account.token())).data.suppressAddresses.suppressions[0].id;
  };
  const importOf = async (account: TestAccount, streamId: string) => {
    const document =
      'mutation ($input: StartSuppressionImportInput!) { startSuppressionImport(input: $input) { ... on StartedSuppressionImport { import { id } } } }';
    return (await w.execute(document, { input: { streamId } }, account.token())).data.startSuppressionImport.import.id;
  };
  const bounceOf = async (account: TestAccount) => encodeId('bounce', (await insertBounce(w, account, {})).id);
  await bounceOf(mine);
  const ruleOf = async (account: TestAccount) => {
    const document =
      'mutation ($input: AddInboundRuleInput!) { addInboundRule(input: $input) { ... on InboundRule { id } } }';
    const input = { serverId: encodeId('server', account.serverId), pattern: 'spam.example' };
    return (await w.execute(document, { input }, account.manager)).data.addInboundRule.id;
  };
  const inboundOf = async (account: TestAccount) => {
    const address = inboundAddress(w.deps, account.serverId);
    await postbox(w).post(address, `To: ${address}\r\n\r\nx\r\n`, 'x@r.example');
    const document = '{ server { inboundMessages(first: 1) { edges { node { id } } } } }';
    return (await w.execute(document, {}, account.token())).data.server.inboundMessages.edges[0].node.id;
  };
  await ruleOf(mine);
  await inboundOf(mine);
  const domains = '{ account { domains(first: 1) { edges { node { id } } } } }';
  const { data } = await w.execute(domains, {}, other.manager);
  const log = await w.execute(
    '{ viewer { token { id } } server { events(first: 1) { pageInfo { endCursor } } } }',
    {},
    other.token(),
  );
  me = await w.person({ account: mine, role: 'OWNER' });
  const somebody = await w.person({ account: other, secondFactor: true });
  const [factor] = await listTwoFactorMethods(w.db, [somebody.userId]);
  theirs = {
    session: encodeId('session', somebody.session.id),
    factor: encodeId('factor', factor?.id ?? ''),
    account: encodeId('account', other.accountId),
    server: encodeId('server', other.serverId),
    message,
    stream: stream.id,
    token: log.data.viewer.token.id,
    domain: data.account.domains.edges[0].node.id,
    signature: await addressOf(other),
    ...people,
    webhook,
    webhookDelivery: await deliveryOf(other, webhook),
    bounce: await bounceOf(other),
    inboundRule: await ruleOf(other),
    inboundMessage: await inboundOf(other),
    suppression: await suppressionOf(other, stream.id),
    suppressionImport: await importOf(other, stream.id),
    eventCursor: log.data.server.events.pageInfo.endCursor,
  };
  const never = (kind: IdKind) => encodeId(kind, w.deps.ids.next());
  nobodys = {
    session: never('session'),
    factor: never('factor'),
    account: never('account'),
    server: never('server'),
    message: never('message'),
    stream: never('stream'),
    token: never('token'),
    domain: never('domain'),
    signature: never('signature'),
    invitation: never('invitation'),
    contact: never('contact'),
    staffAccess: never('staffAccess'),
    audit: never('audit'),
    webhook: never('webhook'),
    webhookDelivery: never('webhookDelivery'),
    bounce: encodeId('bounce', w.deps.ids.nextInBucket(bucketAt(w.deps.clock.now(), 45))),
    suppression: never('suppression'),
    suppressionImport: never('suppressionImport'),
    inboundRule: never('inboundRule'),
    inboundMessage: encodeId('inboundMessage', w.deps.ids.nextInBucket(bucketAt(w.deps.clock.now(), 45))),
    eventCursor: theirs.eventCursor.replace(/.{8}$/, 'AAAAAAAA'),
  };
});
afterAll(() => w[Symbol.asyncDispose]());

const nodes: readonly IdKind[] = [
  'account',
  'server',
  'message',
  'stream',
  'token',
  'domain',
  'signature',
  'user',
  'session',
  'factor',
  'invitation',
  'contact',
  'staffAccess',
  'audit',
  'webhook',
  'webhookDelivery',
  'bounce',
  'suppression',
  'suppressionImport',
  'inboundMessage',
  'inboundRule',
];

/** What an account has of people: a member, an invitation, a contact, a request of the staff, and the record of it all. */
async function peopleOf(account: TestAccount) {
  const person = await w.person({ account, role: 'OWNER' });
  const staff = await w.person({ staff: true });
  const accountId = encodeId('account', account.accountId);
  const ask = async (document: string, input: object, asker: Person) =>
    (await w.execute(document, { input }, asker)).data;
  const contact = await ask(
    'mutation ($input: AddEmergencyContactInput!) { addEmergencyContact(input: $input) { ... on EmergencyContact { id } } }',
    { accountId, email: `c@${account.domain}` },
    person,
  );
  const invited = await ask(
    'mutation ($input: InviteMembersInput!) { inviteMembers(input: $input) { ... on InvitedMembers { invitations { id } } } }',
    { accountId, emails: [`i@${account.domain}`], role: 'MEMBER' },
    person,
  );
  const request = await ask(
    'mutation ($input: StaffAccessInput!) { requestStaffAccess(input: $input) { ... on StaffAccessGrant { id } } }',
    { accountId, reason: 'x', hours: 1 },
    staff,
  );
  const log = await w.execute('{ account { auditLog(first: 1) { edges { node { id } } } } }', {}, person);
  return {
    contact: contact.addEmergencyContact.id,
    invitation: invited.inviteMembers.invitations[0].id,
    staffAccess: request.requestStaffAccess.id,
    audit: log.data.account.auditLog.edges[0].node.id,
  };
}

/** As whoever calls the webhook puts it on record. */
async function deliveryOf(account: TestAccount, webhook: string): Promise<string> {
  const event = await w.db
    .selectFrom('events')
    .selectAll()
    .where('accountId', '=', account.accountId)
    .executeTakeFirstOrThrow();
  const id = w.deps.ids.nextInBucket(event.bucket);
  const { bucket, accountId, serverId, logXact } = event;
  const webhookId = decodeIdOf('webhook', webhook) ?? '';
  const row = { bucket, accountId, serverId, id, webhookId, logXact, eventId: event.id, eventType: event.type };
  const rest = { state: 'SUCCEEDED', replayed: false, createdAt: w.deps.clock.now() } as const;
  await w.db
    .insertInto('webhookDeliveries')
    .values({ ...row, ...rest })
    .execute();
  return encodeId('webhookDelivery', id);
}

/** Which kind of thing an id argument means, by its name and place; a new one must be told here or by its name. */
const kinds: Readonly<Record<string, readonly IdKind[]>> = {
  accountId: ['account'],
  serverId: ['server'],
  messageId: ['message'],
  streamId: ['stream'],
  domainIds: ['domain'],
  userId: ['user'],
  'Mutation.updateAccount.id': ['account'],
  'Mutation.resendInvitation.id': ['invitation'],
  'Mutation.revokeInvitation.id': ['invitation'],
  'Mutation.resendEmergencyContact.id': ['contact'],
  'Mutation.removeEmergencyContact.id': ['contact'],
  'Mutation.answerStaffAccessRequest.id': ['staffAccess'],
  'Mutation.revokeStaffAccess.id': ['staffAccess'],
  'Mutation.endStaffAccess.id': ['staffAccess'],
  'Query.account.id': ['account'],
  'Query.server.id': ['server'],
  'Query.message.id': ['message'],
  'Query.node.id': nodes,
  'Query.nodes.ids': nodes,
  'Mutation.cancelEmail.id': ['message'],
  'Mutation.updateStream.id': ['stream'],
  'Mutation.archiveStream.id': ['stream'],
  'Mutation.unarchiveStream.id': ['stream'],
  'Mutation.updateServer.id': ['server'],
  'Mutation.deleteServer.id': ['server'],
  'Mutation.revokeSession.id': ['session'],
  'Mutation.removeTwoFactorMethod.id': ['factor'],
  'Mutation.rotateServerToken.id': ['token'],
  'Mutation.revokeServerToken.id': ['token'],
  'Mutation.rotateAccountToken.id': ['token'],
  'Mutation.revokeAccountToken.id': ['token'],
  'Mutation.verifyDomain.id': ['domain'],
  'Mutation.rotateDkimKey.id': ['domain'],
  'Mutation.removeDomain.id': ['domain'],
  'Mutation.resendSenderSignature.id': ['signature'],
  'Mutation.removeSenderSignature.id': ['signature'],
  'Mutation.updateWebhook.id': ['webhook'],
  'Mutation.rotateWebhookSecret.id': ['webhook'],
  'Mutation.deleteWebhook.id': ['webhook'],
  'Mutation.replayWebhook.id': ['webhook'],
  'Mutation.testWebhook.id': ['webhook'],
  'Mutation.retryWebhookDelivery.id': ['webhookDelivery'],
  'Mutation.reactivateBounce.id': ['bounce'],
  'Mutation.removeInboundRule.id': ['inboundRule'],
  'Mutation.retryInboundMessage.id': ['inboundMessage'],
};

interface Place {
  readonly root: 'query' | 'mutation' | 'subscription';
  readonly field: GraphQLField<unknown, unknown>;
  /** Down to the id, in the arguments. */
  readonly path: readonly (GraphQLArgument | GraphQLInputField)[];
}

const isId = (type: GraphQLInputType) => getNamedType(type).name === 'ID';

function placesIn(root: Place['root'], field: Place['field'], path: Place['path'], seen: readonly string[]): Place[] {
  const last = path.at(-1);
  if (last === undefined) return field.args.flatMap((argument) => placesIn(root, field, [argument], seen));
  if (isId(last.type)) return [{ root, field, path }];
  const type = getNamedType(last.type);
  if (!isInputObjectType(type) || seen.includes(type.name)) return [];
  return Object.values(type.getFields()).flatMap((inner) =>
    placesIn(root, field, [...path, inner], [...seen, type.name]),
  );
}

const roots = [
  ['query', schema.getQueryType()],
  ['mutation', schema.getMutationType()],
  ['subscription', schema.getSubscriptionType()],
] as const;
const places = roots.flatMap(([root, type]) =>
  Object.values(type?.getFields() ?? {}).flatMap((field) => placesIn(root, field, [], [])),
);

function nameOf({ root, field, path }: Place): string {
  return `${root.charAt(0).toUpperCase()}${root.slice(1)}.${field.name}.${path.at(-1)?.name}`;
}

/** A value that passes coercion, for what is required beside the id. */
function sample(type: GraphQLInputType, chosen: ReadonlyMap<object, unknown>): unknown {
  const bare = getNullableType(type);
  if (isListType(bare)) return [sample(bare.ofType, chosen)];
  const named = getNamedType(bare);
  if (isInputObjectType(named)) return inputOf(Object.values(named.getFields()), chosen);
  if (isEnumType(named)) return named.getValues()[0]?.name;
  if (named.name === 'ID') return encodeId('server', mine.serverId);
  return named.name === 'Int'
    ? 1
    : named.name === 'Boolean'
      ? false
      : named.name === 'DateTime'
        ? '2026-01-01T00:00:00Z'
        : named.name === 'JSON'
          ? {}
          : `x@${mine.domain}`;
}

function inputOf(fields: readonly (GraphQLArgument | GraphQLInputField)[], chosen: ReadonlyMap<object, unknown>) {
  return Object.fromEntries(
    fields
      .filter((field) => chosen.has(field) || isNonNullType(field.type))
      .map((field) => {
        const value =
          chosen.get(field) ?? (field.name === 'accountId' ? encodeId('account', mine.accountId) : undefined);
        return [field.name, value === undefined || value === 'inside' ? sample(field.type, chosen) : value];
      }),
  );
}

function documentOf({ root, field, path }: Place): string {
  const used = field.args.filter((argument) => argument === path[0] || isNonNullType(argument.type));
  const head = used.map((argument) => `$${argument.name}: ${argument.type.toString()}`).join(', ');
  const args = used.map((argument) => `${argument.name}: $${argument.name}`).join(', ');
  const type = getNamedType(field.type);
  return print(parse(`${root} (${head}) { ${field.name}(${args}) { __typename ${selectionOf(type)} } }`));
}

/** What tells things apart: ids, and what errors say. */
function selectionOf(type: GraphQLNamedType): string {
  if (isUnionType(type))
    return type
      .getTypes()
      .map((member) => `... on ${member.name} { ${selectionOf(member)} }`)
      .join(' ');
  if (!isObjectType(type) && !isInterfaceType(type)) return '';
  return ['id', 'code', 'message']
    .filter((name) => isLeafType(getNullableType(type.getFields()[name]?.type)))
    .join(' ');
}

async function answer(place: Place, value: unknown, actor: Actor | Person): Promise<unknown> {
  const chosen = new Map<object, unknown>(place.path.map((part) => [part, 'inside']));
  const last = place.path.at(-1);
  if (last === undefined) throw new Error('a place without a path');
  chosen.set(last, isListType(getNullableType(last.type)) ? [value] : value);
  const used = place.field.args.filter((argument) => argument === place.path[0] || isNonNullType(argument.type));
  const variables = inputOf(used, chosen);
  if (place.root !== 'subscription') return w.execute(documentOf(place), variables, actor);
  const followed = await w.subscribe(documentOf(place), variables, actor).catch((error: unknown) => error);
  if (followed instanceof Error) return { refused: followed.message };
  if (followed !== null && typeof followed === 'object' && 'end' in followed && typeof followed.end === 'function')
    await followed.end();
  return { opened: true };
}

test('the kinds of all id arguments are known', () => {
  const unknown = places.filter((place) => !(nameOf(place) in kinds) && !((place.path.at(-1)?.name ?? '') in kinds));
  expect(unknown.map(nameOf)).toEqual([]);
  expect(places.length).toBeGreaterThan(12);
});

test.each(
  places.map((place) => [`${nameOf(place)} (${place.path.map(({ name }) => name).join('.')})`, place] as const),
)('%s answers to an id of somebody else as to none', async (_name, place) => {
  const known = kinds[nameOf(place)] ?? kinds[place.path.at(-1)?.name ?? ''] ?? [];
  for (const kind of known) {
    for (const actor of [mine.token(), mine.manager, me]) {
      const toTheirs = await answer(place, theirs[kind], actor);
      expect(toTheirs).toEqual(await answer(place, nobodys[kind], actor));
      expect(JSON.stringify(toTheirs)).not.toContain(theirs[kind]);
    }
  }
});

const cursors = Object.values(schema.getTypeMap())
  .flatMap((type) => (isObjectType(type) ? Object.values(type.getFields()).map((field) => ({ type, field })) : []))
  .filter(({ field }) => field.args.some(({ name }) => name === 'after'));

/** How each list is reached with one's own things; `$after` is what is tried. */
const lists: Readonly<
  Record<
    string,
    { readonly document: string; readonly value: keyof Values; readonly manager?: true; readonly owner?: true }
  >
> = {
  'Account.servers': {
    document: 'account { servers(first: 9, after: $after) { edges { cursor } } }',
    value: 'server',
    manager: true,
  },
  'Account.domains': {
    document: 'account { domains(first: 9, after: $after) { edges { node { id } } } }',
    value: 'domain',
    manager: true,
  },
  'Account.senderSignatures': {
    document: 'account { senderSignatures(first: 9, after: $after) { edges { node { id } } } }',
    value: 'signature',
    manager: true,
  },
  'Account.members': {
    document: 'account { members(first: 9, after: $after) { edges { node { user { id } } } } }',
    value: 'user',
    owner: true,
  },
  'Account.auditLog': {
    document: 'account { auditLog(first: 9, after: $after) { edges { node { id } } } }',
    value: 'audit',
    owner: true,
  },
  'Server.messages': {
    document: 'server { messages(first: 9, after: $after) { edges { node { id } } } }',
    value: 'message',
  },
  'Server.inboundMessages': {
    document: 'server { inboundMessages(first: 9, after: $after) { edges { node { id } } } }',
    value: 'inboundMessage',
  },
  'Server.bounces': {
    document: 'server { bounces(first: 9, after: $after) { edges { node { id } } } }',
    value: 'bounce',
  },
  'MessageStream.suppressions': {
    document: 'server { stream(slug: "outbound") { suppressions(first: 9, after: $after) { edges { node { id } } } } }',
    value: 'suppression',
  },
  'MessageStream.suppressionImports': {
    document:
      'server { stream(slug: "outbound") { suppressionImports(first: 9, after: $after) { edges { node { id } } } } }',
    value: 'suppressionImport',
  },
  'Server.events': {
    document: 'server { events(first: 9, after: $after) { edges { node { id } } } }',
    value: 'eventCursor',
  },
  'Webhook.deliveries': {
    document: 'server { webhooks { deliveries(first: 9, after: $after) { edges { node { id } } } } }',
    value: 'webhookDelivery',
  },
  'Message.events': {
    document:
      'server { messages(first: 1) { edges { node { events(first: 9, after: $after) { edges { node { id } } } } } } }',
    value: 'eventCursor',
  },
};

test.each(cursors.map(({ type, field }) => `${type.name}.${field.name}`))(
  "%s gives nothing away to a cursor of somebody else's list",
  async (name) => {
    if (name === 'Subscription.messageEvents') {
      const refused = (after: string) =>
        w.subscribe('subscription ($after: String) { messageEvents(after: $after) { id } }', { after }, mine.token());
      for (const { eventCursor } of [theirs, nobodys])
        await expect(refused(eventCursor)).rejects.toMatchObject({ code: 'INVALID_CURSOR' });
      return;
    }
    const list = lists[name];
    if (list === undefined) throw new Error(`tell in this test how ${name} is reached`);
    const actor = list.owner === true ? me : list.manager === true ? mine.manager : mine.token();
    const ask = (after: string | undefined) =>
      w.execute(`query ($after: String) { ${list.document} }`, { after }, actor);
    const toTheirs = await ask(theirs[list.value]);
    expect(toTheirs.errors.map(({ code }) => code)).toEqual(
      (await ask(nobodys[list.value])).errors.map(({ code }) => code),
    );
    const seen = JSON.stringify(toTheirs.data);
    for (const value of Object.values(theirs)) expect(seen).not.toContain(value);
  },
);
