// An account with one of everything that an id can name, made as it is asked for.
import { insertDomain } from '#/db/domains.ts';
import { scopeOfAccount, type WriteScope, writeInSystemScope } from '#/db/scope.ts';
import { decodeIdOf, encodeId, type IdKind } from '#/domain/ids.ts';
import { inboundAddress } from '#/resolvers/inbound/inbound-content.ts';
import { insertBounce } from './bounces.ts';
import { postbox } from './returned-mail.ts';
import type { TestAccount, World } from './world.ts';

export type Target =
  | 'account'
  | 'server'
  | 'stream'
  | 'message'
  | 'domain'
  | 'signature'
  | 'serverToken'
  | 'accountToken'
  | 'invitation'
  | 'contact'
  | 'staffAccess'
  | 'webhook'
  | 'bounce'
  | 'suppression'
  | 'inboundMessage'
  | 'inboundRule'
  | 'webhookDelivery'
  | 'member';

export interface Scene {
  readonly account: TestAccount;
  readonly serverId: string;
  /** Public id; the same thing each time. */
  id(target: Target): Promise<string>;
}

const kinds: Readonly<Record<Target, IdKind>> = {
  account: 'account',
  server: 'server',
  stream: 'stream',
  message: 'message',
  domain: 'domain',
  signature: 'signature',
  serverToken: 'token',
  accountToken: 'token',
  invitation: 'invitation',
  contact: 'contact',
  staffAccess: 'staffAccess',
  webhook: 'webhook',
  bounce: 'bounce',
  suppression: 'suppression',
  inboundMessage: 'inboundMessage',
  inboundRule: 'inboundRule',
  webhookDelivery: 'webhookDelivery',
  member: 'user',
};

export async function makeScene(w: World): Promise<Scene> {
  const account = await w.account({ verifiedDomain: false });
  const made = new Map<Target, Promise<string>>();
  return {
    account,
    serverId: account.serverId,
    id(target) {
      const known = made.get(target) ?? make(w, account, target).then((uuid) => encodeId(kinds[target], uuid));
      made.set(target, known);
      return known;
    },
  };
}

async function make(w: World, account: TestAccount, target: Target): Promise<string> {
  const { accountId, serverId } = account;
  switch (target) {
    case 'account':
      return accountId;
    case 'server':
      return serverId;
    case 'stream': {
      const query = w.db.selectFrom('messageStreams').select('id').where('serverId', '=', serverId);
      return (await query.where('slug', '=', 'broadcast').executeTakeFirstOrThrow()).id;
    }
    case 'message':
      return sendOne(w, account);
    case 'bounce':
      return (await insertBounce(w, account, {})).id;
    case 'suppression':
      return suppressOne(w, account);
    case 'inboundRule':
      return addRule(w, account);
    case 'inboundMessage':
      return receiveOne(w, account);
    case 'webhook':
      return addWebhook(w, account);
    case 'webhookDelivery':
      return addDelivery(w, account);
    case 'member':
      return (await w.person({ account })).userId;
    default:
      return insert(w, account, target);
  }
}

async function sendOne(w: World, account: TestAccount): Promise<string> {
  await make(w, account, 'domain');
  const document =
    'mutation ($input: SendEmailInput!) { sendEmail(input: $input) { __typename ... on Error { message } } }';
  const input = { from: `x@${account.domain}`, to: ['ann@r.example'], text: 'x' };
  const { data } = await w.execute(document, { input }, account.token());
  if (data?.sendEmail.__typename !== 'Message') throw new Error(`nothing was sent: ${JSON.stringify(data)}`);
  const query = w.db.selectFrom('messages').select('id').where('accountId', '=', account.accountId);
  return (await query.executeTakeFirstOrThrow()).id;
}

/** Not verified: nobody is called. */
async function addWebhook(w: World, account: TestAccount): Promise<string> {
  const document =
    'mutation ($input: CreateWebhookInput!) { createWebhook(input: $input) { ... on IssuedWebhook { webhook { id } } ... on Error { message } } }';
  const input = {
    serverId: encodeId('server', account.serverId),
    url: 'https://hooks.example/x',
    events: ['DELIVERED'],
    skipVerification: true,
  };
  const { data } = await w.execute(document, { input }, account.manager);
  const id = decodeIdOf('webhook', data?.createWebhook.webhook?.id ?? '');
  if (id === null) throw new Error(`no webhook: ${JSON.stringify(data)}`);
  return id;
}

async function addDelivery(w: World, account: TestAccount): Promise<string> {
  const webhookId = await addWebhook(w, account);
  await sendOne(w, account);
  const { accountId } = account;
  const event = await w.db
    .selectFrom('events')
    .selectAll()
    .where('accountId', '=', accountId)
    .executeTakeFirstOrThrow();
  const id = w.deps.ids.nextInBucket(event.bucket);
  const { bucket, serverId, logXact } = event;
  const row = { bucket, accountId, serverId, id, webhookId, logXact, eventId: event.id, eventType: event.type };
  await w.db
    .insertInto('webhookDeliveries')
    .values({ ...row, state: 'FAILED', replayed: false, createdAt: w.deps.clock.now() })
    .execute();
  return id;
}

