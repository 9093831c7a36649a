// An installation without GraphQL, for tests of delivery: real database, queue, log and SMTP, with time moved by hand.
import { connectDatabase } from '#/db/client.ts';
import { ensurePartitions } from '#/db/partitions.ts';
import { systemScope } from '#/db/scope.ts';
import { type DeliveryEngine, startDelivery } from '#/delivery/engine.ts';
import { createOutbound } from '#/delivery/outbound.ts';
import type { RouteSettings } from '#/delivery/route.ts';
import type { ReturnPaths, SigningKeys } from '#/delivery/signing.ts';
import { startTransports } from '#/delivery/transports.ts';
import type { InDoubtPolicy } from '#/domain/delivery/states.ts';
import { ExpectedError } from '#/domain/errors.ts';
import type { LoggedEvent } from '#/events/catalogue.ts';
import { createChannel } from '#/events/channel.ts';
import { createFeed } from '#/events/feed.ts';
import { FIRST_ID } from '#/events/log.ts';
import type { Caller } from '#/resolvers/define.ts';
import type { Deps } from '#/resolvers/deps.ts';
import type { SendEmailRequest } from '#/resolvers/emails/prepare-email.ts';
import { sendEmail } from '#/resolvers/emails/send-email.ts';
import { createSendingProfiles } from '#/resolvers/emails/sending-profiles.ts';
import { bootstrap } from '#/resolvers/installation/bootstrap.ts';
import { systemClock } from '#/runtime/clock.ts';
import { createBackground } from '#/runtime/background.ts';
import { createDns } from '#/runtime/dns.ts';
import { createReverseNames } from '#/runtime/reverse-names.ts';
import { createHttpClient } from '#/runtime/http-client.ts';
import { createIds } from '#/runtime/ids.ts';
import { maySendFrom } from '#/runtime/local-addresses.ts';
import { systemRandom } from '#/runtime/random.ts';
import { createSmtpClient } from '#/runtime/smtp-client.ts';
import { startOutboundTls } from '#/app-outbound-tls.ts';
import { type Trust, usualTrust } from '#/runtime/trust.ts';
import type { Clock, Dns } from '#/runtime/ports.ts';
import { createSecretBox } from '#/runtime/secret-box.ts';
import { createDatabase } from './postgres.ts';
import { cheapPasswords } from './passwords.ts';
import { verifyDomain } from './verified-domain.ts';
import { testSecretKey } from './secret-key.ts';
import { silentLog } from './silent-log.ts';

export interface DeliveryWorld extends AsyncDisposable {
  readonly deps: Deps;
  readonly accountId: string;
  readonly serverId: string;
  /** Of a live or sandbox server, as the world was made. */
  send(request: Partial<SendEmailRequest>): Promise<string>;
  /** A worker with a lease and pools of its own. */
  startEngine(options?: { readonly leaseMs?: number; readonly clock?: Clock }): DeliveryEngine;
  /** Recipients that the engines hold. */
  readonly inFlight: number;
  /** Of one message, in the order of the log, as soon as `count` are there. */
  events(messageId: string, count: number): Promise<LoggedEvent[]>;
  statuses(messageId: string): Promise<string[]>;
  /** Sets the policy of all streams. */
  whenInDoubt(policy: InDoubtPolicy): Promise<void>;
}

