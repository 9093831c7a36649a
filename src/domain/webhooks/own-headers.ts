// Headers and credentials of a customer's own that go with each call.
import type { Issues } from '../email/issues.ts';
import { MAX_BASIC_AUTH, MAX_OWN_HEADER_NAME, MAX_OWN_HEADER_VALUE, MAX_OWN_HEADERS } from './rules.ts';

export interface OwnHeader {
  readonly name: string;
  readonly value: string;
}

export interface BasicAuth {
  readonly username: string;
  readonly password: string;
}

const HOP = 'belongs to the connection';
const BY_CALL = 'is written for each call';

/** Lower-case name → why it is not to be set. */
const RESERVED: ReadonlyMap<string, string> = new Map([
  ...['connection', 'keep-alive', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'expect', 'http2-settings'].map(
    (name): [string, string] => [name, HOP],
  ),
  ...['host', 'accept', 'accept-encoding', 'user-agent', 'date'].map((name): [string, string] => [name, BY_CALL]),
]);
const RESERVED_PREFIXES = ['proxy-', 'content-', 'webhook-', 'sec-', ':'];

/** RFC 9110 §5.6.2 token. */
const NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;
const VALUE = /^[\x20-\x7e\t]*$/;

export function checkOwnHeaders(headers: readonly OwnHeader[], hasBasicAuth: boolean, issues: Issues): void {
  if (headers.length > MAX_OWN_HEADERS) {
    issues.add(['headers'], `has more than ${MAX_OWN_HEADERS} entries`);
    return;
  }
  const seen = new Set<string>();
  headers.forEach(({ name, value }, index) => {
    const key = name.toLowerCase();
    const flaw = nameFlaw(name, key) ?? (seen.has(key) ? 'is given twice' : null);
    if (flaw !== null) issues.add(['headers', index, 'name'], flaw);
    else if (key === 'authorization' && hasBasicAuth)
      issues.add(['headers', index, 'name'], 'says the same as basicAuth: give one of them');
    if (value.length > MAX_OWN_HEADER_VALUE)
      issues.add(['headers', index, 'value'], `is longer than ${MAX_OWN_HEADER_VALUE} characters`);
    else if (!VALUE.test(value) || value.trim() === '')
      issues.add(['headers', index, 'value'], 'is not a line of visible ASCII');
    seen.add(key);
  });
}

export function checkBasicAuth({ username, password }: BasicAuth, issues: Issues): void {
  for (const [name, text] of [
    ['username', username],
    ['password', password],
  ] as const) {
    if (text.length > MAX_BASIC_AUTH) issues.add(['basicAuth', name], `is longer than ${MAX_BASIC_AUTH} characters`);
    else if (/[\x00-\x1f\x7f]/.test(text) || !text.isWellFormed())
      issues.add(['basicAuth', name], 'holds a line break or control character');
  }
  // RFC 7617 §2: the first colon ends the name.
  if (username.includes(':')) issues.add(['basicAuth', 'username'], 'holds a colon');
}

function nameFlaw(name: string, key: string): string | null {
  if (name.length > MAX_OWN_HEADER_NAME) return `is longer than ${MAX_OWN_HEADER_NAME} characters`;
  if (!NAME.test(name)) return 'is not the name of a header';
  if (RESERVED_PREFIXES.some((prefix) => key.startsWith(prefix))) return `cannot be set: it ${BY_CALL}`;
  const reason = RESERVED.get(key);
  return reason === undefined ? null : `cannot be set: it ${reason}`;
}
