// Writes docs/permissions.md from the table by which the server decides.
import type { PermissionRule, ServerTokenScope } from '#/domain/permissions.ts';
import { type FieldRule, isOpenTo, type TokenKind } from './field-rules.ts';
import { generatedNote, table } from './markdown.ts';

export function permissionsPage(
  permissions: Readonly<Record<string, PermissionRule>>,
  scopes: readonly ServerTokenScope[],
  defaultScopes: readonly ServerTokenScope[],
  fields: readonly FieldRule[],
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

## Fields that a token may use

What each token opens besides, or without, the others: a test calls every field of the schema with a token that has only
the one scope. Fields that are not named here belong to whoever has got the thing that they are of; fields that stand in no
row are for people.

${table(['A token', 'Opens'], fieldRows(scopes, fields))}
`;
}

function fieldRows(scopes: readonly ServerTokenScope[], fields: readonly FieldRule[]): string[][] {
  const open = fields.filter(({ demands }) => demands.includes('nothing'));
  const demanding = fields.filter((rule) => rule.demands.length > 0 && !open.includes(rule));
  const openTo = (token: TokenKind) => demanding.filter((rule) => isOpenTo(rule, token));
  const any = demanding.filter((rule) => scopes.every((scope) => isOpenTo(rule, scope)));
  const beyond = (token: TokenKind) => openTo(token).filter((rule) => !any.includes(rule));
  return [
    ['nobody’s: these ask for none', namesOf(open)],
    ['of a server, with any scope', namesOf(any)],
    ...scopes.map((scope) => [`with \`${scope}\``, namesOf(beyond(scope))]),
    ['of an account', namesOf(openTo('ACCOUNT_TOKEN'))],
  ];
}

/** Where a type is guarded as a whole, its name stands for all its fields that ask for no more. */
function namesOf(rules: readonly FieldRule[]): string {
  const names = rules.map(({ name, type, likeItsType }) => (likeItsType ? type.name : name));
  return [...new Set(names)].map((name) => `\`${name}\``).join(', ') || '–';
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
