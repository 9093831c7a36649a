// Ways out that the operator makes, for the staff of the installation.
import type { HealthRow } from '#/db/transport-health.ts';
import type { ChoiceRow, RelayRow, SourceRow } from '#/db/transports.ts';
import { NAME_RULE } from '#/domain/delivery/transport-input.ts';
import {
  MAX_CHOICES,
  MAX_CREDENTIAL,
  MAX_MEMBERS,
  MAX_PRIORITY,
  MAX_RECIPIENTS_PER_TRANSACTION,
  MAX_RELAY_CONNECTIONS,
  MAX_RELAY_MESSAGES_PER_CONNECTION,
  MAX_RELAY_MESSAGES_PER_SECOND,
  MAX_TRANSPORTS,
  MAX_WEIGHT,
  usualRelayLimits,
} from '#/domain/delivery/transports.ts';
import { encodeId } from '#/domain/ids.ts';
import { chooseTransport, type TransportChoice } from '#/resolvers/transports/choose-transport.ts';
import { type DeletedTransport, deleteTransport } from '#/resolvers/transports/delete-transport.ts';
import {
  type ListedTransport,
  listAllTransports,
  listTransportChoices,
  MAX_LISTED_CHOICES,
  type MemberState,
  unknownState,
} from '#/resolvers/transports/list-transports.ts';
import { setTransport } from '#/resolvers/transports/set-transport.ts';
import { builder } from './builder.ts';
import { visitorOf } from './context.ts';
import { resultUnion } from './errors.ts';
import { uuidOf } from './ids.ts';

const TransportKind = builder.enumType('TransportKind', {
  description: 'What a transport consists of.',
  values: {
    MX: { description: 'To the mail exchangers of each domain, from a pool of source addresses.' },
    RELAY: { description: 'Through relays.' },
  } as const,
});

const RelayTls = builder.enumType('RelayTls', {
  description: 'How a relay is spoken to.',
  values: {
    OPPORTUNISTIC: {
      description: 'STARTTLS where it is offered; with credentials never without, and with a right certificate.',
    },
    REQUIRED: { description: 'STARTTLS with a right certificate, or nothing.' },
    IMPLICIT: { description: 'TLS from the first byte, with a right certificate.' },
  } as const,
});

const TransportState = builder.enumType('TransportState', {
  description: 'Whether mail can take it.',
  values: {
    IN_USE: { description: 'It can.' },
    OUT: { description: 'It failed as a whole, and one mail at a time looks whether it works again.' },
    ABSENT: { description: 'No delivery node has the addresses.' },
  } as const,
});

const TransportHealth = builder.objectRef<MemberState>('TransportHealth').implement({
  description: 'What all workers together know of a relay or source.',
  fields: (t) => ({
    state: t.field({ type: TransportState, description: 'Whether mail can take it.', resolve: stateOf }),
    cause: t.string({
      nullable: true,
      description: 'What was wrong the last time; null: nothing ever was.',
      resolve: ({ health }) => health?.cause ?? null,
    }),
    since: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When it went out; null: it is not out.',
      resolve: ({ health }) => health?.outSince ?? null,
    }),
    nextLookAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When it is looked at again; null: it is not out.',
      resolve: ({ health }) => health?.lookAt ?? null,
    }),
    failedLooks: t.int({
      description: 'Looks in a row that failed, from which the pause until the next follows.',
      resolve: ({ health }) => (health === null || health.outSince === null ? 0 : health.level),
    }),
  }),
});

function stateOf({ health, isAbsent }: MemberState): 'IN_USE' | 'OUT' | 'ABSENT' {
  if (isOut(health)) return 'OUT';
  return isAbsent ? 'ABSENT' : 'IN_USE';
}

const isOut = (health: HealthRow | null): boolean => health !== null && health.outSince !== null;

interface MemberOf<T> {
  readonly row: T;
  readonly state: MemberState;
}

