// Whether a caller may send as an address: asked when a session names it, before the message has been transmitted.
import { parseMailbox } from '#/domain/email-address.ts';
import { InvalidInput, NotFound, SenderNotVerified, SendingPaused } from '#/domain/errors.ts';
import { query } from '../define.ts';
import { pauseOf } from '#/domain/sending-pause.ts';
import { signatureFor } from './prepare-email.ts';

export const checkSender = query({
  permission: 'email.send',
  errors: [InvalidInput, SenderNotVerified, SendingPaused, NotFound],
  async run({ scope, deps, fail }, { serverId, address }: { readonly serverId: string; readonly address: string }) {
    const parsed = parseMailbox(address);
    if (!parsed.ok) return fail(InvalidInput.at(['sender'], parsed.reason));
    const profile = await deps.profiles.of(scope.accountId, serverId);
    if (profile === null) return fail(new NotFound());
    signatureFor(profile, parsed.mailbox);
    const pause = pauseOf(profile.pauses, null);
    if (pause !== null) fail(new SendingPaused(pause));
    return parsed.mailbox;
  },
});
