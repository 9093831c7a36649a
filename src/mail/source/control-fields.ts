// The header fields by which a message over SMTP says what sendEmail has arguments for. Ours, and Postmark's names for the
// same; where both stand, ours count. They never reach a recipient.
import type { Issues } from '#/domain/email/issues.ts';
import { decodeWords } from '../mime/encoded-words.ts';

export interface Controls {
  readonly stream: string | null;
  readonly tag: string | null;
  readonly metadata: Readonly<Record<string, string>>;
  readonly trackOpens: boolean | null;
  /** As the API has it where it is one of its values. */
  readonly trackLinks: string | null;
  readonly idempotencyKey: string | null;
}

type Single = Exclude<keyof Controls, 'metadata'>;

const OURS = 'x-veredus-';
const POSTMARK = 'x-pm-';
const METADATA = 'metadata-';

const ourNames: Readonly<Record<string, Single>> = {
  stream: 'stream',
  tag: 'tag',
  'track-opens': 'trackOpens',
  'track-links': 'trackLinks',
  'idempotency-key': 'idempotencyKey',
};

/** The rest of Postmark's asks for what always is so here (KeepID), or for what does not exist here, and is left out. */
const postmarkNames: Readonly<Record<string, Single>> = {
  'message-stream': 'stream',
  tag: 'tag',
  trackopens: 'trackOpens',
  tracklinks: 'trackLinks',
};

export function isControl(key: string): boolean {
  return key.startsWith(OURS) || key.startsWith(POSTMARK);
}

interface Given {
  readonly name: string;
  readonly value: string;
}

/** `fields`: those of which isControl holds, unfolded. */
export function readControls(fields: readonly Given[], issues: Issues): Controls {
  const single = new Map<Single, Given>();
  const metadata = new Map<string, string>();
  // Postmark's first, so that ours take their place.
  for (const [prefix, names] of [
    [POSTMARK, postmarkNames],
    [OURS, ourNames],
  ] as const) {
    const seen = new Set<string>();
    for (const { name, value } of fields) {
      const key = name.toLowerCase();
      if (!key.startsWith(prefix)) continue;
      if (seen.has(key)) issues.add([name], 'stands there twice');
      seen.add(key);
      const rest = key.slice(prefix.length);
      const text = decodeWords(value);
      const known = Object.hasOwn(names, rest) ? names[rest] : undefined;
      if (known !== undefined) single.set(known, { name, value: text });
      else if (rest.startsWith(METADATA)) setPair(metadata, name.slice(prefix.length + METADATA.length), text);
      else if (prefix === OURS) issues.add([name], `is not known; there are ${knownNames()}`);
    }
  }
  const textOf = (which: Single) => single.get(which)?.value || null;
  return {
    stream: textOf('stream'),
    tag: textOf('tag'),
    metadata: Object.fromEntries(metadata),
    trackOpens: flagOf(single.get('trackOpens'), issues),
    trackLinks:
      textOf('trackLinks')
        ?.replace(/(?<=[a-z])(?=[A-Z])/g, '_')
        .toUpperCase() ?? null,
    idempotencyKey: textOf('idempotencyKey'),
  };
}

function setPair(metadata: Map<string, string>, key: string, value: string): void {
  // Field names know no case, keys do: the later one takes the place of the same in other letters.
  for (const known of metadata.keys()) if (known.toLowerCase() === key.toLowerCase()) metadata.delete(known);
  metadata.set(key, value);
}

function flagOf(given: Given | undefined, issues: Issues): boolean | null {
  const value = given?.value.toLowerCase() ?? '';
  if (given === undefined || value === '') return null;
  if (value !== 'true' && value !== 'false') issues.add([given.name], 'is neither true nor false');
  return value === 'true';
}

/** Also for those who hear it over SMTP, in ASCII. */
function knownNames(): string {
  const names = Object.keys(ourNames).map((name) => OURS + name);
  return `${names.join(', ')} and ${OURS}${METADATA}*`;
}
