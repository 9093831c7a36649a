// Every setting, once: name, default, meaning, reading. docs/configuration.md is made from `settings`.
import type { KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { availableParallelism, hostname } from 'node:os';
import { z } from 'zod';
import { type LogLevel, logLevels } from './log.ts';
import type { SmtpTimeouts } from './ports.ts';
import { flag, integer, oneOf, port, reading, realPort } from './setting-kinds.ts';
import {
  type AddressRange,
  list,
  readableFile,
  readDatabaseUrl,
  readDnsServers,
  readHostName,
  readHttpUrl,
  readPublicKeys,
  readRanges,
  readRelay,
  readScale,
  readSecretKeys,
  readSender,
  readSmtpTimeouts,
  readWebOrigin,
  type Relay,
} from './setting-values.ts';

export const roles = ['api', 'submission', 'inbound', 'delivery', 'webhooks', 'maintenance'] as const;
export type Role = (typeof roles)[number];

export type { AddressRange };

/** Paths of PEM files. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
}

export interface Config {
  readonly dataDir: string;
  /** Null: the embedded server. */
  readonly databaseUrl: string | null;
  /** First one encrypts, all decrypt; null: the one in the data folder. */
  readonly secretKeys: readonly string[] | null;
  /** Without a slash at its end. */
  readonly publicUrl: string;
  readonly httpHost: string;
  readonly httpPort: number;
  readonly httpTls: TlsFiles | null;
  readonly smtpTls: TlsFiles | null;
  readonly smtpHost: string;
  /** 0: off; the two below as well. */
  readonly submissionPort: number;
  readonly submissionsPort: number;
  readonly inboundPort: number;
  /** AUTH without TLS. */
  readonly submissionPlaintextAuth: boolean;
  readonly roles: ReadonlySet<Role>;
  readonly workers: number;
  readonly outbound: 'mx' | 'relay';
  readonly relay: Relay | null;
  readonly rspamd: URL | null;
  readonly heloName: string;
  /** What return-path CNAMEs point to. */
  readonly mailHost: string;
  /** `off`: nothing is signed here; a relay does it. */
  readonly signing: 'required' | 'off';
  /** `address:port`, as node:dns takes them; null: those of the system. */
  readonly dnsServers: readonly string[] | null;
  readonly mxPort: number;
  /** Milliseconds; of the phases that the operator has set. */
  readonly smtpTimeouts: Partial<SmtpTimeouts>;
  /** Of the pauses between attempts. */
  readonly retryScale: number;
  /** The resolvers validate, and their AD bit is believed. */
  readonly dnssec: boolean;
  /** PEM: roots trusted besides the usual ones. */
  readonly caFile: string | null;
  readonly mtaStsPort: number;
  readonly tlsReports: boolean;
  readonly allowPrivateNetworks: boolean;
  readonly allowMxAliases: boolean;
  readonly trustedProxies: readonly AddressRange[];
  readonly systemFrom: string | null;
  /** Of those who may report leaked tokens by the list. */
  readonly leakReportKeys: readonly KeyObject[];
  /** Strangers may make themselves accounts. */
  readonly signUp: boolean;
  readonly logLevel: LogLevel;
  readonly metricsPort: number | null;
  readonly autoMigrate: boolean;
  /** Cost points a second for each token; 0: no limit. */
  readonly rateLimit: number;
  readonly maxCost: number;
}

