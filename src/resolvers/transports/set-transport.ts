// Makes a transport, or puts another in place of the one of that name. Workers hear of it at once. Credentials are sealed
// before the transaction and never leave again; a relay of which none are given keeps those it has.
import { forgetHealth } from '#/db/transport-health.ts';
import { listTransports, lockTransport, type RelayRow, type TransportRows, writeTransport } from '#/db/transports.ts';
import { collectIssues } from '#/domain/email/issues.ts';
import { checkedTransport, type RelayInput, type TransportInput } from '#/domain/delivery/transport-input.ts';
import { MAX_TRANSPORTS, relaySealPurpose, subjectOfRelay, subjectOfSource } from '#/domain/delivery/transports.ts';
import { Conflict, InvalidInput, LimitReached } from '#/domain/errors.ts';
import type { SecretBox } from '#/runtime/ports.ts';
import { personalCommand } from '../define-personal.ts';
import type { Inside } from '../define.ts';
import { type ListedTransport, unknownState } from './list-transports.ts';

export const setTransport = personalCommand({
  state: 'STAFF',
  stepUp: true,
  errors: [InvalidInput, Conflict, LimitReached],
  announces: ['config'],
  audit: (input: TransportInput) => ({ action: 'transport.set', subjectIds: [], changes: described(input) }),
  async prepare({ deps, fail }, input) {
    const issues = collectIssues();
    const checked = checkedTransport(input, issues);
    if (issues.found.length > 0) fail(new InvalidInput(issues.found));
    return { checked, secrets: deps.secrets };
  },
  async run({ scope, inside, prepared, fail }): Promise<ListedTransport> {
    const { checked: input, secrets } = prepared;
    const locked = await lockTransport(scope, input.name);
    const all = await listTransports(scope.tx);
    const before = all.find(({ transport }) => transport.id === locked?.id) ?? null;
    if (before === null && all.length >= MAX_TRANSPORTS) fail(new LimitReached('transports', MAX_TRANSPORTS));
    if (before !== null && before.transport.kind !== input.kind) {
      fail(new Conflict(`The transport ${input.name} is of the kind ${before.transport.kind}, which stays.`));
    }
    const { now } = scope;
    const id = before?.transport.id ?? inside.ids.next();
    const { name, kind, recipientsPerTransaction, connections, messagesPerConnection, messagesPerSecond } = input;
    const limits = { recipientsPerTransaction, connections, messagesPerConnection, messagesPerSecond };
    const createdAt = before?.transport.createdAt ?? now;
    const rows: TransportRows = {
      transport: { id, name, kind, ...limits, createdAt, changedAt: now },
      relays: input.relays.map((relay) => relayRow(relay, id, before?.relays ?? [], inside, secrets)),
      sources: input.sources.map((source) => ({ transportId: id, id: inside.ids.next(), ...source })),
    };
    await writeTransport(scope, rows);
    // Whoever changes a transport has mended it, or wants to know at once that it is not.
    await forgetHealth(scope, [...subjectsOf(rows), ...(before === null ? [] : subjectsOf(before))]);
    const members = [...rows.relays, ...rows.sources];
    return { ...rows, states: new Map(members.map(({ id: member }) => [member, unknownState])) };
  },
});

function relayRow(
  { credentials, ...relay }: RelayInput,
  transportId: string,
  before: readonly RelayRow[],
  inside: Inside,
  secrets: SecretBox,
): RelayRow {
  const known = before.find(({ host, port }) => host === relay.host && port === relay.port);
  const id = known?.id ?? inside.ids.next();
  const row = { transportId, id, ...relay };
  if (credentials === undefined) return { ...row, credentialsEncrypted: known?.credentialsEncrypted ?? null };
  if (credentials === null) return { ...row, credentialsEncrypted: null };
  const plain = Buffer.from(`${credentials.user}\0${credentials.password}`);
  return { ...row, credentialsEncrypted: secrets.seal(plain, relaySealPurpose(row)) };
}

export function subjectsOf({ transport, relays, sources }: TransportRows): string[] {
  return [...relays.map((relay) => subjectOfRelay(transport.name, relay)), ...sources.map(subjectOfSource)];
}

/** For the audit log: without what credentials are, and whether they were changed. */
function described({ relays, ...rest }: TransportInput): Readonly<Record<string, unknown>> {
  const shown = relays.map(({ credentials, ...relay }) => ({
    ...relay,
    credentials: credentials === undefined ? 'kept' : credentials === null ? 'none' : 'set',
  }));
  return { ...rest, relays: shown };
}
