// The mail about a token that was found where it does not belong.
import type { TokenRow } from '#/db/api-tokens.ts';
import { letterOf } from '../system-mail/letter.ts';
import type { SystemMailText } from '../system-mail/system-mail.ts';

export interface LeakedToken {
  readonly token: TokenRow;
  /** Null: of the account. */
  readonly serverName: string | null;
  readonly accountName: string;
  /** Addresses of owner and admins. */
  readonly managers: readonly string[];
}

/** `place`: null where nobody vouches for it. */
export function leakLetter(
  to: string,
  { token, serverName, accountName }: LeakedToken,
  place: string | null,
): SystemMailText {
  const whose = serverName === null ? `the account ${accountName}` : `the server ${serverName} of ${accountName}`;
  const used = token.lastUsedAt === null ? 'It was never used.' : `It was last used ${token.lastUsedAt.toISOString()}.`;
  return letterOf({
    to,
    subject: `A token of ${accountName} was found in the open and is revoked`,
    paragraphs: [
      `Somebody has shown us the secret of the token "${token.name}" (${token.hint}) of ${whose}. It is revoked: whatever used it is refused from now on.`,
      place === null
        ? 'Where it was found is written down in the audit log, if it was told.'
        : `It was found here: ${place}`,
      used,
      'Make a new token for the program that used it, and look in the audit log and among the messages for what you did not do. A secret that stood in a repository stays in its history: removing the file is not enough.',
    ],
  });
}