export class ConfigError extends Error {
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(`The settings are wrong:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
    this.problems = problems;
  }
}

interface SettingMeta {
  readonly default: string | null;
  readonly description: string;
  readonly secret: boolean;
}

const metas = z.registry<SettingMeta>();

type Text<T> = z.ZodType<T, string>;

function setting<T>(type: Text<T>, fallback: string, description: string) {
  return z.string().default(fallback).pipe(type).register(metas, { default: fallback, description, secret: false });
}

function optional<T>(type: Text<T>, description: string, secret = false) {
  return type.nullable().default(null).register(metas, { default: null, description, secret });
}

// ── how texts are read ──

const text = z.string();

const pemFile = reading(readableFile);
const webOrigin = reading(readWebOrigin);
const rspamdUrl = reading(readHttpUrl);
const databaseUrl = reading(readDatabaseUrl);
const hostName = reading(readHostName);
const sender = reading(readSender);
const relayUrl = reading(readRelay);

const secretKeys = reading(readSecretKeys);

const roleSet = reading((value): ReadonlySet<Role> => {
  const names = list(value);
  if (names.length === 1 && names[0] === 'all') return new Set(roles);
  const known = new Set<string>(roles);
  const unknown = names.filter((name) => !known.has(name));
  if (unknown.length > 0 || names.length === 0) throw new Error(`must be all, or some of ${roles.join(', ')}`);
  return new Set(roles.filter((role) => names.includes(role)));
});

const dnsServers = reading(readDnsServers);

// ── the settings ──

const schema = z
  .strictObject({
    VEREDUS_DATA_DIR: setting(text, './data', 'Embedded PostgreSQL, keys, spool.'),
    VEREDUS_DATABASE_URL: optional(databaseUrl, 'Any PostgreSQL from 15 on; unset, the embedded one is used.', true),
    VEREDUS_SECRET_KEY: optional(
      secretKeys,
      'Encrypts secrets at rest (DKIM keys, webhook secrets): at least 32 characters; several, comma-separated, while rotating. Unset, one is made in the data folder. Nodes that share a database need the same.',
      true,
    ),
    VEREDUS_PUBLIC_URL: setting(
      webOrigin,
      'http://localhost:4000',
      'Where the world reaches this installation; unset, localhost with the port of HTTP.',
    ),
    VEREDUS_HTTP_HOST: setting(text, '127.0.0.1', 'Address on which HTTP listens.'),
    VEREDUS_HTTP_PORT: setting(port, '4000', 'Port of HTTP; 0 takes any free one.'),
    VEREDUS_HTTP_TLS_CERT: optional(pemFile, 'PEM file; with it and the key, HTTPS is the only way in.'),
    VEREDUS_HTTP_TLS_KEY: optional(pemFile, 'PEM file.'),
    VEREDUS_SMTP_TLS_CERT: optional(pemFile, 'PEM file; unset, a self-signed certificate is made.'),
    VEREDUS_SMTP_TLS_KEY: optional(pemFile, 'PEM file.'),
    VEREDUS_SMTP_HOST: optional(text, 'Address on which the SMTP servers listen; unset, that of HTTP.'),
    VEREDUS_SUBMISSION_PORT: setting(port, '2587', 'SMTP from customers’ applications, STARTTLS; 0 turns it off.'),
    VEREDUS_SUBMISSIONS_PORT: setting(port, '2465', 'The same with TLS from the first byte; 0 turns it off.'),
    VEREDUS_INBOUND_PORT: setting(port, '2525', 'SMTP from the world: bounces, complaints, replies; 0 turns it off.'),
    VEREDUS_SUBMISSION_PLAINTEXT_AUTH: setting(
      flag,
      'false',
      'Tokens are taken over SMTP without TLS too: for networks in which nobody listens.',
    ),
    VEREDUS_ROLES: setting(roleSet, 'all', `What this node does, comma-separated: ${roles.join(', ')}.`),
    VEREDUS_WORKERS: optional(integer(1, 256), 'Processes of this node; unset, one for each core.'),
    VEREDUS_OUTBOUND: setting(
      oneOf(['mx', 'relay']),
      'mx',
      '`mx` delivers directly, `relay` hands everything to VEREDUS_RELAY_URL.',
    ),
    VEREDUS_RSPAMD_URL: optional(rspamdUrl, 'http://host:11333 of an rspamd that scores inbound mail.', true),
    VEREDUS_RELAY_URL: optional(relayUrl, 'smtp://user:password@host:port, or smtps://…', true),
    VEREDUS_HELO_NAME: optional(hostName, 'Name said in HELO; unset, the host name.'),
    VEREDUS_MAIL_HOST: optional(
      hostName,
      'Name that the return-path CNAMEs of domains point to: has an SPF record, and takes bounces. Unset, the HELO name.',
    ),
    VEREDUS_SIGNING: setting(
      oneOf(['required', 'off']),
      'required',
      '`required` sends nothing without a DKIM key of its domain; `off` signs nothing, where a relay does.',
    ),
    VEREDUS_DNS_SERVERS: optional(dnsServers, 'address:port, comma-separated; unset, those of the system.'),
    VEREDUS_MX_PORT: setting(realPort, '25', 'Port to which `mx` delivers; for test networks.'),
    VEREDUS_SMTP_TIMEOUTS: optional(
      reading(readSmtpTimeouts),
      'Seconds that `mx` and `relay` wait for other servers, such as `connect=10,dot=300`: of connect, greeting, command, data and dot. Unset, those of RFC 5321: 30, 300, 300, 180, 600. A short `dot` makes duplicates.',
    ),
    VEREDUS_RETRY_SCALE: setting(
      reading(readScale),
      '1',
      'Factor on the pauses between attempts, from 0.001 to 1; for test networks.',
    ),
    VEREDUS_DNSSEC: setting(
      flag,
      'false',
      'The resolvers validate DNSSEC and nobody stands between (they run on this machine): their AD bit is believed, and DANE is applied.',
    ),
    VEREDUS_CA_FILE: optional(
      pemFile,
      'PEM file of certificates that are trusted besides the usual roots, for SMTP, MTA-STS, reports and webhooks: of relays with an authority of their own, and test networks.',
    ),
    VEREDUS_MTA_STS_PORT: setting(realPort, '443', 'Port from which MTA-STS policies are fetched; for test networks.'),
    VEREDUS_TLS_REPORTS: setting(
      flag,
      'true',
      'Domains that ask for it are told once a day how TLS to them went (RFC 8460); by mail from VEREDUS_SYSTEM_FROM.',
    ),
    VEREDUS_ALLOW_PRIVATE_NETWORKS: setting(
      flag,
      'false',
      'Mail and webhooks to private and loopback addresses, and mail to addresses of this node; for test networks.',
    ),
    VEREDUS_ALLOW_MX_ALIASES: setting(
      flag,
      'false',
      'Mail to mail exchangers that are aliases (CNAME), which RFC 5321 forbids; otherwise their mail waits and expires.',
    ),
    VEREDUS_TRUSTED_PROXIES: setting(
      reading(readRanges),
      'none',
      'Addresses and ranges whose X-Forwarded-For counts, comma-separated.',
    ),
    VEREDUS_SYSTEM_FROM: optional(
      sender,
      'Sender of invitations, resets, alerts; unset, they are written to the log of the operator.',
    ),
    VEREDUS_SIGN_UP: setting(
      flag,
      'false',
      'Strangers may make accounts of their own, with a link that is mailed to them (needs VEREDUS_SYSTEM_FROM).',
    ),
    VEREDUS_LEAK_REPORT_KEYS: optional(
      reading(readPublicKeys),
      'Public keys (PEM, ECDSA P-256) of secret scanners that report leaked tokens to /tokens/leaked, or the path of a file with them.',
    ),
    VEREDUS_LOG_LEVEL: setting(oneOf(logLevels), 'info', `Least level that is logged: ${logLevels.join(', ')}.`),
    VEREDUS_METRICS_PORT: optional(port, 'Prometheus, /healthz and /readyz, apart from the public port.'),
    VEREDUS_AUTO_MIGRATE: setting(flag, 'true', 'serve brings the database up to date before it starts.'),
    VEREDUS_RATE_LIMIT: setting(
      integer(0, 1_000_000_000),
      '20000',
      'Cost points a second for each token, with ten seconds’ worth as burst; 0 turns it off.',
    ),
    VEREDUS_MAX_COST: setting(integer(1, 1_000_000_000), '50000', 'Most cost points of one GraphQL document.'),
  })
  .superRefine((values, context) => {
    const problem = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
    if (values.VEREDUS_OUTBOUND === 'relay' && values.VEREDUS_RELAY_URL === null) {
      problem('VEREDUS_RELAY_URL', 'is needed when VEREDUS_OUTBOUND is relay');
    }
    if ((values.VEREDUS_HTTP_TLS_CERT === null) !== (values.VEREDUS_HTTP_TLS_KEY === null)) {
      problem('VEREDUS_HTTP_TLS_CERT', 'and VEREDUS_HTTP_TLS_KEY belong together');
    }
    if ((values.VEREDUS_SMTP_TLS_CERT === null) !== (values.VEREDUS_SMTP_TLS_KEY === null)) {
      problem('VEREDUS_SMTP_TLS_CERT', 'and VEREDUS_SMTP_TLS_KEY belong together');
    }
    const ports = [
      ['VEREDUS_HTTP_PORT', values.VEREDUS_HTTP_PORT],
      ['VEREDUS_SUBMISSION_PORT', values.VEREDUS_SUBMISSION_PORT],
      ['VEREDUS_SUBMISSIONS_PORT', values.VEREDUS_SUBMISSIONS_PORT],
      ['VEREDUS_INBOUND_PORT', values.VEREDUS_INBOUND_PORT],
      ['VEREDUS_METRICS_PORT', values.VEREDUS_METRICS_PORT ?? 0],
    ] as const;
    for (const [index, [name, number]] of ports.entries()) {
      const other = ports.slice(0, index).find(([, earlier]) => number !== 0 && earlier === number);
      if (other !== undefined) problem(name, `is the port of ${other[0]} as well`);
    }
  });

export interface Setting extends SettingMeta {
  readonly name: string;
}

/** For docs/configuration.md; each secret can also be given as NAME_FILE. */
export const settings: readonly Setting[] = Object.entries(schema.shape).map(([name, type]) => {
  const meta = metas.get(type);
  if (meta === undefined) throw new Error(`${name} has no description`);
  return { name, ...meta };
});

export function loadConfig(env: NodeJS.ProcessEnv): Config {
  const problems: string[] = [];
  const result = schema.safeParse(readVariables(env, problems));
  // Whatever is wrong with single values hides the rules between them from zod, not from the next start.
  if (!result.success) problems.push(...result.error.issues.flatMap(describeIssue));
  if (!result.success || problems.length > 0) throw new ConfigError(problems);
  const config = toConfig(result.data);
  if (Object.hasOwn(env, 'VEREDUS_PUBLIC_URL')) return config;
  // Unset, it follows the port: what the first start prints must be where it listens.
  return { ...config, publicUrl: `${config.httpTls === null ? 'http' : 'https'}://localhost:${config.httpPort}` };
}

/** The VEREDUS_ variables with the files of secrets read; an empty one counts as absent, as compose files make them. */
function readVariables(env: NodeJS.ProcessEnv, problems: string[]): Record<string, string> {
  const values: Record<string, string> = {};
  const secretFiles = new Map(settings.filter(({ secret }) => secret).map(({ name }) => [`${name}_FILE`, name]));
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith('VEREDUS_') || value === undefined || value === '') continue;
    const secret = secretFiles.get(name);
    if (secret === undefined) {
      values[name] = value;
    } else if ((env[secret] ?? '') !== '') {
      problems.push(`${name}: ${secret} is set as well`);
    } else {
      try {
        values[secret] = readFileSync(value, 'utf8').trim();
      } catch {
        problems.push(`${name}: the file ${value} cannot be read`);
      }
    }
  }
  return values;
}

