// How the longer texts among the settings are read. What is wrong with one is thrown, in words that follow its name.
import { createPublicKey, type KeyObject } from 'node:crypto';
import { accessSync, constants, readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import type { SmtpTimeouts } from './ports.ts';

/** An address range: base and length of the prefix. */
export type AddressRange = readonly [ipaddr.IPv4 | ipaddr.IPv6, number];

export interface Relay {
  readonly host: string;
  readonly port: number;
  readonly tls: 'implicit' | 'opportunistic';
  readonly auth: { readonly user: string; readonly password: string } | null;
}

export function list(value: string): string[] {
  return value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

export function readRelay(value: string): Relay {
  const url = URL.parse(value);
  if (url === null || !/^smtps?:$/.test(url.protocol) || url.hostname === '') {
    throw new Error('must be smtp://[user:password@]host[:port] or smtps://…');
  }
  if (!/^\/?$/.test(url.pathname) || url.search !== '') throw new Error('must have nothing after host and port');
  const implicit = url.protocol === 'smtps:';
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    // RFC 8314 §3.3 and RFC 6409: relays that ask for a password listen on the submission ports.
    port: url.port === '' ? (implicit ? 465 : 587) : Number(url.port),
    tls: implicit ? 'implicit' : 'opportunistic',
    auth:
      url.username === ''
        ? null
        : { user: decodeURIComponent(url.username), password: decodeURIComponent(url.password) },
  };
}

export function readSecretKeys(value: string): readonly string[] {
  const keys = list(value);
  if (keys.length === 0 || keys.some((key) => key.length < 32)) {
    throw new Error('must be one or more keys of at least 32 characters, comma-separated');
  }
  return keys;
}

/** As node:dns takes them. */
export function readDnsServers(value: string): readonly string[] {
  return list(value).map((server) => {
    const parts = /^(?:\[([^\]]+)\]|([^:]+)|([0-9a-f:.]+))(?::(\d{1,5}))?$/i.exec(server);
    const address = parts?.[1] ?? parts?.[2] ?? parts?.[3] ?? '';
    const number = parts?.[4] ?? '53';
    if (isIP(address) === 0 || Number(number) > 65_535) {
      throw new Error(`${server} is not an address with an optional port`);
    }
    return isIP(address) === 6 ? `[${address}]:${number}` : `${address}:${number}`;
  });
}

const PHASES = {
  connect: 'connect',
  greeting: 'greeting',
  command: 'command',
  data: 'data',
  dot: 'finalDot',
} as const satisfies Record<string, keyof SmtpTimeouts>;

/** `phase=seconds`, comma-separated. */
export function readSmtpTimeouts(value: string): Partial<SmtpTimeouts> {
  const timeouts: Partial<Record<keyof SmtpTimeouts, number>> = {};
  for (const item of list(value)) {
    const [, name = '', digits = ''] = /^([a-z]+)=(\d{1,4})$/.exec(item) ?? [];
    const phase = isPhase(name) ? PHASES[name] : null;
    if (phase === null || Number(digits) < 1 || Number(digits) > 3_600)
      throw new Error(`${item} is not one of ${Object.keys(PHASES).join(', ')} with = and 1 to 3600 seconds`);
    timeouts[phase] = Number(digits) * 1_000;
  }
  return timeouts;
}

function isPhase(name: string): name is keyof typeof PHASES {
  return Object.hasOwn(PHASES, name);
}

export function readScale(value: string): number {
  const number = /^[01](?:\.\d{1,3})?$/.test(value) ? Number(value) : 0;
  if (number < 0.001 || number > 1) throw new Error('must be a number from 0.001 to 1');
  return number;
}

const PEM = /-----BEGIN PUBLIC KEY-----[A-Za-z0-9+/=\s]+-----END PUBLIC KEY-----/g;

/** PEM texts, or the path of a file with some; whatever stands around them (JSON, as GitHub publishes its own) is skipped. */
export function readPublicKeys(value: string): readonly KeyObject[] {
  const text = value.includes('-----BEGIN') ? value : readText(value);
  const keys = (text.replaceAll('\\n', '\n').match(PEM) ?? []).map((pem) => createPublicKey(pem));
  if (keys.length === 0) throw new Error('holds no public key in PEM');
  if (keys.some((key) => key.asymmetricKeyDetails?.namedCurve !== 'prime256v1')) {
    throw new Error('holds a key that is not of the curve P-256');
  }
  return keys;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    throw new Error(`the file ${path} cannot be read`);
  }
}

/** The path itself. */
export function readableFile(path: string): string {
  try {
    accessSync(path, constants.R_OK);
  } catch {
    throw new Error(`the file ${path} cannot be read`);
  }
  return path;
}

export function readWebOrigin(value: string): string {
  const url = URL.parse(value);
  if (url === null || !/^https?:$/.test(url.protocol)) throw new Error('must be an http or https URL');
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '' || url.username !== '' || url.password !== '') {
    throw new Error('must have nothing after host and port');
  }
  return url.origin;
}

export function readHttpUrl(value: string): URL {
  const url = URL.parse(value);
  if (url === null || !/^https?:$/.test(url.protocol)) throw new Error('must be an http or https URL');
  return url;
}

export function readDatabaseUrl(value: string): string {
  // Not parsed as a URL: a socket's (`postgres:///name?host=/folder`) is none by the letter, and node-pg reads it.
  if (!/^postgres(ql)?:\/\/./.test(value)) throw new Error('must be a postgres:// URL');
  return value;
}

export function readHostName(value: string): string {
  if (!/^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/i.test(value)) {
    throw new Error('must be a host name');
  }
  return value;
}

export function readSender(value: string): string {
  if (!/^(?:[^<>\r\n]*<[^\s@<>]+@[^\s@<>]+>|[^\s@<>]+@[^\s@<>]+)$/.test(value)) {
    throw new Error('must be an address, or a name and an <address>');
  }
  return value;
}

export function readRanges(value: string): readonly AddressRange[] {
  if (value === 'none') return [];
  return list(value).map((range) => {
    try {
      if (range.includes('/')) return ipaddr.parseCIDR(range);
      const address = ipaddr.parse(range);
      return [address, address.kind() === 'ipv6' ? 128 : 32];
    } catch {
      throw new Error(`${range} is neither an address nor a range like 10.0.0.0/8`);
    }
  });
}
