// Gives the webhook of a server's inbound mail another secret. For a while both sign, so that whoever verifies can change
// over without a gap.
import { replaceInboundSecret } from '#/db/inbound-settings.ts';
import { lockServer, type ServerRow } from '#/db/servers.ts';
import { InvalidInput, NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { inboundSecretPurpose } from '#/domain/webhooks/inbound-call.ts';
import { MAX_ROTATION_HOURS, ROTATION_HOURS } from '#/domain/webhooks/rules.ts';
import { makeSecret } from '#/domain/webhooks/signature.ts';
import { command } from '../define.ts';

export interface RotateInboundSecretRequest {
  readonly serverId: string;
  readonly overlapSeconds: number | null;
}

export interface IssuedInboundSecret {
  readonly server: ServerRow;
  readonly secret: string;
}

export const rotateInboundSecret = command({
  permission: 'inboundSettings.write',
  // Whoever has the secret can speak in the name of this installation.
  stepUp: true,
  errors: [NotFound, InvalidInput],
  audit: ({ serverId, overlapSeconds }: RotateInboundSecretRequest, _issued: IssuedInboundSecret) => ({
    action: 'inbound.rotateSecret',
    subjectIds: [encodeId('server', serverId)],
    changes: { overlapSeconds },
  }),
  async prepare({ scope, deps, fail }, { serverId, overlapSeconds }) {
    if (overlapSeconds !== null && (overlapSeconds < 0 || overlapSeconds > MAX_ROTATION_HOURS * 3_600))
      fail(InvalidInput.at(['overlapSeconds'], `is not 0 to ${MAX_ROTATION_HOURS * 3_600}`));
    const secret = makeSecret((length) => deps.random.bytes(length));
    const purpose = inboundSecretPurpose({ accountId: scope.accountId, serverId });
    return { secret, sealed: deps.secrets.seal(Buffer.from(secret), purpose) };
  },
  async run({ scope, prepared, fail }, { serverId, overlapSeconds }) {
    const server = (await lockServer(scope, serverId)) ?? fail(new NotFound());
    const overlap = (overlapSeconds ?? ROTATION_HOURS * 3_600) * 1_000;
    const until = overlap === 0 ? null : new Date(scope.now.getTime() + overlap);
    await replaceInboundSecret(scope, serverId, prepared.sealed, until);
    return { server, secret: prepared.secret };
  },
});
