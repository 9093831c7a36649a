// New DKIM keys as rows: made outside a transaction (RSA takes a tenth of a second), sealed for the row they will be in.
import type { DkimKeyRow } from '#/db/dkim-keys.ts';
import { generateDkimKeys } from '#/mail/dkim/keys.ts';
import type { Clock, Ids, Random, SecretBox } from '#/runtime/ports.ts';

export interface KeyDeps {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly random: Random;
  readonly secrets: SecretBox;
}

export type NewKey = Omit<DkimKeyRow, 'domainId' | 'createdAt'>;

const LETTERS = 'abcdefghijkmnpqrstuvwxyz';

/** What a sealed private half is bound to. */
export function sealPurpose({ accountId, id }: Pick<DkimKeyRow, 'accountId' | 'id'>): string {
  return `dkim_keys/${accountId}/${id}/private_key`;
}

export type KeyPairs = Awaited<ReturnType<typeof generateDkimKeys>>;

/** One RSA, which every receiver checks, and one Ed25519 key; PENDING, with selectors of their own. */
export async function makeKeys(deps: KeyDeps, accountId: string): Promise<readonly NewKey[]> {
  return sealKeys(deps, accountId, await generateDkimKeys());
}

/** For whom the account is known only inside the transaction: with pairs that were made before it. */
export function sealKeys(deps: KeyDeps, accountId: string, { rsa, ed25519 }: KeyPairs): readonly NewKey[] {
  return (
    [
      ['RSA', rsa],
      ['ED25519', ed25519],
    ] as const
  ).map(([algorithm, { privateKey, record }]) => {
    const id = deps.ids.next();
    return {
      accountId,
      id,
      algorithm,
      selector: newSelector(deps),
      state: 'PENDING',
      publicRecord: record,
      privateKeyEncrypted: deps.secrets.seal(privateKey, sealPurpose({ accountId, id })),
      seenAt: null,
      activatedAt: null,
      retiredAt: null,
      removableAt: null,
    };
  });
}

/**
 * vr, the month, four letters by chance. The letters keep apart what two accounts publish for one name while it moves from
 * one to the other, and what is left in DNS of a domain that was removed and added again.
 */
function newSelector({ clock, random }: KeyDeps): string {
  const month = clock.now().toISOString().slice(0, 7).replace('-', '');
  const letters = Array.from(random.bytes(4), (byte) => LETTERS.charAt(byte % LETTERS.length)).join('');
  return `vr${month}${letters}`;
}
