// Tells the owner of an account that a domain is about to stop, or has stopped, being one to send from.
import { listOwnerAddresses } from '#/db/domains.ts';
import { encodeId } from '#/domain/ids.ts';
import { GRACE_MS } from '#/domain/sender-identity/rules.ts';
import type { Deps } from '../deps.ts';
import { letterOf } from '../system-mail/letter.ts';
import type { Applied } from './apply-observations.ts';

/** Never throws. */
export async function warnOwners(deps: Deps, { domain, warning }: Applied): Promise<void> {
  if (warning === null) return;
  const { name, accountId } = domain;
  const about = { accountId: encodeId('account', accountId), domain: name, kind: warning.kind };
  deps.log.warn(about, 'the DKIM records of a domain are gone');
  const since = warning.lostSince.toISOString().slice(0, 10);
  const end = new Date(warning.lostSince.getTime() + GRACE_MS).toISOString().slice(0, 10);
  const letter =
    warning.kind === 'lost'
      ? {
          subject: `The DKIM records of ${name} are gone`,
          paragraphs: [
            `Since ${since} none of the DKIM records of ${name} is found in DNS as it was published.`,
            `Mail from ${name} is still sent, but receivers can no longer check its signature. If the records are not back by ${end}, sending from ${name} stops.`,
            "The domain's page, or the field `records` of the API, shows what to publish and what was found.",
          ],
        }
      : {
          subject: `${name} can no longer be sent from`,
          paragraphs: [
            `The DKIM records of ${name} have been gone since ${since}. Sending from ${name} has stopped, and goes on as soon as the records are published again.`,
            "The domain's page, or the field `records` of the API, shows what to publish.",
          ],
        };
  try {
    for (const to of await listOwnerAddresses(deps.db, accountId)) {
      await deps.systemMail.send(deps, letterOf({ to, ...letter }));
    }
  } catch (error) {
    deps.log.error({ error, domain: name }, 'the owner of a domain could not be warned');
  }
}
