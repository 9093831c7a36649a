// The keys that sign, and the return path of mail, for delivery: read from the database, opened, and kept for as long as
// nothing is said to have changed (`config`), at the latest two seconds.
import type { KeyObject } from 'node:crypto';
import type { Database } from '#/db/client.ts';
import { findReturnPath, listSigningKeys } from '#/db/dkim-keys.ts';
import { listSystemSenderDomains } from '#/db/installation.ts';
import { readPrivateKey } from '#/mail/dkim/keys.ts';
import type { SigningKey } from '#/mail/dkim/sign.ts';
import type { Channel, Clock, SecretBox } from '#/runtime/ports.ts';
import { sealPurpose } from './make-keys.ts';

const MAX_AGE_MS = 2_000;
const MAX_ENTRIES = 10_000;

interface Known {
  readonly keys: readonly SigningKey[] | null;
  readonly returnPath: string | null;
}

export interface SenderKeys {
  /** Null where the domain has none in use. */
  keysFor(accountId: string, domain: string): Promise<readonly SigningKey[] | null>;
  /** Null where mail travels under its From address. */
  returnPathFor(accountId: string, domain: string): Promise<string | null>;
}

export function createSenderKeys(deps: {
  readonly db: Database;
  readonly clock: Clock;
  readonly channel: Channel;
  readonly secrets: SecretBox;
}): SenderKeys {
  const entries = new Map<string, { readonly known: Promise<Known>; readonly staleAt: number }>();
  /** Opened keys by row, whose key never changes: opening and reading one costs more than signing with it. */
  const opened = new Map<string, KeyObject>();
  deps.channel.on('config', () => entries.clear());

  const load = async (accountId: string, domain: string): Promise<Known> => {
    const lent = await listSystemSenderDomains(deps.db, accountId);
    const holderId = lent.find(({ name }) => name === domain)?.holderId ?? accountId;
    const [rows, returnPath] = await Promise.all([
      listSigningKeys(deps.db, holderId, domain),
      findReturnPath(deps.db, holderId, domain),
    ]);
    const keys = rows.map(({ id, selector, algorithm, privateKeyEncrypted }): SigningKey => {
      let privateKey = opened.get(id);
      if (privateKey === undefined) {
        privateKey = readPrivateKey(deps.secrets.open(privateKeyEncrypted, sealPurpose({ accountId: holderId, id })));
        if (opened.size >= MAX_ENTRIES) opened.clear();
        opened.set(id, privateKey);
      }
      return { domain, selector, algorithm: algorithm === 'RSA' ? 'rsa-sha256' : 'ed25519-sha256', privateKey };
    });
    return { keys: keys.length === 0 ? null : keys, returnPath };
  };

  const recall = (accountId: string, domain: string): Promise<Known> => {
    const name = `${accountId}/${domain}`;
    const now = deps.clock.monotonic();
    const entry = entries.get(name);
    if (entry !== undefined && entry.staleAt > now) return entry.known;
    if (entries.size >= MAX_ENTRIES) entries.clear();
    const known = load(accountId, domain);
    entries.set(name, { known, staleAt: now + MAX_AGE_MS });
    known.catch(() => entries.delete(name));
    return known;
  };

  return {
    keysFor: async (accountId, domain) => (await recall(accountId, domain)).keys,
    returnPathFor: async (accountId, domain) => (await recall(accountId, domain)).returnPath,
  };
}
