// Links to the attachments of an inbound message: an HMAC shows that somebody who may read it was given the link, and until
// when it holds. Nothing is stored for it.
import { isInboundMessageKept } from '#/db/inbound-messages.ts';
import { findContentForBearer } from '#/db/messages.ts';
import { decodeIdOf, encodeId } from '#/domain/ids.ts';
import { decodeLargeStored } from '#/mail/content.ts';
import { readAttachment } from '#/mail/mime/offload.ts';
import { authenticator, isSame } from '#/mail/reverse-path.ts';
import type { Deps } from '../deps.ts';
import { withinTime } from '../incoming/within-time.ts';
import { turns } from '../turns.ts';

/** As long as a program takes to fetch what it was told of, or a person to click; rights that end meanwhile end then. */
export const LINK_MINUTES = 15;

export interface AttachmentLink {
  readonly url: string;
  readonly expiresAt: Date;
}

export interface OpenedAttachment {
  readonly name: string | null;
  /** As the message says: whoever wrote it may say anything. */
  readonly contentType: string;
  readonly content: Uint8Array;
}

interface Place {
  readonly accountId: string;
  readonly id: string;
}

/** `count`: of its attachments. */
export function attachmentLinks(deps: Deps, { accountId, id }: Place, count: number): AttachmentLink[] {
  // Whole seconds, as the link says it.
  const seconds = Math.floor(deps.clock.now().getTime() / 1_000) + LINK_MINUTES * 60;
  const named = `${encodeId('account', accountId)}/${encodeId('inboundMessage', id)}`;
  return Array.from({ length: count }, (_, index) => {
    const text = `${named}/${index}/${seconds}`;
    const url = `${deps.publicUrl}/inbound-attachments/${text}/${proofOf(text, deps)}`;
    return { url, expiresAt: new Date(seconds * 1_000) };
  });
}

const LINK = /^((acc_[0-9a-z]{26})\/(inb_[0-9a-z]{26})\/(\d{1,4})\/(\d{1,12}))\/([0-9a-z]{16})$/;

function proofOf(text: string, { returnPathSecret }: Pick<Deps, 'returnPathSecret'>): string {
  return authenticator(`attachment\0${text}`, returnPathSecret);
}

/** A message is held whole while one of its files is taken out: some hundred megabytes at worst. */
const inTurn = turns(2);

/** `link`: what follows the path. Null: forged, late, or gone. */
export async function openAttachment(deps: Deps, link: string): Promise<OpenedAttachment | null> {
  const [, text, account, message, index, seconds, proof] = LINK.exec(link) ?? [];
  if (text === undefined || proof === undefined || !isSame(proof, proofOf(text, deps))) return null;
  const now = deps.clock.now();
  if (Number(seconds) * 1_000 <= now.getTime()) return null;
  const accountId = decodeIdOf('account', account ?? '');
  const id = decodeIdOf('inboundMessage', message ?? '');
  if (accountId === null || id === null || !(await isInboundMessageKept(deps.system, { accountId, id }, now)))
    return null;
  return inTurn(() => takeOut(deps, { accountId, id }, Number(index)));
}

async function takeOut(deps: Deps, place: Place, index: number): Promise<OpenedAttachment | null> {
  const stored = await findContentForBearer(deps.system, place);
  if (stored === null) return null;
  const { kind, content } = await decodeLargeStored(stored);
  if (kind !== 'source') return null;
  return withinTime(deps.clock, (signal) => readAttachment(content.source, index, { signal }));
}
