// The composition root: the only file that constructs things. One node is one process with its roles; `serve` runs
// several, tests run it in their own process.
import { connectDatabase } from '#/db/client.ts';
import { type SystemScope, systemScope } from '#/db/scope.ts';
import { type DeliveryEngine, startDelivery } from '#/delivery/engine.ts';
import { createOutbound } from '#/delivery/outbound.ts';
import type { RouteSettings } from '#/delivery/route.ts';
import { createChannel } from '#/events/channel.ts';
import { createFeed } from '#/events/feed.ts';
import { createHttpServer, type TokenSource } from '#/http/server.ts';
import type { Person } from '#/domain/person.ts';
import { isWellFormedSession } from '#/domain/token.ts';
import { startHousekeeping } from '#/maintenance/housekeeping.ts';
import { startDomainChecks } from '#/maintenance/domain-checks.ts';
import type { Deps } from '#/resolvers/deps.ts';
import { createSenderKeys } from '#/resolvers/domains/signing-keys.ts';
import { createSendingProfiles } from '#/resolvers/emails/sending-profiles.ts';
import { obtainReturnPathSecret } from '#/resolvers/installation/return-path-secret.ts';
import { confirmSenderSignature, findConfirmation } from '#/resolvers/sender-signatures/confirm-sender-signature.ts';
import { createSystemMail } from '#/resolvers/system-mail/system-mail.ts';
import { createSessionCheck, type SessionCheck } from '#/resolvers/sessions/session-check.ts';
import { createTokenCheck, type TokenCheck } from '#/resolvers/tokens/token-check.ts';
import { systemClock } from '#/runtime/clock.ts';
import { type Config, ConfigError } from '#/runtime/config.ts';
import { createDns } from '#/runtime/dns.ts';
import { createIds } from '#/runtime/ids.ts';
import type { Channel, Clock, Dns, Ids, Log, Random, SecretBox } from '#/runtime/ports.ts';
import { createPasswords } from '#/runtime/password-hash.ts';
import { systemRandom } from '#/runtime/random.ts';
import { createSecretBox } from '#/runtime/secret-box.ts';
import { createSmtpClient } from '#/runtime/smtp-client.ts';
import { createContext } from '#/schema/context.ts';
import { schema } from '#/schema/index.ts';
import { Counter, Gauge, type Registry } from 'prom-client';

/** Connections to the database of one process: 20 processes of them fit a PostgreSQL of 300. */
const DATABASE_CONNECTIONS = 14;

export interface NodeOptions {
  /** `secretKeys` are those of runtime/secret-keys.ts, never null. */
  readonly config: Config;
  readonly connectionString: string;
  readonly log: Log;
  readonly metrics?: Registry;
  /** In place of the real ones, in tests. */
  readonly clock?: Clock;
  readonly random?: Random;
  readonly dns?: Dns;
  readonly leaseMs?: number;
}

export interface Node extends AsyncDisposable {
  /** Null without the role `api`. */
  readonly httpPort: number | null;
  readonly deps: Deps;
  readonly system: SystemScope;
}

/** What every process has, whatever its roles: also the command line's. */
export interface Base extends AsyncDisposable {
  readonly system: SystemScope;
  readonly clock: Clock;
  readonly random: Random;
  readonly ids: Ids;
  readonly channel: Channel;
  readonly secrets: SecretBox;
}

interface BaseOptions extends Pick<NodeOptions, 'connectionString' | 'log' | 'clock' | 'random'> {
  /** The first seals, all open. */
  readonly secretKeys: readonly string[];
}

