// Seals anew what was sealed with an older key of VEREDUS_SECRET_KEY, so that the older key can be dropped.
import { listSealedKeys, resealKey } from '#/db/dkim-keys.ts';
import { findReturnPathSecret, resealReturnPathSecret } from '#/db/installation.ts';
import { listSealedInbound, resealInbound } from '#/db/inbound-settings.ts';
import type { SystemScope } from '#/db/scope.ts';
import { listSealedRelays, resealRelay } from '#/db/transports.ts';
import { listSealedFactors, resealFactor, type SealedFactor } from '#/db/two-factor-methods.ts';
import { listSealedWebhooks, resealWebhook, type SealedColumn } from '#/db/webhooks.ts';
import { relaySealPurpose } from '#/domain/delivery/transports.ts';
import { type SealedPart, sealPurpose as webhookPurpose } from '#/domain/webhooks/endpoint.ts';
import { inboundSecretPurpose } from '#/domain/webhooks/inbound-call.ts';
import { sealPurpose } from '#/resolvers/domains/make-keys.ts';
import { RETURN_PATH_PURPOSE } from '#/resolvers/installation/return-path-secret.ts';
import { totpPurpose } from '#/resolvers/second-factor/totp.ts';
import type { Log, SecretBox } from '#/runtime/ports.ts';

const AT_ONCE = 500;

const sealedParts: readonly (readonly [SealedColumn, SealedPart])[] = [
  ['targetEncrypted', 'target'],
  ['secretEncrypted', 'secret'],
  ['previousSecretEncrypted', 'secret'],
  ['signingKeyEncrypted', 'signing_key'],
];

/** Safe on any number of nodes. How many were sealed anew. */
export async function resealSecrets(deps: {
  readonly system: SystemScope;
  readonly secrets: SecretBox;
  readonly log: Log;
}): Promise<number> {
  const { system, secrets, log } = deps;
  let resealed = 0;
  let unreadable = 0;
  const again = async (old: Buffer, purpose: string, write: (sealed: Buffer) => Promise<void>): Promise<void> => {
    if (secrets.isCurrent(old)) return;
    try {
      await write(secrets.seal(secrets.open(old, purpose), purpose));
      resealed++;
    } catch (error) {
      unreadable++;
      log.error({ error }, 'a secret cannot be opened: is a key missing from VEREDUS_SECRET_KEY?');
    }
  };

  const returnPathSecret = await findReturnPathSecret(system);
  if (returnPathSecret !== null) {
    await again(returnPathSecret, RETURN_PATH_PURPOSE, (sealed) =>
      resealReturnPathSecret(system, returnPathSecret, sealed),
    );
  }
  let after: string | null = null;
  for (;;) {
    const keys = await listSealedKeys(system, after, AT_ONCE);
    for (const key of keys) {
      await again(key.privateKeyEncrypted, sealPurpose(key), (sealed) => resealKey(system, key, sealed));
    }
    after = keys.at(-1)?.id ?? null;
    if (keys.length < AT_ONCE) break;
  }
  for (const relay of await listSealedRelays(system)) {
    const old = relay.credentialsEncrypted;
    if (old !== null) await again(old, relaySealPurpose(relay), (sealed) => resealRelay(system, relay, sealed));
  }
  let last: SealedFactor | null = null;
  for (;;) {
    const factors = await listSealedFactors(system, last, AT_ONCE);
    for (const factor of factors) {
      await again(factor.secretEncrypted, totpPurpose(factor.userId), (sealed) => resealFactor(system, factor, sealed));
    }
    last = factors.at(-1) ?? null;
    if (factors.length < AT_ONCE) break;
  }
  for (let after: string | null = null; ; ) {
    const webhooks = await listSealedWebhooks(system, after, AT_ONCE);
    for (const webhook of webhooks) {
      for (const [column, part] of sealedParts) {
        const old = webhook[column];
        if (old === null) continue;
        await again(old, webhookPurpose(webhook, part), (sealed) =>
          resealWebhook(system, webhook, column, old, sealed),
        );
      }
    }
    after = webhooks.at(-1)?.id ?? null;
    if (webhooks.length < AT_ONCE) break;
  }
  for (let after: string | null = null; ; ) {
    const endpoints = await listSealedInbound(system, after, AT_ONCE);
    for (const endpoint of endpoints) {
      for (const column of ['secretEncrypted', 'previousSecretEncrypted'] as const) {
        const old = endpoint[column];
        if (old === null) continue;
        await again(old, inboundSecretPurpose(endpoint), (sealed) =>
          resealInbound(system, endpoint, column, old, sealed),
        );
      }
    }
    after = endpoints.at(-1)?.serverId ?? null;
    if (endpoints.length < AT_ONCE) break;
  }
  if (resealed > 0) log.info({ resealed, unreadable }, 'secrets were sealed with the first key of VEREDUS_SECRET_KEY');
  return resealed;
}
