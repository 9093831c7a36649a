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

export interface PermissionRule {
  readonly description: string;
  /** Scope that a server token needs; `ANY`: every live token of the server; null: no server token may. */
  readonly serverToken: ServerTokenScope | 'ANY' | null;
  readonly accountToken: boolean;
  /** Least grant on the server in question for a MEMBER; null: grants do not give it. Owner and admins have every server. */
  readonly serverLevel: 'VIEWER' | 'ADMIN' | null;
  /** Least role for what belongs to the account as a whole; null where the server grant decides. */
  readonly accountRole: 'MEMBER' | 'ADMIN' | 'OWNER' | null;
}

const rule = (
  description: string,
  serverToken: PermissionRule['serverToken'],
  accountToken: boolean,
  serverLevel: PermissionRule['serverLevel'],
  accountRole: PermissionRule['accountRole'],
): PermissionRule => ({ description, serverToken, accountToken, serverLevel, accountRole });

export const permissions = {
  'account.read': rule('See the name and settings of the account', 'ANY', true, null, 'MEMBER'),
  'server.list': rule('See the servers of the account', null, true, null, 'MEMBER'),
  'server.read': rule('See a server and its settings', 'ANY', true, 'VIEWER', null),
  'server.create': rule('Create servers', null, true, null, 'ADMIN'),
  'server.update': rule('Change a server', null, true, 'ADMIN', null),
  'server.delete': rule('Delete a server', null, true, null, 'ADMIN'),
  'stream.read': rule('See the message streams of a server', 'ANY', true, 'VIEWER', null),
  'stream.write': rule('Create, archive and unarchive streams', 'STREAMS_WRITE', true, 'ADMIN', null),
  'email.send': rule('Send and cancel email', 'MESSAGES_SEND', false, 'ADMIN', null),
  'message.read': rule('See messages, recipients and attempts', 'MESSAGES_READ', false, 'VIEWER', null),
  'content.read': rule('See bodies, attachments and source of messages', 'CONTENT_READ', false, 'VIEWER', null),
  'domain.read': rule('See domains and sender signatures', null, true, null, 'ADMIN'),
  'domain.write': rule('Add, verify, rotate and remove domains and sender signatures', null, true, null, 'ADMIN'),
  'event.read': rule('See and follow events', 'EVENTS_READ', false, 'VIEWER', null),
} as const satisfies Record<string, PermissionRule>;

export type Permission = keyof typeof permissions;

export type Actor =
  | {
      readonly kind: 'SERVER_TOKEN';
      readonly accountId: string;
      readonly serverId: string;
      readonly tokenId: string;
      /** Kind prefix and last four characters. */
      readonly label: string;
      readonly scopes: ReadonlySet<string>;
      /** The one stream that the token is bound to. */
      readonly streamId: string | null;
    }
  | {
      readonly kind: 'ACCOUNT_TOKEN';
      readonly accountId: string;
      readonly tokenId: string;
      readonly label: string;
    }
  /** The installation's command line: acts on the account that it names, and every act is audited. */
  | { readonly kind: 'OPERATOR'; readonly accountId: string; readonly label: string };

/** The missing right in words, or null when `actor` may. */
export function refusalOf(actor: Actor, permission: Permission): string | null {
  const needed: PermissionRule = permissions[permission];
  switch (actor.kind) {
    case 'OPERATOR':
      return null;
    case 'ACCOUNT_TOKEN':
      return needed.accountToken ? null : `an account token may not ${permission}`;
    case 'SERVER_TOKEN':
      if (needed.serverToken === null) return `a server token may not ${permission}`;
      if (needed.serverToken === 'ANY' || actor.scopes.has(needed.serverToken)) return null;
      return `the token lacks the scope ${needed.serverToken}`;
    default:
      return actor satisfies never;
  }
}