export async function deliveryWorld(options: {
  readonly outbound: RouteSettings['outbound'];
  readonly delivery?: 'LIVE' | 'SANDBOX';
  readonly allowPrivateNetworks?: boolean;
  readonly route?: Partial<RouteSettings>;
  readonly dns?: Dns;
  readonly clock?: Clock;
  readonly signing?: SigningKeys;
  readonly returnPaths?: ReturnPaths;
  /** Whom the workers trust, where policies are fetched, and the resolver that validates. */
  readonly tls?: {
    readonly trust: Trust;
    readonly mtaStsPort?: number;
    readonly validatingResolver?: string;
    readonly reports?: boolean;
  };
  readonly maySendFrom?: (address: string) => Promise<boolean>;
}): Promise<DeliveryWorld> {
  const clock = options.clock ?? systemClock;
  await using stack = new AsyncDisposableStack();
  const { connectionString } = stack.use(await createDatabase(clock.now()));
  const database = stack.use(connectDatabase({ connectionString, maxConnections: 8 }));
  const { db } = database;
  await ensurePartitions(db, clock.now(), [45]);
  const channel = stack.use(createChannel({ connectionString, clock: systemClock, log: silentLog }));
  // Its pauses are real: it waits for transactions of other tests on the same server, which no hand moves.
  const feedClock: Clock = { ...systemClock, now: () => clock.now() };
  const feed = stack.use(createFeed({ db, channel, clock: feedClock, log: silentLog }));
  const ids = createIds(clock, systemRandom);
  const profiles = createSendingProfiles({ db, clock, channel });
  const system = systemScope(db);
  const dns = options.dns ?? createDns({ servers: ['127.0.0.1:1'], timeoutMs: 50, clock });
  const http = stack.use(createHttpClient({ dns, clock: systemClock, allowPrivateNetworks: false }));
  const deps: Deps = {
    db,
    system,
    passwords: cheapPasswords,
    clock,
    ids,
    random: systemRandom,
    log: silentLog,
    channel,
    feed,
    profiles,
    dns,
    http,
    secrets: createSecretBox([testSecretKey], systemRandom),
    systemMail: { send: async () => {} },
    returnPathSecret: Buffer.alloc(32, 7),
    mailHost: 'mail.veredus.example',
    publicUrl: 'https://veredus.example',
    background: stack.use(createBackground(silentLog)),
    signUp: false,
  };
  const made = await bootstrap(
    { ...deps, system },
    {
      account: 'Acme',
      ownerEmail: 'owner@acme.example',
      ownerPasswordHash: null,
      server: 'Production',
      delivery: options.delivery ?? 'LIVE',
      verifiedDomains: [],
    },
  );
  await verifyDomain(deps, made.accountId, 'acme.example');
  const { accountId, serverId } = made;
  const caller: Caller = {
    actor: {
      kind: 'SERVER_TOKEN',
      accountId,
      serverId,
      tokenId: ids.next(),
      label: 'vrs_…test',
      scopes: new Set(['MESSAGES_SEND']),
      streamId: null,
    },
    requestId: 'test',
    ipAddress: null,
  };
  const settings = {
    heloName: 'mx.acme.example',
    outbound: options.outbound,
    mxPort: options.outbound.kind === 'mx' ? options.outbound.port : 25,
    allowPrivateNetworks: options.allowPrivateNetworks ?? true,
    allowMxAliases: false,
    ourselves: { hosts: new Set<string>(), addresses: new Set<string>() },
    ...options.route,
  };
  const engines = stack.use(new AsyncDisposableStack());
  const started: DeliveryEngine[] = [];
  const everything = stack.move();
  return {
    deps,
    accountId,
    serverId,
    async send(request) {
      const message = await sendEmail(deps, caller, {
        serverId: null,
        from: 'Acme <noreply@acme.example>',
        to: ['ann@receiver.example'],
        subject: 'Hello',
        text: 'It works.',
        ...request,
      });
      if (message instanceof ExpectedError) throw message;
      return message.id;
    },
    startEngine({ leaseMs, clock: own } = {}) {
      const clockOfEngine = own ?? clock;
      const { trust = usualTrust, mtaStsPort = 443, validatingResolver, reports = false } = options.tls ?? {};
      const transports = engines.use(
        startTransports({ ...deps, clock: clockOfEngine, channel, maySendFrom: options.maySendFrom ?? maySendFrom }),
      );
      const common = {
        dns: options.dns ?? createDns({ servers: ['127.0.0.1:1'], clock: clockOfEngine }),
        clock: clockOfEngine,
        random: systemRandom,
        log: silentLog,
      };
      const tls = startOutboundTls(
        engines,
        {
          mtaStsPort,
          dnssec: validatingResolver !== undefined,
          dnsServers: validatingResolver === undefined ? null : [validatingResolver],
          allowPrivateNetworks: settings.allowPrivateNetworks,
          tlsReports: reports,
        },
        { ...common, system, channel, trust },
      );
      const smtp = createSmtpClient({ clock: clockOfEngine, trust });
      const outbound = createOutbound({ ...common, settings, smtp, tls, names: createReverseNames(), transports });
      const engine = engines.use(
        startDelivery({
          system,
          clock: clockOfEngine,
          ids,
          random: systemRandom,
          log: silentLog,
          channel,
          outbound,
          transports,
          signing: options.signing ?? null,
          returnPaths: options.returnPaths ?? null,
          keepTranscripts: false,
          ...(leaseMs === undefined ? {} : { leaseMs }),
        }),
      );
      started.push(engine);
      return engine;
    },
    get inFlight() {
      return started.reduce((sum, { inFlight }) => sum + inFlight, 0);
    },
    async events(messageId, count) {
      const events: LoggedEvent[] = [];
      const iterator = feed.subscribe({
        accountId,
        serverId,
        streamId: null,
        filter: { messageId },
        after: { xact: 0, id: FIRST_ID },
      });
      for await (const event of iterator) if (events.push(event) >= count) break;
      await iterator.return();
      return events;
    },
    async statuses(messageId) {
      const rows = await db
        .selectFrom('recipients')
        .select('status')
        .where('accountId', '=', accountId)
        .where('messageId', '=', messageId)
        .orderBy('ordinal')
        .execute();
      return rows.map(({ status }) => status);
    },
    async whenInDoubt(inDoubtPolicy) {
      await db.updateTable('messageStreams').set({ inDoubtPolicy }).execute();
    },
    [Symbol.asyncDispose]: () => everything.disposeAsync(),
  };
}
