// Rules of message streams.
import { LIFETIME_LIMITS } from './delivery/lifetime.ts';
import { MAX_STREAM } from './email/limits.ts';
import type { Issues } from './email/issues.ts';
import { lineFlaw } from './email/text.ts';

/** Archived ones count: they may come back until they are purged. */
export const MAX_STREAMS = 10;
export const MAX_STREAM_NAME = 100;
export const MAX_STREAM_DESCRIPTION = 1_000;
/** How long an archived stream can be brought back. */
export const PURGE_DAYS = 45;

export const streamKinds = ['TRANSACTIONAL', 'BROADCAST', 'INBOUND'] as const;
export type StreamKind = (typeof streamKinds)[number];

/** What every server starts with. */
export const defaultStreams = [
  { slug: 'outbound', name: 'Transactional', kind: 'TRANSACTIONAL' },
  { slug: 'inbound', name: 'Inbound', kind: 'INBOUND' },
  { slug: 'broadcast', name: 'Broadcasts', kind: 'BROADCAST' },
] as const satisfies readonly { slug: string; name: string; kind: StreamKind }[];

/** Sends without a stream and inbound mail need these two. */
const INDISPENSABLE: ReadonlySet<string> = new Set(['outbound', 'inbound']);

const SLUG = /^[a-z][a-z0-9_-]*$/;
/** Words that filters and pages may want to use for something else than one stream. */
const RESERVED: ReadonlySet<string> = new Set(['all', 'any', 'archived', 'default', 'new', 'none']);
const MARKUP = /<[a-z!/?]/i;
/** What turns the text around it, or ends a line: with it a name in a list or mail reads as another (as in email-address.ts). */
const MISLEADING = /[\u202a-\u202e\u2066-\u2069\p{Zl}\p{Zp}]/u;
const VISIBLE = /[\p{L}\p{N}\p{P}\p{S}]/u;

export function mayBeArchived(slug: string): boolean {
  return !INDISPENSABLE.has(slug);
}

export function checkSlug(slug: string, issues: Issues): void {
  const add = (message: string) => issues.add(['slug'], message);
  if (slug.length > MAX_STREAM || !SLUG.test(slug))
    add(`is not a lower-case letter and then up to ${MAX_STREAM - 1} lower-case letters, digits, - or _`);
  else if (slug.startsWith('pm-')) add('begins with pm-, which is reserved');
  else if (RESERVED.has(slug)) add('is a reserved word');
}

export function checkDescription(description: string, issues: Issues): void {
  const add = (message: string) => issues.add(['description'], message);
  if (description.length > MAX_STREAM_DESCRIPTION) add(`is longer than ${MAX_STREAM_DESCRIPTION} characters`);
  else if (MARKUP.test(description)) add('holds HTML');
  else if (description.includes('\0') || !description.isWellFormed()) add('is not plain text');
}

/** `minutes` null: what is usual for the kind. */
export function checkLifetime(kind: StreamKind, minutes: number | null, issues: Issues): void {
  const { least, most } = LIFETIME_LIMITS;
  if (minutes === null) return;
  if (kind === 'INBOUND') issues.add(['lifetimeMinutes'], 'is for streams that send');
  else if (minutes < least || minutes > most) issues.add(['lifetimeMinutes'], `is not from ${least} to ${most}`);
}

/** A name that people give to a thing, as it is kept. */
export function checkName(name: string, longest: number, issues: Issues): string {
  const trimmed = name.trim();
  const flaw = lineFlaw(trimmed);
  if (trimmed === '') issues.add(['name'], 'is empty');
  else if (trimmed.length > longest) issues.add(['name'], `is longer than ${longest} characters`);
  else if (flaw !== null) issues.add(['name'], flaw);
  else if (MISLEADING.test(trimmed)) issues.add(['name'], 'holds a character that ends a line or turns its direction');
  else if (!VISIBLE.test(trimmed)) issues.add(['name'], 'shows nothing');
  return trimmed;
}
