// Adds a sender whose mail is blocked.
import { type InboundRuleRow, insertInboundRule, listInboundRules } from '#/db/inbound-settings.ts';
import { lockServer } from '#/db/servers.ts';
import { Conflict, InvalidInput, LimitReached, NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { MAX_INBOUND_RULES, rulePattern } from '#/domain/inbound.ts';
import { command } from '../define.ts';

export interface AddInboundRuleRequest {
  readonly serverId: string;
  readonly pattern: string;
}

export const addInboundRule = command({
  permission: 'inboundSettings.write',
  errors: [InvalidInput, Conflict, LimitReached, NotFound],
  audit: (_input: AddInboundRuleRequest, { id, serverId, pattern }: InboundRuleRow) => ({
    action: 'inboundRule.add',
    subjectIds: [encodeId('server', serverId), encodeId('inboundRule', id)],
    changes: { pattern },
  }),
  async run({ scope, inside, fail }, input) {
    if ((await lockServer(scope, input.serverId)) === undefined) fail(new NotFound());
    const pattern = rulePattern(input.pattern);
    if (!pattern.ok) return fail(InvalidInput.at(['pattern'], pattern.reason));
    const { accountId, now } = scope;
    const rule = { accountId, id: inside.ids.next(), serverId: input.serverId, pattern: pattern.value, createdAt: now };
    if (!(await insertInboundRule(scope, rule))) fail(new Conflict(`The server blocks ${pattern.value} already.`));
    if ((await listInboundRules(scope, [input.serverId])).length > MAX_INBOUND_RULES)
      fail(new LimitReached('inbound rules for a server', MAX_INBOUND_RULES));
    return rule;
  },
});
