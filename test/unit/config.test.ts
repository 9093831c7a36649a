import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { ConfigError, loadConfig, roles, settings } from '#/runtime/config.ts';

const folder = mkdtempSync(join(tmpdir(), 'veredus-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

function problemsOf(env: NodeJS.ProcessEnv): readonly string[] {
  try {
    loadConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('refusals', () => {
  test('names all problems at once', () => {
    const problems = problemsOf({
      VEREDUS_HTTP_PORT: '70000',
      VEREDUS_OUTBOUND: 'pigeon',
      VEREDUS_TYPO: 'x',
      VEREDUS_SECRET_KEY_FILE: '/does/not/exist',
    });
    expect(problems).toHaveLength(4);
    for (const name of ['VEREDUS_HTTP_PORT', 'VEREDUS_OUTBOUND', 'VEREDUS_TYPO', 'VEREDUS_SECRET_KEY_FILE']) {
      expect(problems.some((problem) => problem.startsWith(`${name}: `))).toBe(true);
    }
  });

  test.each([
    ['VEREDUS_HTTP_PORT', '-1'],
    ['VEREDUS_HTTP_PORT', '40 00'],
    ['VEREDUS_MX_PORT', '0'],
    ['VEREDUS_WORKERS', '0'],
    ['VEREDUS_ROLES', 'api,postman'],
    ['VEREDUS_PUBLIC_URL', 'ftp://x'],
    ['VEREDUS_PUBLIC_URL', 'https://x.example/path'],
    ['VEREDUS_DATABASE_URL', 'mysql://x'],
    ['VEREDUS_RELAY_URL', 'http://x'],
    ['VEREDUS_DNS_SERVERS', 'resolver.example'],
    ['VEREDUS_SMTP_TIMEOUTS', '300'],
    ['VEREDUS_SMTP_TIMEOUTS', 'dot=0'],
    ['VEREDUS_SMTP_TIMEOUTS', 'dot=3601'],
    ['VEREDUS_SMTP_TIMEOUTS', 'quit=5'],
    ['VEREDUS_SMTP_TIMEOUTS', 'constructor=5'],
    ['VEREDUS_RETRY_SCALE', '0'],
    ['VEREDUS_RETRY_SCALE', '1.5'],
    ['VEREDUS_RETRY_SCALE', '1e-9'],
    ['VEREDUS_TRUSTED_PROXIES', '10.0.0.0/99'],
    ['VEREDUS_SECRET_KEY', 'short'],
    ['VEREDUS_LOG_LEVEL', 'loud'],
    ['VEREDUS_ALLOW_PRIVATE_NETWORKS', 'maybe'],
    ['VEREDUS_HELO_NAME', 'not a host'],
    ['VEREDUS_SYSTEM_FROM', 'nobody'],
    ['VEREDUS_HTTP_TLS_CERT', '/does/not/exist'],
  ])('%s=%s', (name, value) => {
    const problems = problemsOf({ [name]: value });
    expect(problems.length).toBeGreaterThan(0);
    expect(problems[0]).toMatch(new RegExp(`^${name}: `));
  });

  test('a secret is never repeated in a problem', () => {
    expect(
      problemsOf({ VEREDUS_RELAY_URL: 'smtp://user:hunter2@', VEREDUS_SECRET_KEY: 'hunter2' }).join(),
    ).not.toContain('hunter2');
  });

  test('a relay needs its URL', () => {
    expect(problemsOf({ VEREDUS_OUTBOUND: 'relay' })).toEqual([
      'VEREDUS_RELAY_URL: is needed when VEREDUS_OUTBOUND is relay',
    ]);
  });

  test('certificate and key belong together', () => {
    expect(problemsOf({ VEREDUS_HTTP_TLS_CERT: file('cert.pem', 'x') })).toHaveLength(1);
    expect(problemsOf({ VEREDUS_SMTP_TLS_KEY: file('key.pem', 'x') })).toHaveLength(1);
  });

  test('two listeners cannot share a port', () => {
    expect(problemsOf({ VEREDUS_INBOUND_PORT: '4000' })).toEqual([
      'VEREDUS_INBOUND_PORT: is the port of VEREDUS_HTTP_PORT as well',
    ]);
  });

  test('a secret and its file are one too many', () => {
    const VEREDUS_DATABASE_URL_FILE = file('url', 'postgres://a');
    expect(problemsOf({ VEREDUS_DATABASE_URL: 'postgres://b', VEREDUS_DATABASE_URL_FILE })).toHaveLength(1);
  });

  test('what is not a secret has no _FILE form', () => {
    expect(problemsOf({ VEREDUS_HTTP_PORT_FILE: file('port', '1') })).toEqual([
      'VEREDUS_HTTP_PORT_FILE: there is no such setting',
    ]);
  });
});

describe('values', () => {
  test('defaults start everything on this machine', () => {
    const config = loadConfig({ PATH: '/bin' });
    expect(config).toMatchObject({
      dataDir: './data',
      databaseUrl: null,
      publicUrl: 'http://localhost:4000',
      httpHost: '127.0.0.1',
      httpPort: 4000,
      httpTls: null,
      outbound: 'mx',
      relay: null,
      dnsServers: null,
      smtpTimeouts: {},
      retryScale: 1,
      trustedProxies: [],
      autoMigrate: true,
      metricsPort: null,
      rateLimit: 20_000,
      maxCost: 50_000,
    });
    expect([...config.roles]).toEqual(roles);
    expect(config.workers).toBeGreaterThan(0);
    expect(config.heloName).not.toBe('');
  });

  test('lists and URLs are parsed', () => {
    const config = loadConfig({
      VEREDUS_ROLES: 'delivery, api',
      VEREDUS_DNS_SERVERS: '127.0.0.1:5353, 9.9.9.9,[::1]:53,::2',
      VEREDUS_TRUSTED_PROXIES: '10.0.0.0/8, fd00::1',
      VEREDUS_OUTBOUND: 'relay',
      VEREDUS_RELAY_URL: 'smtps://us%40er:p%3Aw@relay.example',
      VEREDUS_PUBLIC_URL: 'https://mail.example:8443/',
      VEREDUS_SYSTEM_FROM: 'Veredus <no-reply@mail.example>',
      VEREDUS_SMTP_TIMEOUTS: 'connect=10, dot=300',
      VEREDUS_RETRY_SCALE: '0.01',
    });
    expect(config.smtpTimeouts).toEqual({ connect: 10_000, finalDot: 300_000 });
    expect(config.retryScale).toBe(0.01);
    expect([...config.roles]).toEqual(['api', 'delivery']);
    expect(config.dnsServers).toEqual(['127.0.0.1:5353', '9.9.9.9:53', '[::1]:53', '[::2]:53']);
    expect(config.trustedProxies.map(([base, bits]) => `${base.toString()}/${bits}`)).toEqual([
      '10.0.0.0/8',
      'fd00::1/128',
    ]);
    expect(config.relay).toEqual({
      host: 'relay.example',
      port: 465,
      tls: 'implicit',
      auth: { user: 'us@er', password: 'p:w' },
    });
    expect(config.publicUrl).toBe('https://mail.example:8443');
  });

  test('a secret may come from a file', () => {
    const key = 'k'.repeat(32);
    const config = loadConfig({ VEREDUS_SECRET_KEY_FILE: file('secret', `${key},${key}2\n`) });
    expect(config.secretKeys).toEqual([key, `${key}2`]);
  });

  test('an empty variable is an absent one', () => {
    expect(loadConfig({ VEREDUS_METRICS_PORT: '' }).metricsPort).toBe(null);
  });

  test('every default that is shown can be given', () => {
    const env = Object.fromEntries(
      settings.flatMap((each) => (each.default === null ? [] : [[each.name, each.default]])),
    );
    expect(loadConfig(env)).toEqual(loadConfig({}));
  });

  test('every setting is described', () => {
    expect(settings.length).toBeGreaterThan(25);
    for (const each of settings) expect(each.description.length).toBeGreaterThan(5);
  });
});
