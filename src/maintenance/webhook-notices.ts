// Tells owners of accounts that a webhook of theirs was paused, turned off, or refuses what it is sent.
import { listOwnerAddresses } from '#/db/domains.ts';
import type { SystemScope } from '#/db/scope.ts';
import { takeNotices, type WebhookNotice } from '#/db/webhooks.ts';
import { REFUSALS_TO_TELL, RETRY_HOURS } from '#/domain/webhooks/rules.ts';
import type { Deps } from '#/resolvers/deps.ts';
import { letterOf } from '#/resolvers/system-mail/letter.ts';

const LOOK_EVERY_MS = 10_000;
const AT_ONCE = 100;

interface NoticeDeps {
  readonly system: SystemScope;
  readonly deps: Deps;
}

export function startWebhookNotices({ system, deps }: NoticeDeps): AsyncDisposable {
  const { clock, log } = deps;
  const stopping = new AbortController();
  const running = (async () => {
    while (!stopping.signal.aborted) {
      const told = await tellOwners({ system, deps }).catch((error: unknown) => {
        log.error({ error }, 'owners of webhooks could not be told; trying again');
        return 0;
      });
      if (told < AT_ONCE) await clock.sleep(LOOK_EVERY_MS, stopping.signal);
    }
  })();
  return {
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await running;
    },
  };
}

/** How many there were to tell of, at most AT_ONCE. Each is told by one node. */
export async function tellOwners({ system, deps }: NoticeDeps): Promise<number> {
  const notices = await takeNotices(system, AT_ONCE);
  for (const notice of notices) {
    const { subject, paragraphs } = wordsOf(notice);
    for (const to of await listOwnerAddresses(deps.db, notice.accountId))
      await deps.systemMail.send(deps, letterOf({ to, subject, paragraphs }));
  }
  return notices.length;
}

function wordsOf({ notice, serverName, urlShown, failingSince }: WebhookNotice): {
  readonly subject: string;
  readonly paragraphs: readonly string[];
} {
  const which = `The webhook of the server "${serverName}" at ${urlShown}`;
  const where = 'Its deliveries, with each answer, are on its page and in the field `deliveries` of the API.';
  switch (notice) {
    case 'PAUSED':
      return {
        subject: `A webhook of ${serverName} is paused`,
        paragraphs: [
          `${which} has not taken a single event since ${failingSince?.toISOString() ?? 'a day ago'}. After ${RETRY_HOURS} hours of tries it is paused.`,
          'Nothing is lost: its events wait, as long as events are kept. Once the endpoint answers again, turn the webhook on (`updateWebhook` with `enabled: true`): it gets what it missed, in order.',
          where,
        ],
      };
    case 'GONE':
      return {
        subject: `A webhook of ${serverName} is turned off`,
        paragraphs: [
          `${which} has answered 410 Gone, by which it asks for no more calls. It is turned off.`,
          'If that was a mistake, turn it on again (`updateWebhook` with `enabled: true`): it gets what it missed, in order.',
        ],
      };
    default:
      return {
        subject: `A webhook of ${serverName} refuses events`,
        paragraphs: [
          `${which} has refused ${REFUSALS_TO_TELL} events in a row, with answers that no later try would change, such as 401 or 404. These events count as failed, and new ones are still sent.`,
          'Often a credential or a path has changed. What has failed can be sent again with `retryWebhookDelivery` or `replayWebhook`.',
          where,
        ],
      };
  }
}