const TransportRelay = builder.objectRef<MemberOf<RelayRow>>('TransportRelay').implement({
  description: 'One relay of a transport. Its credentials are never shown.',
  fields: (t) => ({
    host: t.string({ description: 'Name or address.', resolve: ({ row }) => row.host }),
    port: t.int({ description: 'Port.', resolve: ({ row }) => row.port }),
    tls: t.field({ type: RelayTls, description: 'How it is spoken to.', resolve: ({ row }) => row.tls }),
    authenticates: t.boolean({
      description: 'Whether credentials are kept for it.',
      resolve: ({ row }) => row.credentialsEncrypted !== null,
    }),
    priority: t.int({ description: 'Lower is used first.', resolve: ({ row }) => row.priority }),
    weight: t.int({ description: 'Its share among those of its priority.', resolve: ({ row }) => row.weight }),
    health: t.field({ type: TransportHealth, description: 'Whether it works.', resolve: ({ state }) => state }),
  }),
});

const TransportSource = builder.objectRef<MemberOf<SourceRow>>('TransportSource').implement({
  description: 'One source of a transport: an address of ours of each family, or of one.',
  fields: (t) => ({
    ipv4: t.string({ nullable: true, description: 'Null: it has none.', resolve: ({ row }) => row.ipv4 }),
    ipv6: t.string({ nullable: true, description: 'Null: it has none.', resolve: ({ row }) => row.ipv6 }),
    heloName: t.string({ description: 'Name said in HELO.', resolve: ({ row }) => row.heloName }),
    weight: t.int({ description: 'Its share of the mail.', resolve: ({ row }) => row.weight }),
    health: t.field({ type: TransportHealth, description: 'Whether it works.', resolve: ({ state }) => state }),
  }),
});

const memberOf =
  (states: ReadonlyMap<string, MemberState>) =>
  <T extends { readonly id: string }>(row: T): MemberOf<T> => ({ row, state: states.get(row.id) ?? unknownState });

const ChosenTransport = builder.objectRef<ChoiceRow>('ChosenTransport').implement({
  description: 'A server, or one of its streams, that takes a transport.',
  fields: (t) => ({
    accountId: t.id({ description: 'Its account.', resolve: ({ accountId }) => encodeId('account', accountId) }),
    serverId: t.id({ description: 'The server.', resolve: ({ serverId }) => encodeId('server', serverId) }),
    streamId: t.id({
      nullable: true,
      description: 'The stream; null: all streams of the server without a choice of their own.',
      resolve: ({ streamId }) => (streamId === null ? null : encodeId('stream', streamId)),
    }),
    chosenAt: t.expose('chosenAt', { type: 'DateTime', description: 'Since when.' }),
  }),
});

const Transport = builder.objectRef<ListedTransport>('Transport').implement({
  description: 'A way out for mail that the operator made, beside what the settings of the installation say.',
  fields: (t) => ({
    name: t.string({ description: 'By which it is known.', resolve: ({ transport }) => transport.name }),
    kind: t.field({ type: TransportKind, description: 'What it is.', resolve: ({ transport }) => transport.kind }),
    relays: t.field({
      type: [TransportRelay],
      description: 'Of RELAY: those of the lowest priority that are in use share the mail.',
      resolve: ({ relays, states }) => relays.map(memberOf(states)),
    }),
    sources: t.field({
      type: [TransportSource],
      description: 'Of MX. A recipient’s mail always takes the same source while that is in use.',
      resolve: ({ sources, states }) => sources.map(memberOf(states)),
    }),
    isOut: t.boolean({
      description: 'Nothing of it can be used: its mail waits untried.',
      resolve: ({ states }) => [...states.values()].every((state) => stateOf(state) !== 'IN_USE'),
    }),
    recipientsPerTransaction: t.int({
      description: 'Of RELAY: recipients of one message that have the same reverse-path, at once.',
      resolve: ({ transport }) => transport.recipientsPerTransaction,
    }),
    connections: t.int({
      nullable: true,
      description: `Of RELAY, to each relay, of all nodes together; null: ${usualRelayLimits.connections}.`,
      resolve: ({ transport }) => transport.connections,
    }),
    messagesPerConnection: t.int({
      nullable: true,
      description: `Of RELAY; null: ${usualRelayLimits.messagesPerConnection}.`,
      resolve: ({ transport }) => transport.messagesPerConnection,
    }),
    messagesPerSecond: t.float({
      nullable: true,
      description: `Of RELAY, to each relay, of all nodes together; null: ${usualRelayLimits.messagesPerSecond}.`,
      resolve: ({ transport }) => transport.messagesPerSecond,
    }),
    choices: t.field({
      type: [ChosenTransport],
      description: 'Servers and streams that take it, oldest first.',
      extensions: { cost: 10 },
      args: { first: t.arg.int({ description: `How many at most; up to ${MAX_LISTED_CHOICES}.` }) },
      resolve: ({ transport }, { first }, context) =>
        listTransportChoices(context.deps, visitorOf(context), {
          transportId: transport.id,
          limit: Math.max(0, first),
        }),
    }),
    changedAt: t.field({
      type: 'DateTime',
      description: 'When the staff changed it last.',
      resolve: ({ transport }) => transport.changedAt,
    }),
  }),
});

