// Reminds owner and admins of tokens that should be rotated or removed: older than their account wants, or used by nobody
// for long. Each token is told once for each reason, by one node: it is marked in the statement that finds it, so a mail
// may get lost with its node, and never comes twice.
import { findAccount } from '#/db/accounts.ts';
import { claimTokenReminders, type TokenReminder } from '#/db/api-tokens.ts';
import { listManagers } from '#/db/memberships.ts';
import { scopeOfAccount, type SystemScope, writeInSystemScope } from '#/db/scope.ts';
import { UNUSED_TOKEN_DAYS } from '#/domain/token-rules.ts';
import type { Deps } from '#/resolvers/deps.ts';
import { letterOf } from '#/resolvers/system-mail/letter.ts';
import type { SystemMailText } from '#/resolvers/system-mail/system-mail.ts';

const DAY_MS = 86_400_000;
const EVERY_MS = 60 * 60_000;
/** Tokens of one round; those of an account that come together are told in one mail. */
const AT_ONCE = 200;

interface ReminderDeps {
  readonly system: SystemScope;
  readonly deps: Deps;
}

export function startTokenReminders({ system, deps }: ReminderDeps): AsyncDisposable {
  const { clock, log } = deps;
  const stopping = new AbortController();
  const running = (async () => {
    while (!stopping.signal.aborted) {
      const told = await remindOfTokens({ system, deps }).catch((error: unknown) => {
        log.error({ error }, 'reminders of tokens failed; they are tried again');
        return 0;
      });
      if (told < AT_ONCE) await clock.sleep(EVERY_MS, stopping.signal);
    }
  })();
  return {
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await running;
    },
  };
}

/** How many tokens were due, at most AT_ONCE. */
export async function remindOfTokens({ system, deps }: ReminderDeps): Promise<number> {
  const now = deps.clock.now();
  const { letters, count } = await writeInSystemScope(system, now, async (scope) => {
    const unusedSince = new Date(now.getTime() - UNUSED_TOKEN_DAYS * DAY_MS);
    const due = await claimTokenReminders(scope, { unusedSince, limit: AT_ONCE });
    const mails: SystemMailText[] = [];
    for (const [accountId, tokens] of Map.groupBy(due, (token) => token.accountId)) {
      const account = scopeOfAccount(scope, accountId);
      const name = (await findAccount(account))?.name ?? '';
      for (const { email } of await listManagers(account)) mails.push(reminder(email, name, tokens, now));
    }
    return { letters: mails, count: due.length };
  });
  for (const letter of letters) await deps.systemMail.send(deps, letter);
  return count;
}

function reminder(to: string, account: string, tokens: readonly TokenReminder[], now: Date): SystemMailText {
  const one = tokens.length === 1;
  return letterOf({
    to,
    subject: one
      ? `A token of ${account} should be looked at`
      : `${tokens.length} tokens of ${account} should be looked at`,
    paragraphs: [
      `${one ? 'This token' : 'These tokens'} of ${account} still ${one ? 'works' : 'work'}:`,
      tokens.map((token) => lineOf(token, now)).join('\n'),
      'Rotate what is old: the token before stays good for as long as you choose, so nothing has to stop. Revoke what nobody uses.',
    ],
    afterword: 'You are told once of each. The age is a setting of the account.',
  });
}

function lineOf({ name, hint, serverName, old, unused, createdAt, lastUsedAt }: TokenReminder, now: Date): string {
  const whose = serverName === null ? 'of the account' : `of the server ${serverName}`;
  const days = Math.floor((now.getTime() - createdAt.getTime()) / DAY_MS);
  const use = lastUsedAt === null ? 'never used' : `last used ${lastUsedAt.toISOString().slice(0, 10)}`;
  return `- "${name}" (${hint}) ${whose}: ${[...(old ? [`${days} days old`] : []), ...(unused ? [use] : [])].join(', ')}`;
}