type Incoming = 'bounce' | 'suppression' | 'inboundMessage' | 'inboundRule';

async function suppressOne(w: World, account: TestAccount): Promise<string> {
  const streamId = encodeId('stream', await make(w, account, 'stream'));
  const document =
    'mutation ($input: SuppressAddressesInput!) { suppressAddresses(input: $input) { ... on SuppressedAddresses { suppressions { id } } } }';
  const input = { streamId, addresses: ['s@r.example'] };
  const { data } = await w.execute(document, { input }, account.token());
  return uuidIn('suppression', data?.suppressAddresses.suppressions[0].id);
}

async function addRule(w: World, account: TestAccount): Promise<string> {
  const document =
    'mutation ($input: AddInboundRuleInput!) { addInboundRule(input: $input) { ... on InboundRule { id } } }';
  const input = { serverId: encodeId('server', account.serverId), pattern: 'spam.example' };
  const { data } = await w.execute(document, { input }, account.manager);
  return uuidIn('inboundRule', data?.addInboundRule.id);
}

async function receiveOne(w: World, account: TestAccount): Promise<string> {
  const address = inboundAddress(w.deps, account.serverId);
  await postbox(w).post(address, `To: ${address}\r\n\r\nx\r\n`, 'x@r.example');
  const document = '{ server { inboundMessages(first: 1) { edges { node { id } } } } }';
  const { data } = await w.execute(document, {}, account.token());
  return uuidIn('inboundMessage', data?.server.inboundMessages.edges[0].node.id);
}

function uuidIn(kind: IdKind, id: unknown): string {
  const uuid = typeof id === 'string' ? decodeIdOf(kind, id) : null;
  if (uuid === null) throw new Error(`no ${kind} was made`);
  return uuid;
}

type Inserted = Exclude<
  Target,
  'account' | 'server' | 'stream' | 'message' | 'webhook' | 'webhookDelivery' | 'member' | Incoming
>;

async function insert(w: World, { accountId, serverId, domain }: TestAccount, target: Inserted): Promise<string> {
  const id = w.deps.ids.next();
  const now = w.deps.clock.now();
  const later = new Date(now.getTime() + 86_400_000);
  const secretHash = w.deps.random.bytes(32);
  const inAccount = (run: (scope: WriteScope) => Promise<unknown>) =>
    writeInSystemScope(w.system, now, (scope) => run(scopeOfAccount(scope, accountId)));
  switch (target) {
    case 'domain':
      await inAccount(async (scope) => {
        await insertDomain(scope, {
          accountId,
          id,
          name: domain,
          returnPath: null,
          createdAt: now,
          verifiedAt: now,
          verifiedBy: 'OPERATOR',
          nextCheckAt: null,
          lostSince: null,
          warnedAt: null,
        });
        await scope.tx.insertInto('verifiedDomains').values({ name: domain, accountId, domainId: id }).execute();
      });
      return id;
    case 'signature':
      await inAccount((scope) =>
        scope.tx
          .insertInto('senderSignatures')
          .values({ accountId, id, address: `s@${domain}`, addressKey: `s@${domain}`, name: 'S', createdAt: now })
          .execute(),
      );
      return id;
    case 'serverToken':
    case 'accountToken': {
      const kind = target === 'serverToken' ? 'SERVER' : 'ACCOUNT';
      const server = kind === 'SERVER' ? serverId : null;
      await w.db
        .insertInto('apiTokens')
        .values({ accountId, id, kind, serverId: server, name: 'T', secretHash, hint: 'vrt_…test', createdAt: now })
        .execute();
      return id;
    }
    case 'invitation':
      await w.db
        .insertInto('invitations')
        .values({
          accountId,
          id,
          email: 'i@x.example',
          emailKey: 'i@x.example',
          role: 'MEMBER',
          secretHash,
          createdAt: now,
          sentAt: now,
          expiresAt: later,
        })
        .execute();
      return id;
    case 'contact':
      await w.db
        .insertInto('emergencyContacts')
        .values({ accountId, id, email: 'c@x.example', emailKey: 'c@x.example', createdAt: now })
        .execute();
      return id;
    case 'staffAccess': {
      const { userId } = await w.person({ staff: true });
      await w.db
        .insertInto('staffAccessGrants')
        .values({ accountId, id, userId, reason: 'Ticket', complianceReview: false, hours: 1, requestedAt: now })
        .execute();
      return id;
    }
    default:
      return target satisfies never;
  }
}
