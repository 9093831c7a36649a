// Which form of answer a client takes: GraphQL over HTTP §6.1, with text/event-stream beside.

export type MediaType = 'application/graphql-response+json' | 'application/json';

export interface Accepted {
  /** For a single result; null when the client takes none. */
  readonly json: MediaType | null;
  /** Server-sent events, which subscriptions need. */
  readonly events: boolean;
  readonly html: boolean;
}

/** Clients send the same few headers for ever; nobody may fill memory with others. */
const CACHED = 200;
const cache = new Map<string, Accepted>();

export function negotiate(accept: string | undefined): Accepted {
  // Also for `Accept: */*`: older clients read nothing but application/json.
  const text = accept === undefined || accept === '' ? '*/*' : accept;
  let accepted = cache.get(text);
  if (accepted === undefined) {
    accepted = read(text);
    if (cache.size < CACHED) cache.set(text, accepted);
  }
  return accepted;
}

function read(accept: string): Accepted {
  const ranges = accept
    .toLowerCase()
    .split(',')
    .map((range) => range.replaceAll(/\s/g, '').split(';'))
    .filter(
      (parts) =>
        !parts.some((part) => /^q=0(\.0*)?$/.test(part) || (part.startsWith('charset=') && !/utf-?8/.test(part))),
    )
    .map(([type = '']) => type);
  let json: MediaType | null = null;
  for (const type of ranges) {
    if (type === 'application/graphql-response+json') json ??= type;
    else if (type === 'application/json' || type === 'application/*' || type === '*/*') json ??= 'application/json';
  }
  return {
    json,
    events: ranges.some((type) => type === 'text/event-stream' || type === 'text/*' || type === '*/*'),
    html: ranges.includes('text/html'),
  };
}
