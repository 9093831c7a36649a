// Who may do what: one table. Scopes of the schema, the check in every use-case, docs/permissions.md and the tests of the
// role matrix are all made from it.

export const serverTokenScopes = [
  'MESSAGES_SEND',
  'MESSAGES_READ',
  'CONTENT_READ',
  'EVENTS_READ',
  'STATS_READ',
  'SUPPRESSIONS_WRITE',
  'TEMPLATES_WRITE',
  'WEBHOOKS_WRITE',
  'STREAMS_WRITE',
  'INBOUND_READ',
] as const;
export type ServerTokenScope = (typeof serverTokenScopes)[number];

/** What an application needs, unless scopes are named. */
export const defaultServerTokenScopes: readonly ServerTokenScope[] = [
  'MESSAGES_SEND',
  'MESSAGES_READ',
  'EVENTS_READ',
  'STATS_READ',
];

export type AccountRole = 'OWNER' | 'ADMIN' | 'MEMBER';
export type ServerLevel = 'ADMIN' | 'VIEWER';

export interface PermissionRule {
  readonly description: string;
  /** Scope that a server token needs; `ANY`: every live token of the server; null: no server token may. */
  readonly serverToken: ServerTokenScope | 'ANY' | null;
  readonly accountToken: boolean;
  /** Least grant on the server in question for a MEMBER; null: grants do not give it. Owner and admins have every server. */
  readonly serverLevel: ServerLevel | null;
  /**
   * Least role for what belongs to the account as a whole; SERVER_ADMIN: also a member who is ADMIN of some server; null
   * where the server grant decides.
   */
  readonly accountRole: AccountRole | 'SERVER_ADMIN' | null;
  /** Staff of the installation, while the account's owner lets them in, or only while a compliance review is open; null: never. */
  readonly staff: 'GRANT' | 'REVIEW' | null;
}

const rule = (
  description: string,
  serverToken: PermissionRule['serverToken'],
  accountToken: boolean,
  serverLevel: PermissionRule['serverLevel'],
  accountRole: PermissionRule['accountRole'],
  staff: PermissionRule['staff'] = null,
): PermissionRule => ({ description, serverToken, accountToken, serverLevel, accountRole, staff });

export const permissions = {
  'account.read': rule('See the name and settings of the account', 'ANY', true, null, 'MEMBER', 'GRANT'),
  'account.update': rule('Change the name, retention and two-factor policy of the account', null, false, null, 'ADMIN'),
  'account.transfer': rule('Hand the account over to another member', null, false, null, 'OWNER'),
  'member.read': rule('See members and whether they have a second factor', null, false, null, 'SERVER_ADMIN', 'GRANT'),
  'member.write': rule('Invite, change and remove members', null, false, null, 'ADMIN'),
  'contact.read': rule('See emergency contacts', null, false, null, 'ADMIN', 'GRANT'),
  'contact.write': rule('Add and remove emergency contacts', null, false, null, 'ADMIN'),
  'audit.read': rule('See the audit log', null, false, null, 'ADMIN', 'GRANT'),
  'staffAccess.read': rule(
    'See who of the staff of the installation may look at the account',
    null,
    false,
    null,
    'ADMIN',
    'GRANT',
  ),
  'staffAccess.write': rule('Let staff of the installation in, and end it', null, false, null, 'OWNER'),
  'accountToken.read': rule('See the tokens of the account', null, false, null, 'ADMIN', 'GRANT'),
  'accountToken.write': rule('Make, rotate and revoke tokens of the account', null, false, null, 'ADMIN'),
  'server.list': rule('See the servers of the account', null, true, null, 'MEMBER', 'GRANT'),
  'server.read': rule('See a server and its settings', 'ANY', true, 'VIEWER', null, 'GRANT'),
  'server.create': rule('Create servers', null, true, null, 'ADMIN'),
  'server.update': rule('Change a server', null, true, 'ADMIN', null),
  'sending.write': rule('Pause and resume sending of a server', null, true, 'ADMIN', null),
  'server.delete': rule('Delete a server', null, true, null, 'ADMIN'),
  'serverToken.read': rule('See the tokens of a server', null, true, 'ADMIN', null, 'GRANT'),
  'serverToken.write': rule('Make, rotate and revoke tokens of a server', null, false, 'ADMIN', null),
  'stream.read': rule('See the message streams of a server', 'ANY', true, 'VIEWER', null, 'GRANT'),
  'stream.write': rule('Create, change, archive and unarchive streams', 'STREAMS_WRITE', true, 'ADMIN', null),
  'email.send': rule('Send and cancel email', 'MESSAGES_SEND', false, 'ADMIN', null),
  'message.read': rule('See messages, recipients and attempts', 'MESSAGES_READ', false, 'VIEWER', null, 'GRANT'),
  'content.read': rule(
    'See bodies, attachments and source of messages',
    'CONTENT_READ',
    false,
    'VIEWER',
    null,
    'REVIEW',
  ),
  'domain.read': rule('See domains and sender signatures', null, true, null, 'ADMIN', 'GRANT'),
  'domain.write': rule('Add, verify, rotate and remove domains and sender signatures', null, true, null, 'ADMIN'),
  'bounce.read': rule('See bounces and complaints', 'EVENTS_READ', false, 'VIEWER', null, 'GRANT'),
  'suppression.read': rule('See suppressions', 'SUPPRESSIONS_WRITE', false, 'ADMIN', null, 'GRANT'),
  'suppression.write': rule(
    'Add and lift suppressions, reactivate bounces',
    'SUPPRESSIONS_WRITE',
    false,
    'ADMIN',
    null,
  ),
  'inbound.read': rule('See and follow inbound messages', 'INBOUND_READ', false, 'VIEWER', null, 'GRANT'),
  'inboundContent.read': rule(
    'See bodies, attachments and source of inbound messages',
    'INBOUND_READ',
    false,
    'VIEWER',
    null,
    'REVIEW',
  ),
  'inbound.retry': rule('Handle failed and blocked inbound messages again', 'INBOUND_READ', false, 'ADMIN', null),
  'inboundSettings.read': rule(
    'See the inbound address, webhook and rules',
    'INBOUND_READ',
    true,
    'ADMIN',
    null,
    'GRANT',
  ),
  'inboundSettings.write': rule('Change the inbound domain, webhook and rules', 'WEBHOOKS_WRITE', true, 'ADMIN', null),
  'event.read': rule('See and follow events', 'EVENTS_READ', false, 'VIEWER', null, 'GRANT'),
  'stats.read': rule('See what is counted of a server', 'STATS_READ', false, 'VIEWER', null, 'GRANT'),
  'webhook.read': rule('See webhooks and their deliveries', 'WEBHOOKS_WRITE', true, 'ADMIN', null, 'GRANT'),
  'webhook.write': rule('Create, change, test, replay and delete webhooks', 'WEBHOOKS_WRITE', true, 'ADMIN', null),
} as const satisfies Record<string, PermissionRule>;

export type Permission = keyof typeof permissions;

export function isPermission(value: unknown): value is Permission {
  return typeof value === 'string' && Object.hasOwn(permissions, value);
}
