// Nodes of one database must seal with one key: a node with another could open nothing and would seal what none can open.
import type { Base } from '#/base.ts';
import { obtainReturnPathSecret } from '#/resolvers/installation/return-path-secret.ts';
import { ConfigError } from '#/runtime/config.ts';

/** Opens what the first node has sealed, or seals it. Throws ConfigError when the key is not that one. */
export async function assertSharedKey(base: Base): Promise<void> {
  try {
    await obtainReturnPathSecret(base.system, base);
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    throw new ConfigError([
      `VEREDUS_SECRET_KEY: the secrets in this database are sealed with another key; every node needs the same one, or the data folder whose secret.key sealed them (${cause})`,
    ]);
  }
}
