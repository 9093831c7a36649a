// An inbound message as it is stored beside its source: what it is found by, and what is shown without reading it again.
import { keyOfAddress } from '#/domain/suppression.ts';
import { MAX_HOPS } from '#/domain/inbound.ts';
import type { MailOutline } from '#/mail/mime/incoming-mail.ts';
import { readOutline } from '#/mail/mime/offload.ts';
import type { Deps } from '../deps.ts';
import { storable } from '#/domain/storable.ts';
import { withinTime } from './within-time.ts';

const MAX_ADDRESS = 320;
const MAX_LINE = 2_000;
/** Of each list. */
const MAX_PEOPLE = 500;
const MAX_FILES = 1_000;

export interface Person {
  readonly name: string;
  readonly address: string;
}

export interface People {
  readonly from: Person;
  readonly to: readonly Person[];
  readonly cc: readonly Person[];
  readonly replyTo: readonly Person[];
}

export interface InboundAttachment {
  readonly name: string;
  readonly contentType: string;
  readonly size: number;
  readonly contentId: string | null;
}

export interface ReadIncoming {
  readonly people: People;
  readonly fromKey: string;
  readonly subject: string;
  readonly messageIdHeader: string | null;
  readonly dateHeader: string | null;
  readonly attachments: readonly InboundAttachment[];
  /** It has been through so many servers that it goes in a circle. */
  readonly loops: boolean;
}

/** A message that cannot be read is kept as it came, under the name of the envelope's sender. */
export async function readIncoming({ clock, log }: Deps, source: Buffer, sender: string): Promise<ReadIncoming> {
  try {
    return described(await withinTime(clock, (signal) => readOutline(source, { signal })), sender);
  } catch (error) {
    log.warn({ error, size: source.length }, 'an inbound message could not be read');
    return described(null, sender);
  }
}

function described(mail: MailOutline | null, sender: string): ReadIncoming {
  const [first] = peopleOf(mail?.from ?? []);
  const from = first ?? { name: '', address: storable(sender, MAX_ADDRESS) };
  const headers = mail?.headers ?? [];
  const date = headers.find(({ name }) => name.toLowerCase() === 'date')?.value ?? null;
  return {
    people: {
      from,
      to: peopleOf(mail?.to ?? []),
      cc: peopleOf(mail?.cc ?? []),
      replyTo: peopleOf(mail?.replyTo ?? []),
    },
    fromKey: keyOfAddress(from.address),
    subject: storable(mail?.subject ?? '', MAX_LINE),
    messageIdHeader: lineOf(mail?.messageId ?? null),
    dateHeader: lineOf(date),
    attachments: (mail?.attachments ?? []).slice(0, MAX_FILES).map(({ name, contentType, size, contentId }, index) => ({
      name: storable(name ?? '', MAX_LINE) || `attachment-${index + 1}`,
      contentType: storable(contentType, MAX_LINE),
      size,
      contentId: lineOf(contentId),
    })),
    loops: headers.filter(({ name }) => name.toLowerCase() === 'received').length > MAX_HOPS,
  };
}

function peopleOf(list: MailOutline['from']): Person[] {
  return list
    .filter(({ address }) => address !== '')
    .slice(0, MAX_PEOPLE)
    .map(({ name, address }) => ({ name: storable(name, MAX_LINE), address: storable(address, MAX_ADDRESS) }));
}

function lineOf(text: string | null): string | null {
  return text === null ? null : storable(text, MAX_LINE);
}
