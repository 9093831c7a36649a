// Gives a webhook another secret. For a while both sign, so that whoever verifies can change over without a gap.
import { findWebhook, lockWebhook, updateWebhook } from '#/db/webhooks.ts';
import { InvalidInput, NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { sealPurpose } from '#/domain/webhooks/endpoint.ts';
import { MAX_ROTATION_HOURS, ROTATION_HOURS } from '#/domain/webhooks/rules.ts';
import { makeSecret } from '#/domain/webhooks/signature.ts';
import { command } from '../define.ts';
import type { IssuedWebhook } from './create-webhook.ts';

export interface RotateWebhookSecretRequest {
  readonly id: string;
  readonly overlapSeconds: number | null;
}

export const rotateWebhookSecret = command({
  permission: 'webhook.write',
  // Whoever has the secret can speak in the name of this installation.
  stepUp: true,
  errors: [NotFound, InvalidInput],
  announces: ['webhooks'],
  audit: ({ id, overlapSeconds }: RotateWebhookSecretRequest, _issued: IssuedWebhook) => ({
    action: 'webhook.rotateSecret',
    subjectIds: [encodeId('webhook', id)],
    changes: { overlapSeconds },
  }),
  async prepare({ scope, deps, fail }, { id, overlapSeconds }) {
    const webhook = (await findWebhook(scope, id)) ?? fail(new NotFound());
    if (overlapSeconds !== null && (overlapSeconds < 0 || overlapSeconds > MAX_ROTATION_HOURS * 3_600))
      fail(InvalidInput.at(['overlapSeconds'], `is not 0 to ${MAX_ROTATION_HOURS * 3_600}`));
    const secret = makeSecret((length) => deps.random.bytes(length));
    return { secret, sealed: deps.secrets.seal(Buffer.from(secret), sealPurpose(webhook, 'secret')) };
  },
  async run({ scope, prepared, fail }, { id, overlapSeconds }) {
    const webhook = (await lockWebhook(scope, id)) ?? fail(new NotFound());
    const overlap = (overlapSeconds ?? ROTATION_HOURS * 3_600) * 1_000;
    const changed = await updateWebhook(scope, id, {
      secretEncrypted: prepared.sealed,
      previousSecretEncrypted: overlap === 0 ? null : webhook.secretEncrypted,
      previousSecretUntil: overlap === 0 ? null : new Date(scope.now.getTime() + overlap),
    });
    return { webhook: changed, secret: prepared.secret };
  },
});
