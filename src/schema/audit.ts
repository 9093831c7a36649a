// The audit log of an account.
import type { AuditRow } from '#/db/audit.ts';
import type { Actor } from '#/domain/actor.ts';
import { InvalidCursor } from '#/domain/errors.ts';
import { decodeId, decodeIdOf, encodeId } from '#/domain/ids.ts';
import { listAudit } from '#/resolvers/audit/list-audit.ts';
import { Account } from './account.ts';
import { builder, guarded } from './builder.ts';
import { within } from './context.ts';
import { onAccount } from './guards.ts';
import { NOWHERE } from './ids.ts';
import { afterText, checkFirst, connectionOf, firstText } from './paging.ts';

const AuditActorKind = builder.enumType('AuditActorKind', {
  description: 'What somebody is who did something.',
  values: {
    USER: { description: 'A member.' },
    STAFF: { description: 'One of the staff of the installation.' },
    ACCOUNT_TOKEN: { description: 'A program with a token of the account.' },
    SERVER_TOKEN: { description: 'A program with a token of one server.' },
    OPERATOR: { description: 'The installation: its command line, its own mail, or a mailed link.' },
  } as const satisfies Record<Actor['kind'], { description: string }>,
});

const actorKinds: readonly Actor['kind'][] = ['USER', 'STAFF', 'ACCOUNT_TOKEN', 'SERVER_TOKEN', 'OPERATOR'];

function kindOf({ actorKind }: AuditRow): Actor['kind'] {
  return actorKinds.find((kind) => kind === actorKind) ?? 'OPERATOR';
}

function actorIdOf(row: AuditRow): string | null {
  if (row.actorId === null) return null;
  return encodeId(row.actorKind.endsWith('_TOKEN') ? 'token' : 'user', row.actorId);
}

const AuditEntry = builder.objectRef<AuditRow>('AuditEntry').implement({
  description: 'Something that was done and matters for the safety of the account. Nobody can change or remove it.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({ description: 'Global id, aud_….', resolve: ({ id }) => encodeId('audit', id) }),
    occurredAt: t.expose('occurredAt', { type: 'DateTime', description: 'When.' }),
    action: t.exposeString('action', { description: 'What was done, e.g. serverToken.rotate.' }),
    actorKind: t.field({ type: AuditActorKind, description: 'What did it.', resolve: kindOf }),
    actorId: t.id({
      nullable: true,
      description: 'The user or token that did it; null for the installation.',
      resolve: actorIdOf,
    }),
    actorLabel: t.exposeString('actorLabel', {
      description: 'Who did it, in words of that time: an address, the hint of a token.',
    }),
    sessionId: t.id({
      nullable: true,
      description: 'The session of the person who did it.',
      resolve: ({ sessionId }) => (sessionId === null ? null : encodeId('session', sessionId)),
    }),
    ipAddress: t.exposeString('ipAddress', { nullable: true, description: 'From where; null for the installation.' }),
    requestId: t.exposeString('requestId', {
      nullable: true,
      description: 'The request, as in its header X-Request-Id and in the log of the operator.',
    }),
    subjectIds: t.idList({ description: 'What it was done to.', resolve: ({ subjectIds }) => [...subjectIds] }),
    changes: t.field({
      type: 'JSON',
      nullable: true,
      description: 'What was before and after, or what was given; never a secret.',
      resolve: ({ changes }) => changes,
    }),
  }),
});

const AuditEntryConnection = builder.connectionObject(
  { type: AuditEntry, name: 'AuditEntryConnection', description: 'A page of the audit log.' },
  { name: 'AuditEntryEdge', description: 'An entry in the log.' },
);

const AuditFilter = builder.inputType('AuditFilter', {
  description: 'What an entry must have. All that is given must match.',
  fields: (t) => ({
    action: t.string({ required: false, description: 'This action.' }),
    actorId: t.id({ required: false, description: 'Done by this user or token.' }),
    since: t.field({ type: 'DateTime', required: false, description: 'Then or later.' }),
    until: t.field({ type: 'DateTime', required: false, description: 'Before.' }),
  }),
});

/** What is no actor's id is nobody's. */
function actorUuid(id: string): string {
  const decoded = decodeId(id);
  return decoded !== null && (decoded.kind === 'user' || decoded.kind === 'token') ? decoded.uuid : NOWHERE;
}

builder.objectField(Account, 'auditLog', (t) =>
  t.withAuth(onAccount(listAudit.permission)).field({
    type: AuditEntryConnection,
    description: guarded(listAudit.permission, 'What was done in the account, newest first.'),
    extensions: { cost: 5 },
    args: {
      first: t.arg.int({ description: firstText() }),
      after: t.arg.string({ required: false, description: afterText }),
      filter: t.arg({ type: AuditFilter, required: false, description: 'Only those that pass; all unless given.' }),
    },
    resolve: async ({ id }, args, context) => {
      const { deps, caller } = within(context, id);
      const first = checkFirst(args.first);
      const after = args.after ?? null;
      const last = after === null ? null : decodeIdOf('audit', after);
      if (after !== null && last === null) throw new InvalidCursor();
      const { action, actorId, since, until } = args.filter ?? {};
      const filter = {
        action: action ?? null,
        actorId: typeof actorId === 'string' ? actorUuid(actorId) : null,
        since: since ?? null,
        until: until ?? null,
      };
      const page = await listAudit(deps, caller, { accountId: id, first, after: last, filter });
      return connectionOf(page.entries, { hasMore: page.hasMore, after }, (row) => encodeId('audit', row.id));
    },
  }),
);