export function createBase(options: BaseOptions): Base {
  const { connectionString, log } = options;
  const clock = options.clock ?? systemClock;
  const random = options.random ?? systemRandom;
  const database = connectDatabase({ connectionString, maxConnections: DATABASE_CONNECTIONS });
  const channel = createChannel({ connectionString, clock, log });
  return {
    system: systemScope(database.db),
    clock,
    random,
    ids: createIds(clock, random),
    channel,
    secrets: createSecretBox(options.secretKeys, random),
    async [Symbol.asyncDispose]() {
      await channel[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
}

/** Starts the roles of `config`. Disposal ends them in the order in which they need each other. */
export async function startNode(options: NodeOptions): Promise<Node> {
  const { config, log } = options;
  await using stack = new AsyncDisposableStack();
  const { secretKeys } = config;
  if (secretKeys === null) throw new ConfigError(['VEREDUS_SECRET_KEY: is needed by every role']);
  const base = stack.use(createBase({ ...options, secretKeys }));
  const { system, clock, random, ids, channel, secrets } = base;
  const { db } = system;
  const feed = stack.use(createFeed({ db, channel, clock, log }));
  const profiles = createSendingProfiles({ db, clock, channel });
  const dns =
    options.dns ?? createDns({ ...(config.dnsServers === null ? {} : { servers: config.dnsServers }), clock });
  const deps: Deps = {
    db,
    system,
    passwords: stack.use(createPasswords({ log })),
    clock,
    ids,
    random,
    log,
    channel,
    feed,
    profiles,
    dns,
    secrets,
    systemMail: createSystemMail(system, config.systemFrom),
    mailHost: config.mailHost,
    publicUrl: config.publicUrl,
  };

  if (config.roles.has('delivery')) {
    const settings = { ...routeSettings(config), heloName: config.heloName };
    const outbound = createOutbound({ settings, smtp: createSmtpClient({ clock }), dns, clock, random, log });
    const senderKeys = createSenderKeys({ db, clock, channel, secrets });
    const leaseMs = options.leaseMs === undefined ? {} : { leaseMs: options.leaseMs };
    const onSettled = options.metrics === undefined ? {} : { onSettled: countSettled(options.metrics) };
    const delivery = stack.use(
      startDelivery({
        system,
        clock,
        ids,
        random,
        log,
        channel,
        outbound,
        signing: config.signing === 'off' ? null : senderKeys,
        returnPaths: {
          secret: await obtainReturnPathSecret(system, { random, secrets }),
          returnPathFor: (accountId, domain) => senderKeys.returnPathFor(accountId, domain),
        },
        keepTranscripts: false,
        ...leaseMs,
        ...onSettled,
      }),
    );
    if (options.metrics !== undefined) showInFlight(options.metrics, delivery);
  }
  if (config.roles.has('maintenance')) {
    stack.use(startHousekeeping({ system, clock, log, secrets }));
    stack.use(startDomainChecks({ system, deps }));
  }

  let httpPort: number | null = null;
  if (config.roles.has('api')) {
    const tokens = stack.use(createTokenCheck({ db, clock, channel, log }));
    const http = createHttpServer({
      schema,
      config,
      log,
      clock,
      random,
      ...authentication(tokens, stack.use(createSessionCheck({ db, clock, channel, log }))),
      createContext: (caller, request) => createContext(deps, caller, request),
      ready: () => isReady(system),
      confirmations: {
        find: (secret) => findConfirmation(deps, secret),
        confirm: (secret, request) => confirmSenderSignature(deps, secret, request),
      },
      ...(options.metrics === undefined ? {} : { metrics: options.metrics }),
    });
    httpPort = (await http.listen()).port;
    stack.defer(() => http.close());
  }
  const running = stack.move();
  return { httpPort, deps, system, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

/** Tokens of programs and sessions of people, told apart by their form. */
function authentication(tokens: TokenCheck, sessions: SessionCheck): TokenSource {
  const asCaller = (person: Person | null) =>
    person === null ? null : { person, expiresAt: person.session.expiresAt, deprecation: null };
  return {
    async authenticate({ secret, ipAddress, byCookie }) {
      if (isWellFormedSession(secret)) return asCaller(await sessions.check(secret, byCookie));
      return byCookie ? null : tokens.check(secret, ipAddress);
    },
    renew: async (caller) => ('person' in caller ? asCaller(await sessions.renew(caller.person)) : caller),
    onRevocation: (listener) => tokens.onRevocation(listener),
    follow: (caller, end) => ('person' in caller ? sessions.follow(caller.person, end) : () => undefined),
  };
}

function routeSettings(config: Config): RouteSettings {
  const { allowPrivateNetworks } = config;
  if (config.outbound === 'relay' && config.relay !== null) {
    return { outbound: { kind: 'relay', relay: config.relay }, allowPrivateNetworks };
  }
  return { outbound: { kind: 'mx', port: config.mxPort }, allowPrivateNetworks };
}

function countSettled(registry: Registry): (status: string) => void {
  const counter = new Counter({
    name: 'veredus_recipients_settled_total',
    help: 'Outcomes of deliveries by status; DELAYED ones come again.',
    labelNames: ['status'],
    registers: [registry],
  });
  return (status) => counter.inc({ status });
}

function showInFlight(registry: Registry, delivery: DeliveryEngine): void {
  new Gauge({
    name: 'veredus_recipients_in_flight',
    help: 'Recipients that delivery holds under a lease.',
    registers: [registry],
    collect() {
      this.set(delivery.inFlight);
    },
  });
}

async function isReady(system: SystemScope): Promise<boolean> {
  try {
    await system.db.selectFrom('installation').select('logOffset').execute();
    return true;
  } catch {
    return false;
  }
}
