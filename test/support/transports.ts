// Transports written into an installation as the use-cases would, for tests of delivery.
import { writeInSystemScope } from '#/db/scope.ts';
import { insertChoice, type RelayRow, type SourceRow, writeTransport } from '#/db/transports.ts';
import { relaySealPurpose } from '#/domain/delivery/transports.ts';
import type { DeliveryWorld } from './delivery-world.ts';

export interface TestTransport {
  readonly name: string;
  readonly relays?: readonly (Partial<Omit<RelayRow, 'id'>> & {
    readonly port: number;
    readonly credentials?: { readonly user: string; readonly password: string };
  })[];
  readonly sources?: readonly Partial<Omit<SourceRow, 'id'>>[];
  readonly recipientsPerTransaction?: number;
  readonly connections?: number;
}

/** Answers its id. */
export async function addTransport({ deps }: DeliveryWorld, transport: TestTransport): Promise<string> {
  const id = deps.ids.next();
  const { relays = [], sources = [], name, recipientsPerTransaction = 1, connections = null } = transport;
  const now = deps.clock.now();
  await writeInSystemScope(deps.system, now, (scope) =>
    writeTransport(scope, {
      transport: {
        id,
        name,
        kind: relays.length > 0 ? 'RELAY' : 'MX',
        recipientsPerTransaction,
        connections,
        messagesPerConnection: null,
        messagesPerSecond: null,
        createdAt: now,
        changedAt: now,
      },
      relays: relays.map(({ credentials, ...relay }) => {
        const row = { transportId: id, id: deps.ids.next() };
        const sealed =
          credentials === undefined
            ? null
            : deps.secrets.seal(Buffer.from(`${credentials.user}\0${credentials.password}`), relaySealPurpose(row));
        const usual = { host: '127.0.0.1', tls: 'OPPORTUNISTIC' as const, priority: 0, weight: 1 };
        return { ...usual, ...relay, ...row, credentialsEncrypted: sealed };
      }),
      sources: sources.map((source) => ({
        ipv4: null,
        ipv6: null,
        heloName: 'out.acme.example',
        weight: 1,
        ...source,
        transportId: id,
        id: deps.ids.next(),
      })),
    }),
  );
  deps.channel.nudge('config');
  return id;
}

/** `streamId` null: the server. */
export async function chooseFor(w: DeliveryWorld, transportId: string, streamId: string | null = null): Promise<void> {
  const { deps, accountId, serverId } = w;
  const choice = { accountId, serverId, streamId, transportId, id: deps.ids.next(), chosenAt: deps.clock.now() };
  await writeInSystemScope(deps.system, deps.clock.now(), (scope) => insertChoice(scope, choice));
  deps.channel.nudge('config');
}

export function healthOf({ deps }: DeliveryWorld) {
  return deps.db.selectFrom('transportHealth').selectAll().orderBy('subject').execute();
}

/** Of what is still open, by recipient. */
export function queueOf({ deps }: DeliveryWorld) {
  return deps.db
    .selectFrom('deliveryQueue')
    .select(['address', 'attempts', 'dueAt', 'leaseOwner'])
    .orderBy('address')
    .execute();
}
