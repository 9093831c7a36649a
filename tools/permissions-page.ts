// Writes docs/permissions.md from the table by which the server decides.
import type { PermissionRule, ServerTokenScope } from '#/domain/permissions.ts';
import { generatedNote, table } from './markdown.ts';

export function permissionsPage(
  permissions: Readonly<Record<string, PermissionRule>>,
  scopes: readonly ServerTokenScope[],
  defaultScopes: readonly ServerTokenScope[],
): string {
  const rows = Object.entries(permissions).map(([name, rule]) => [
    `\`${name}\``,
    rule.description,
    serverToken(rule),
    rule.accountToken ? 'yes' : '–',
    leastPerson(rule),
    staffTexts[rule.staff ?? 'never'],
  ]);
  const scopeRows = scopes.map((scope) => [
    `\`${scope}\``,
    defaultScopes.includes(scope) ? 'yes' : '–',
    grantedBy(permissions, scope),
  ]);
  return `${generatedNote}

# Permissions

Who may do what. A token of a server reaches that server alone, and only what its scopes name. An account token reaches
all servers of its account, and so do the account's owner and admins; a member needs a grant, as viewer or as admin, on
each server. Staff of the installation see an account only while its owner lets them, or while a compliance review is open;
what they look at stands in the account's audit log, and they change nothing.

${table(['Permission', 'Allows to', 'Server token with', 'Account token', 'Person, at least', 'Staff of the installation'], rows)}

## Scopes of server tokens

A new token gets those marked as default unless scopes are named.

${table(['Scope', 'Default', 'Permissions'], scopeRows)}
`;
}

function serverToken({ serverToken }: PermissionRule): string {
  if (serverToken === null) return '–';
  return serverToken === 'ANY' ? 'any scope' : `\`${serverToken}\``;
}

function leastPerson({ accountRole, serverLevel }: PermissionRule): string {
  if (serverLevel !== null) return `${serverLevel.toLowerCase()} of the server`;
  if (accountRole === 'SERVER_ADMIN') return 'admin of some server';
  return accountRole === null ? '–' : `${accountRole.toLowerCase()} of the account`;
}

const staffTexts = { GRANT: 'while let in', REVIEW: 'in a compliance review', never: '–' } as const;

function grantedBy(permissions: Readonly<Record<string, PermissionRule>>, scope: ServerTokenScope): string {
  const names = Object.entries(permissions).filter(([, rule]) => rule.serverToken === scope);
  return names.map(([name]) => `\`${name}\``).join(', ') || '–';
}
