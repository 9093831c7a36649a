// TLS towards receivers: what a stream asks for, what was used on an attempt, policies that receivers publish (MTA-STS), and
// the sessions that are counted for those that want reports (TLS-RPT).
// Frozen in time: imports nothing of ours.
import { type Kysely, sql } from 'kysely';

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  `create type tls_policy as enum ('OPPORTUNISTIC', 'REQUIRE_TLS', 'PREFER_DELIVERY')`,
  `alter table message_streams add column tls_policy tls_policy not null default 'OPPORTUNISTIC'`,

  // tls_policy: which policy held and how it came out, for people.
  `create type tls_verification as enum ('NONE', 'WEBPKI', 'MTA_STS', 'DANE')`,
  `alter table delivery_attempts
     add column tls_verification tls_verification,
     add column tls_policy text`,

  // By domain of recipients, for all accounts: what holds for mail to a domain is the domain's to say. Kept until
  // expires_at whatever becomes of the policy host meanwhile.
  `create type mta_sts_mode as enum ('enforce', 'testing', 'none')`,
  `create table mta_sts_policies (
     domain text primary key,
     policy_id text not null,
     mode mta_sts_mode not null,
     mx text[] not null,
     max_age integer not null,
     fetched_at timestamptz not null,
     expires_at timestamptz not null)`,
  `create index mta_sts_policies_expired on mta_sts_policies (expires_at)`,

  // Sessions with domains that ask for reports, by day (UTC), policy and result; removed once they are reported. result:
  // 'success', or a result type of RFC 8460 §4.3, with the host at fault. policy_key: a hash of what policy says.
  `create table tls_session_counts (
     domain text not null,
     day text not null check (day ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$'),
     policy_type text not null,
     policy_key text not null,
     result text not null,
     receiving_host text not null,
     receiving_ip text not null,
     policy text[] not null,
     sessions bigint not null,
     primary key (domain, day, policy_type, policy_key, result, receiving_host, receiving_ip))`,

  // A report that is due: made with the first count of its day. sent_to: where it has arrived already.
  `create table tls_reports_due (
     domain text not null,
     day text not null check (day ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$'),
     due_at timestamptz not null,
     tries smallint not null default 0,
     sent_to text[] not null default '{}',
     primary key (domain, day))`,
  `create index tls_reports_due_at on tls_reports_due (due_at)`,
];
