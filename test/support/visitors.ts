// Visitors with cookies, and the links of mails, for tests of passwords and addresses.
import type { Person } from '#/domain/person.ts';
import type { SystemMailText } from '#/resolvers/system-mail/system-mail.ts';
import type { Visitor } from '#/resolvers/visitor.ts';
import type { World } from './world.ts';

/** `set`: what its browser was given. */
export function visitor(options: { person?: Person | null; ipAddress?: string; set?: string[] } = {}): Visitor {
  const { person = null, ipAddress = '192.0.2.1', set } = options;
  const cookies =
    set === undefined
      ? null
      : {
          device: null,
          startSession: (secret: string) => void set.push(secret),
          endSession: () => void set.push(''),
          rememberDevice: () => undefined,
        };
  return { person, requestId: 'test', ipAddress, userAgent: 'test', cookies };
}

/** When all that is sent in the background has been. */
export async function mailsTo(w: World, to: string): Promise<SystemMailText[]> {
  await w.deps.background.settled();
  return w.mails.filter((mail) => mail.to === to);
}

/** The secret of the link in the newest mail to the address. */
export async function secretFor(w: World, to: string, path: string): Promise<string> {
  const mail = (await mailsTo(w, to)).at(-1);
  const secret = new RegExp(`https://veredus\\.example/${path}/([A-Za-z0-9_-]{43})\\n`).exec(mail?.text ?? '')?.[1];
  if (secret === undefined) throw new Error(`no mail with a link: ${mail?.subject}`);
  return secret;
}

export async function auditOf(w: World, accountId: string) {
  return w.db
    .selectFrom('auditLog')
    .select(['action', 'actorKind', 'actorLabel', 'changes', 'subjectIds', 'sessionId'])
    .where('accountId', '=', accountId)
    .orderBy('id')
    .execute();
}

/** The types of answers, sorted: of several at once any may be first. */
export function typesOf(answers: readonly { readonly __typename: string }[]): string[] {
  return answers.map(({ __typename }) => __typename).sort();
}