function describeIssue(issue: z.core.$ZodIssue): string[] {
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => `${key}: there is no such setting`);
  return [`${issue.path.join('.')}: ${issue.message}`];
}

function toConfig(values: z.output<typeof schema>): Config {
  return {
    dataDir: values.VEREDUS_DATA_DIR,
    databaseUrl: values.VEREDUS_DATABASE_URL,
    secretKeys: values.VEREDUS_SECRET_KEY,
    publicUrl: values.VEREDUS_PUBLIC_URL,
    httpHost: values.VEREDUS_HTTP_HOST,
    httpPort: values.VEREDUS_HTTP_PORT,
    httpTls: pair(values.VEREDUS_HTTP_TLS_CERT, values.VEREDUS_HTTP_TLS_KEY),
    smtpTls: pair(values.VEREDUS_SMTP_TLS_CERT, values.VEREDUS_SMTP_TLS_KEY),
    smtpHost: values.VEREDUS_SMTP_HOST ?? values.VEREDUS_HTTP_HOST,
    submissionPort: values.VEREDUS_SUBMISSION_PORT,
    submissionsPort: values.VEREDUS_SUBMISSIONS_PORT,
    inboundPort: values.VEREDUS_INBOUND_PORT,
    submissionPlaintextAuth: values.VEREDUS_SUBMISSION_PLAINTEXT_AUTH,
    roles: values.VEREDUS_ROLES,
    workers: values.VEREDUS_WORKERS ?? availableParallelism(),
    outbound: values.VEREDUS_OUTBOUND,
    relay: values.VEREDUS_RELAY_URL,
    rspamd: values.VEREDUS_RSPAMD_URL,
    heloName: values.VEREDUS_HELO_NAME ?? hostname(),
    mailHost: (values.VEREDUS_MAIL_HOST ?? values.VEREDUS_HELO_NAME ?? hostname()).toLowerCase(),
    signing: values.VEREDUS_SIGNING,
    dnsServers: values.VEREDUS_DNS_SERVERS,
    mxPort: values.VEREDUS_MX_PORT,
    smtpTimeouts: values.VEREDUS_SMTP_TIMEOUTS ?? {},
    retryScale: values.VEREDUS_RETRY_SCALE,
    dnssec: values.VEREDUS_DNSSEC,
    caFile: values.VEREDUS_CA_FILE,
    mtaStsPort: values.VEREDUS_MTA_STS_PORT,
    tlsReports: values.VEREDUS_TLS_REPORTS,
    allowPrivateNetworks: values.VEREDUS_ALLOW_PRIVATE_NETWORKS,
    allowMxAliases: values.VEREDUS_ALLOW_MX_ALIASES,
    trustedProxies: values.VEREDUS_TRUSTED_PROXIES,
    systemFrom: values.VEREDUS_SYSTEM_FROM,
    leakReportKeys: values.VEREDUS_LEAK_REPORT_KEYS ?? [],
    signUp: values.VEREDUS_SIGN_UP,
    logLevel: values.VEREDUS_LOG_LEVEL,
    metricsPort: values.VEREDUS_METRICS_PORT,
    autoMigrate: values.VEREDUS_AUTO_MIGRATE,
    rateLimit: values.VEREDUS_RATE_LIMIT,
    maxCost: values.VEREDUS_MAX_COST,
  };
}

function pair(cert: string | null, key: string | null): TlsFiles | null {
  return cert === null || key === null ? null : { cert, key };
}