const TransportCredentialsInput = builder.inputType('TransportCredentialsInput', {
  description: 'For AUTH at a relay. Sealed at rest, and never shown.',
  fields: (t) => ({
    user: t.string({ description: `Up to ${MAX_CREDENTIAL} characters.` }),
    password: t.string({ description: `Up to ${MAX_CREDENTIAL} characters.` }),
  }),
});

const TransportRelayInput = builder.inputType('TransportRelayInput', {
  description: 'One relay of a transport.',
  fields: (t) => ({
    host: t.string({ description: 'Name or address.' }),
    port: t.int({ description: '1 to 65535.' }),
    tls: t.field({ type: RelayTls, description: 'How it is spoken to.' }),
    credentials: t.field({
      type: TransportCredentialsInput,
      required: false,
      description: 'Unless given, those that the relay of this host and port has already; null: none.',
    }),
    priority: t.int({ required: false, description: `Lower is used first; 0 to ${MAX_PRIORITY}, 0 unless given.` }),
    weight: t.int({
      required: false,
      description: `Its share among those of its priority; 1 to ${MAX_WEIGHT}, 1 unless given.`,
    }),
  }),
});

const TransportSourceInput = builder.inputType('TransportSourceInput', {
  description: 'One source of a transport. The addresses are those that the nodes themselves have, before any NAT.',
  fields: (t) => ({
    ipv4: t.string({ required: false, description: 'Unless given, IPv4 is not used.' }),
    ipv6: t.string({ required: false, description: 'Unless given, IPv6 is not used: it needs a PTR record.' }),
    heloName: t.string({ description: 'Name said in HELO; should be what the PTR of its addresses says.' }),
    weight: t.int({ required: false, description: `Its share of the mail; 1 to ${MAX_WEIGHT}, 1 unless given.` }),
  }),
});

const SetTransportInput = builder.inputType('SetTransportInput', {
  description: 'A transport as it shall be.',
  fields: (t) => ({
    name: t.string({ description: `${NAME_RULE}. One of that name that is there is replaced.` }),
    kind: t.field({ type: TransportKind, description: 'What it is; it stays so.' }),
    relays: t.field({
      type: [TransportRelayInput],
      required: false,
      description: `Of RELAY; up to ${MAX_MEMBERS}.`,
    }),
    sources: t.field({ type: [TransportSourceInput], required: false, description: `Of MX; up to ${MAX_MEMBERS}.` }),
    recipientsPerTransaction: t.int({
      required: false,
      description: `Of RELAY; 1 to ${MAX_RECIPIENTS_PER_TRANSACTION}, 1 unless given.`,
    }),
    connections: t.int({
      required: false,
      description: `Of RELAY; 1 to ${MAX_RELAY_CONNECTIONS}, ${usualRelayLimits.connections} unless given.`,
    }),
    messagesPerConnection: t.int({
      required: false,
      description: `Of RELAY; 1 to ${MAX_RELAY_MESSAGES_PER_CONNECTION}, ${usualRelayLimits.messagesPerConnection} unless given.`,
    }),
    messagesPerSecond: t.float({
      required: false,
      description: `Of RELAY; 0.1 to ${MAX_RELAY_MESSAGES_PER_SECOND}, ${usualRelayLimits.messagesPerSecond} unless given.`,
    }),
  }),
});

