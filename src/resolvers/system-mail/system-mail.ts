// Mail of the installation itself: confirmations, warnings. It goes the way of every other mail, through an account of the
// installation's own. Where that cannot be (no sender is set, or its domain is not verified), the text goes to the
// operator's log, links included: it is the one thing there that may hold a secret (docs/sender-identity.md).
import type { SystemScope } from '#/db/scope.ts';
import { parseMailbox } from '#/domain/email-address.ts';
import { SenderNotVerified } from '#/domain/errors.ts';
import type { Deps } from '../deps.ts';
import { sendEmail } from '../emails/send-email.ts';
import { ensureSystemServer } from '../installation/system-account.ts';

export interface SystemMailText {
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly html?: string;
}

export interface SystemMail {
  /** Accepted, or logged; never throws. */
  send(deps: Deps, mail: SystemMailText): Promise<void>;
}

/** `from`: VEREDUS_SYSTEM_FROM. */
export function createSystemMail(system: SystemScope, from: string | null): SystemMail {
  return {
    async send(deps, mail) {
      if (from === null) return toLog(deps, mail, 'VEREDUS_SYSTEM_FROM is not set');
      try {
        await accept(system, deps, from, mail);
      } catch (error) {
        if (error instanceof SenderNotVerified) {
          return toLog(deps, mail, `no account has verified the domain of ${from}`);
        }
        deps.log.error({ error }, 'a mail of the installation was not accepted');
        toLog(deps, mail, 'it was not accepted');
      }
    },
  };
}

async function accept(system: SystemScope, deps: Deps, from: string, { to, subject, text, html }: SystemMailText) {
  const sender = parseMailbox(from);
  if (!sender.ok) throw new Error(`VEREDUS_SYSTEM_FROM ${sender.reason}`);
  const { accountId, serverId } = await ensureSystemServer(system, deps, sender.mailbox.domain);
  const actor = { kind: 'OPERATOR', accountId, label: 'installation' } as const;
  const caller = { actor, requestId: 'system-mail', ipAddress: null };
  await sendEmail(deps, caller, {
    serverId,
    from,
    to: [to],
    subject,
    text,
    ...(html === undefined ? {} : { html }),
  });
}

function toLog({ log }: Deps, { to, subject, text }: SystemMailText, reason: string): void {
  log.warn({ to, subject, text, reason }, 'a mail of the installation stands here in place of being sent');
}
