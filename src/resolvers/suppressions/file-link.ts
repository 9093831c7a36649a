// Links to put a file of suppressions to, and to get one from: an HMAC shows that somebody who may was given the link, for
// what, and until when it holds. Nothing is stored for it.
import { decodeIdOf, encodeId } from '#/domain/ids.ts';
import { authenticator, isSame } from '#/mail/reverse-path.ts';
import type { Deps } from '../deps.ts';

export interface FileLink {
  readonly url: string;
  readonly expiresAt: Date;
}

/** The beginning of its path. */
export type LinkPurpose = 'suppression-imports' | 'suppression-exports';

interface Place {
  readonly accountId: string;
  /** Of the import, or of the stream that is exported. */
  readonly id: string;
}

type LinkDeps = Pick<Deps, 'clock' | 'publicUrl' | 'returnPathSecret'>;

const kinds = { 'suppression-imports': 'suppressionImport', 'suppression-exports': 'stream' } as const;

export function makeFileLink(
  deps: LinkDeps,
  purpose: LinkPurpose,
  { accountId, id }: Place,
  minutes: number,
): FileLink {
  // Whole seconds, as the link says it.
  const seconds = Math.floor(deps.clock.now().getTime() / 1_000) + minutes * 60;
  const text = `${encodeId('account', accountId)}/${encodeId(kinds[purpose], id)}/${seconds}`;
  const url = `${deps.publicUrl}/${purpose}/${text}/${proofOf(purpose, text, deps)}`;
  return { url, expiresAt: new Date(seconds * 1_000) };
}

const LINK = /^((acc_[0-9a-z]{26})\/([a-z]{3}_[0-9a-z]{26})\/(\d{1,12}))\/([0-9a-z]{16})$/;

/** `link`: what follows the path. Null: forged, or late. */
export function readFileLink(deps: LinkDeps, purpose: LinkPurpose, link: string): Place | null {
  const [, text, account, subject, seconds, proof] = LINK.exec(link) ?? [];
  if (text === undefined || proof === undefined || !isSame(proof, proofOf(purpose, text, deps))) return null;
  if (Number(seconds) * 1_000 <= deps.clock.now().getTime()) return null;
  const accountId = decodeIdOf('account', account ?? '');
  const id = decodeIdOf(kinds[purpose], subject ?? '');
  return accountId === null || id === null ? null : { accountId, id };
}

function proofOf(purpose: LinkPurpose, text: string, { returnPathSecret }: LinkDeps): string {
  return authenticator(`${purpose}\0${text}`, returnPathSecret);
}
