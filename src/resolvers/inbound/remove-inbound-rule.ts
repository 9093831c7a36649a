// Takes mail of a sender again that was blocked.
import { deleteInboundRule, findInboundRules, type InboundRuleRow } from '#/db/inbound-settings.ts';
import { findServer } from '#/db/servers.ts';
import { NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { command } from '../define.ts';

export const removeInboundRule = command({
  permission: 'inboundSettings.write',
  errors: [NotFound],
  audit: (_input: { readonly id: string }, { id, serverId, pattern }: InboundRuleRow) => ({
    action: 'inboundRule.remove',
    subjectIds: [encodeId('server', serverId), encodeId('inboundRule', id)],
    changes: { pattern },
  }),
  async run({ scope, fail }, { id }) {
    const [rule] = await findInboundRules(scope, [id]);
    if (rule === undefined || (await findServer(scope, rule.serverId)) === undefined) return fail(new NotFound());
    await deleteInboundRule(scope, id);
    return rule;
  },
});
