// People: sessions, known devices, second factors, one-time links, invitations, grants on servers, emergency contacts,
// staff access; and an audit log that cannot be rewritten. Frozen in time: imports nothing of ours.
import { type Kysely, sql } from 'kysely';

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  // staff: works for the installation and may ask accounts for access. disabled_at: may not sign in any more.
  `alter table users
     add column staff boolean not null default false,
     add column disabled_at timestamptz,
     add column password_changed_at timestamptz`,

  // A browser or program that signed in before. Tries from there are counted apart from those of strangers, so that
  // strangers cannot lock its user out.
  `create table known_devices (
     user_id uuid not null references users (id) on delete cascade,
     secret_hash bytea not null,
     created_at timestamptz not null,
     last_seen_at timestamptz not null,
     primary key (user_id, secret_hash))`,

  // Opaque: secret_hash is SHA-256 of the secret, which is renewed at each step that raises the session's rights.
  // second_factor_pending: the password was right, the second factor has not been shown; such a session may show it and
  // nothing else.
  `create table sessions (
     id uuid primary key,
     user_id uuid not null references users (id) on delete cascade,
     secret_hash bytea not null unique,
     second_factor_pending boolean not null,
     created_at timestamptz not null,
     last_seen_at timestamptz not null,
     expires_at timestamptz not null,
     proved_at timestamptz,
     ip_address text not null,
     user_agent text not null)`,
  `create index sessions_user on sessions (user_id, id)`,
  `create index sessions_expiry on sessions (expires_at)`,

  `create type two_factor_kind as enum ('TOTP', 'PASSKEY')`,
  // used_step: the newest time step whose code was taken (RFC 6238 §5.2: a code is taken once). sign_count as the
  // authenticator tells it, 0 when it does not count.
  `create table two_factor_methods (
     user_id uuid not null references users (id) on delete cascade,
     id uuid not null,
     kind two_factor_kind not null,
     name text not null,
     created_at timestamptz not null,
     last_used_at timestamptz,
     secret_encrypted bytea,
     used_step bigint,
     credential_id text unique,
     public_key bytea,
     sign_count bigint,
     transports text[] not null default '{}',
     check (case kind when 'TOTP' then secret_encrypted is not null
            else credential_id is not null and public_key is not null end),
     primary key (user_id, id))`,
  `create table backup_codes (
     user_id uuid not null references users (id) on delete cascade,
     code_hash bytea not null,
     used_at timestamptz,
     primary key (user_id, code_hash))`,
  // What a session has begun: a TOTP secret that waits for its first code, challenges of passkeys. One of each kind.
  `create table second_factor_challenges (
     session_id uuid not null references sessions (id) on delete cascade,
     purpose text not null check (purpose in ('ENROLL_TOTP', 'ENROLL_PASSKEY', 'VERIFY_PASSKEY')),
     secret_encrypted bytea not null,
     expires_at timestamptz not null,
     primary key (session_id, purpose))`,

  // Failed tries, by what they are counted by (address, network, device, session's user); key is a hash of it, so that
  // the table does not tell what people typed.
  `create table guess_counters (
     key bytea primary key,
     failures integer not null,
     last_failed_at timestamptz not null,
     blocked_until timestamptz not null)`,
  `create index guess_counters_age on guess_counters (last_failed_at)`,

  `create type link_purpose as enum ('PASSWORD_RESET', 'EMAIL_CHANGE', 'SIGN_UP')`,
  `create table one_time_links (
     id uuid primary key,
     purpose link_purpose not null,
     secret_hash bytea not null unique,
     user_id uuid references users (id) on delete cascade,
     email text not null,
     created_at timestamptz not null,
     expires_at timestamptz not null)`,
  `create index one_time_links_user on one_time_links (user_id)`,
  `create index one_time_links_expiry on one_time_links (expires_at)`,

  `create type server_level as enum ('VIEWER', 'ADMIN')`,
  `create table server_grants (
     account_id uuid not null,
     user_id uuid not null,
     server_id uuid not null,
     level server_level not null,
     primary key (account_id, user_id, server_id),
     foreign key (account_id, user_id) references memberships (account_id, user_id) on delete cascade,
     foreign key (account_id, server_id) references servers (account_id, id))`,
  `create index server_grants_server on server_grants (account_id, server_id)`,

  `create table invitations (
     account_id uuid not null references accounts (id),
     id uuid not null,
     email text not null,
     email_key text not null,
     role account_role not null check (role <> 'OWNER'),
     secret_hash bytea not null unique,
     invited_by uuid references users (id),
     created_at timestamptz not null,
     sent_at timestamptz not null,
     expires_at timestamptz not null,
     primary key (account_id, id),
     unique (account_id, email_key))`,
  `create table invitation_grants (
     account_id uuid not null,
     invitation_id uuid not null,
     server_id uuid not null,
     level server_level not null,
     primary key (account_id, invitation_id, server_id),
     foreign key (account_id, invitation_id) references invitations (account_id, id) on delete cascade,
     foreign key (account_id, server_id) references servers (account_id, id))`,

  `create table emergency_contacts (
     account_id uuid not null references accounts (id),
     id uuid not null,
     email text not null,
     email_key text not null,
     created_at timestamptz not null,
     confirmed_at timestamptz,
     confirmation_hash bytea unique,
     confirmation_expires_at timestamptz,
     confirmation_sent_at timestamptz,
     primary key (account_id, id),
     unique (account_id, email_key))`,

  // REQUESTED until the owner answers; ACTIVE until expires_at or revocation. A compliance review needs no answer, and the
  // owner sees it.
  `create table staff_access_grants (
     account_id uuid not null references accounts (id),
     id uuid not null,
     user_id uuid not null references users (id),
     reason text not null,
     compliance_review boolean not null,
     hours integer not null,
     requested_at timestamptz not null,
     answered_at timestamptz,
     granted boolean,
     expires_at timestamptz,
     revoked_at timestamptz,
     primary key (account_id, id))`,
  `create index staff_access_grants_user on staff_access_grants (user_id)`,

  `alter table audit_log add column session_id uuid`,
  `create index audit_log_actor on audit_log (account_id, actor_id, id)`,
  // The application may add to the record and read it, whoever it connects as: the trigger holds for the owner of the
  // table and for superusers too.
  `create function refuse_rewriting() returns trigger language plpgsql as $$
     begin raise exception 'the audit log is append-only'; end $$`,
  `create trigger audit_log_append_only before update or delete or truncate on audit_log
     for each statement execute function refuse_rewriting()`,
  `do $$ begin execute format('revoke update, delete, truncate on audit_log from %I', current_user); end $$`,

  // The link with which the owner of the first account is made, once.
  `alter table installation
     add column setup_account_id uuid references accounts (id),
     add column setup_hash bytea`,
];
