// The installation's own secret that makes the addresses to which bounces come: made once, sealed, the same on every node.
import { findReturnPathSecret, keepReturnPathSecret } from '#/db/installation.ts';
import type { SystemScope } from '#/db/scope.ts';
import type { Random, SecretBox } from '#/runtime/ports.ts';

export const RETURN_PATH_PURPOSE = 'installation/return_path_secret';

export async function obtainReturnPathSecret(
  system: SystemScope,
  { random, secrets }: { readonly random: Random; readonly secrets: SecretBox },
): Promise<Buffer> {
  const known = await findReturnPathSecret(system);
  const sealed = known ?? (await keepReturnPathSecret(system, secrets.seal(random.bytes(32), RETURN_PATH_PURPOSE)));
  return secrets.open(sealed, RETURN_PATH_PURPOSE);
}
