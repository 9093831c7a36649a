// Hands an account over to another member; who had it stays as ADMIN. At any time there is one owner: the database holds
// to that too (memberships_one_owner).
import { type AccountRow, lockAccount } from '#/db/accounts.ts';
import { findMembers, replaceGrants, setRole } from '#/db/memberships.ts';
import { Conflict, Forbidden, NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { command } from '../define.ts';
import { letterOf } from '../system-mail/letter.ts';
import { lockMembers } from './lock-members.ts';

export interface TransferOwnershipRequest {
  readonly accountId: string;
  readonly userId: string;
}

interface TransferredOwnership {
  readonly account: AccountRow;
  readonly from: { readonly id: string; readonly email: string };
  readonly to: { readonly id: string; readonly email: string };
}

export const transferOwnership = command({
  permission: 'account.transfer',
  stepUp: true,
  errors: [NotFound, Conflict],
  announces: ['people'],
  audit: ({ accountId }: TransferOwnershipRequest, { from, to }: TransferredOwnership) => ({
    action: 'account.transfer',
    subjectIds: [encodeId('account', accountId), encodeId('user', to.id)],
    changes: { owner: { before: from.email, after: to.email } },
  }),
  async run({ scope, caller: { actor }, fail }, { accountId, userId }): Promise<TransferredOwnership> {
    if (accountId !== scope.accountId) fail(new NotFound());
    if (actor.kind !== 'USER') throw new Forbidden('only the owner hands an account over');
    const account = (await lockAccount(scope)) ?? fail(new NotFound());
    const target = (await lockMembers(scope, actor, 'OWNER', userId)) ?? fail(new NotFound());
    if (target.role === 'OWNER') fail(new Conflict('You are the owner already.'));
    const [to] = await findMembers(scope, [userId]);
    if (to === undefined) throw new Error('a locked membership is gone');
    if (account.twoFactorPolicy === 'REQUIRED' && !to.secondFactor) {
      fail(new Conflict('The account demands a second factor, and they have set up none.'));
    }
    await setRole(scope, actor.userId, 'ADMIN');
    await setRole(scope, userId, 'OWNER');
    await replaceGrants(scope, userId, []);
    return {
      account,
      from: { id: actor.userId, email: actor.label },
      to: { id: userId, email: to.email },
    };
  },
  async afterwards({ deps }, _input, { account, from, to }) {
    const subject = `${account.name} has a new owner`;
    const letters = [
      { to: from.email, text: `You have handed ${account.name} over to ${to.email}. You are one of its admins now.` },
      { to: to.email, text: `${from.email} has handed ${account.name} over to you. You are its owner now.` },
    ];
    for (const letter of letters) {
      await deps.systemMail.send(deps, letterOf({ to: letter.to, subject, paragraphs: [letter.text] }));
    }
  },
});
