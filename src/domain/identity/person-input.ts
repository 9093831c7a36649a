// What people write about themselves, read and checked: addresses to sign in with, names.
import type { Issues } from '../email/issues.ts';
import { parseMailbox } from '../email-address.ts';
import { checkName } from '../streams.ts';
import { MAX_ACCOUNT_NAME, MAX_PERSON_NAME } from './rules.ts';

/** An address alone, as it goes on the wire; empty where it is none. */
export function readAddress(field: string, text: string, issues: Issues): string {
  const parsed = parseMailbox(text);
  if (!parsed.ok) issues.add([field], parsed.reason);
  else if (parsed.mailbox.name !== null) issues.add([field], 'has a name: give the address alone');
  else return parsed.mailbox.address;
  return '';
}

export function readPersonName(text: string, issues: Issues): string {
  return checkName(text, MAX_PERSON_NAME, issues);
}

export function readAccountName(text: string, issues: Issues): string {
  const add: Issues['add'] = (_path, message) => issues.add(['accountName'], message);
  return checkName(text, MAX_ACCOUNT_NAME, { found: issues.found, add });
}