const ChooseTransportInput = builder.inputType('ChooseTransportInput', {
  description: 'Which mail takes which transport.',
  fields: (t) => ({
    serverId: t.id({ description: 'The server.' }),
    streamId: t.id({
      required: false,
      description: 'One stream of it; unless given, all without a choice of their own.',
    }),
    transport: t.string({
      required: false,
      description:
        'Name of a transport; unless given: for a stream that of its server, for a server what the settings say.',
    }),
  }),
});

const DeletedTransportType = builder.objectRef<DeletedTransport>('DeletedTransport').implement({
  description: 'It is gone.',
  fields: (t) => ({ name: t.exposeString('name', { description: 'The name that it had.' }) }),
});

const TransportChoiceType = builder.objectRef<TransportChoice>('TransportChoice').implement({
  description: 'What was chosen.',
  fields: (t) => ({
    transport: t.exposeString('transport', { nullable: true, description: 'Name of the transport; null: none.' }),
  }),
});

builder.queryField('transports', (t) =>
  t.withAuth({ staff: true }).field({
    type: [Transport],
    nullable: true,
    description: `The transports of the installation, by name; at most ${MAX_TRANSPORTS}. For staff of the installation.`,
    extensions: { cost: 10 },
    resolve: (_root, _args, context) => listAllTransports(context.deps, visitorOf(context)),
  }),
);

const forStaff = { staff: true, proved: true } as const;
const only = 'Workers hear of it at once. For staff of the installation, with a fresh proof of identity.';

builder.mutationFields((t) => ({
  setTransport: t.withAuth(forStaff).field({
    type: resultUnion('SetTransportResult', Transport, setTransport, 'The transport, or why it was not saved.'),
    nullable: true,
    description: `Makes a transport, or replaces it. ${only}`,
    args: { input: t.arg({ type: SetTransportInput, description: 'The whole of it.' }) },
    resolve: (_root, { input }, context) =>
      setTransport(context.deps, visitorOf(context), {
        name: input.name,
        kind: input.kind,
        relays: (input.relays ?? []).map((relay) => ({
          ...relay,
          priority: relay.priority ?? 0,
          weight: relay.weight ?? 1,
        })),
        sources: (input.sources ?? []).map(({ ipv4, ipv6, heloName, weight }) => ({
          ipv4: ipv4 ?? null,
          ipv6: ipv6 ?? null,
          heloName,
          weight: weight ?? 1,
        })),
        recipientsPerTransaction: input.recipientsPerTransaction ?? 1,
        connections: input.connections ?? null,
        messagesPerConnection: input.messagesPerConnection ?? null,
        messagesPerSecond: input.messagesPerSecond ?? null,
      }),
  }),
  deleteTransport: t.withAuth(forStaff).field({
    type: resultUnion('DeleteTransportResult', DeletedTransportType, deleteTransport, 'Done, or why not.'),
    nullable: true,
    description: `Takes a transport away that no server or stream takes. ${only}`,
    args: { name: t.arg.string({ description: 'Its name.' }) },
    resolve: (_root, { name }, context) => deleteTransport(context.deps, visitorOf(context), { name }),
  }),
  chooseTransport: t.withAuth(forStaff).field({
    type: resultUnion(
      'ChooseTransportResult',
      TransportChoiceType,
      chooseTransport,
      'What holds now, or why it does not.',
    ),
    nullable: true,
    description: `Says which transport the mail of a server or stream takes; at most ${MAX_CHOICES} choices. ${only}`,
    args: { input: t.arg({ type: ChooseTransportInput, description: 'Whose mail, and which transport.' }) },
    resolve: (_root, { input }, context) =>
      chooseTransport(context.deps, visitorOf(context), {
        serverId: uuidOf('server', input.serverId),
        streamId: input.streamId == null ? null : uuidOf('stream', input.streamId),
        transport: input.transport ?? null,
      }),
  }),
}));
