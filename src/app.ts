// The composition root: the only file that constructs things. One node is one process with its roles; `serve` runs
// several, tests run it in their own process.
import { join } from 'node:path';
import type { InboundMessageRow } from '#/db/inbound-messages.ts';
import type { SystemScope } from '#/db/scope.ts';
import { startDelivery } from '#/delivery/engine.ts';
import { createOutbound } from '#/delivery/outbound.ts';
import type { Ourselves, RouteSettings } from '#/delivery/route.ts';
import { startTransports } from '#/delivery/transports.ts';
import { createFeed } from '#/events/feed.ts';
import type { LinkActions } from '#/http/pages/link-pages.ts';
import { createHttpServer, type TokenSource } from '#/http/server.ts';
import { INBOUND_CALL_TIMEOUT_MS } from '#/domain/webhooks/inbound-call.ts';
import type { Person } from '#/domain/person.ts';
import { isWellFormedSession } from '#/domain/token.ts';
import { startHousekeeping } from '#/maintenance/housekeeping.ts';
import { startCounting } from '#/maintenance/counting.ts';
import { startDomainChecks } from '#/maintenance/domain-checks.ts';
import { startSuppressionImports } from '#/maintenance/suppression-imports.ts';
import { startTlsReports } from '#/maintenance/tls-reports.ts';
import { startTokenReminders } from '#/maintenance/token-reminders.ts';
import { startWebhookNotices } from '#/maintenance/webhook-notices.ts';
import type { Deps } from '#/resolvers/deps.ts';
import { createSenderKeys } from '#/resolvers/domains/signing-keys.ts';
import { confirmEmailChange, findEmailChange } from '#/resolvers/email-change/confirm-email-change.ts';
import { createSendingProfiles } from '#/resolvers/emails/sending-profiles.ts';
import { openAttachment } from '#/resolvers/inbound/attachment-link.ts';
import { inboundPayload } from '#/resolvers/incoming/inbound-payload.ts';
import { createReceiver } from '#/resolvers/incoming/receiver.ts';
import { createRecipients } from '#/resolvers/incoming/recipients.ts';
import { obtainReturnPathSecret } from '#/resolvers/installation/return-path-secret.ts';
import { confirmSenderSignature, findConfirmation } from '#/resolvers/sender-signatures/confirm-sender-signature.ts';
import {
  confirmEmergencyContact,
  findContactConfirmation,
} from '#/resolvers/emergency-contacts/confirm-emergency-contact.ts';
import { acceptInvitation } from '#/resolvers/invitations/accept-invitation.ts';
import { findInvitationLink } from '#/resolvers/invitations/find-invitation-link.ts';
import { findReset, resetPassword } from '#/resolvers/passwords/reset-password.ts';
import { completeSetup, findSetup } from '#/resolvers/setup/complete-setup.ts';
import { completeSignUp, findSignUp } from '#/resolvers/sign-up/complete-sign-up.ts';
import { openSuppressionExport } from '#/resolvers/suppressions/export-suppressions.ts';
import { receiveSuppressionFile } from '#/resolvers/suppressions/receive-suppression-file.ts';
import { createSystemMail } from '#/resolvers/system-mail/system-mail.ts';
import { createSessionCheck, type SessionCheck } from '#/resolvers/sessions/session-check.ts';
import { reportLeaks } from '#/resolvers/tokens/report-leaks.ts';
import { createTokenCheck, type TokenCheck } from '#/resolvers/tokens/token-check.ts';
import { type Config, ConfigError } from '#/runtime/config.ts';
import { createBackground } from '#/runtime/background.ts';
import { createDns } from '#/runtime/dns.ts';
import { createReverseNames } from '#/runtime/reverse-names.ts';
import { createHttpClient } from '#/runtime/http-client.ts';
import { createLoad } from '#/runtime/load.ts';
import { localAddresses, maySendFrom } from '#/runtime/local-addresses.ts';
import { readTrust } from '#/runtime/trust.ts';
import type { Clock, Dns, Log, Random } from '#/runtime/ports.ts';
import { createPasswords } from '#/runtime/password-hash.ts';
import { obtainSmtpCertificate } from '#/runtime/smtp-certificate.ts';
import { createSmtpClient } from '#/runtime/smtp-client.ts';
import { createSpamFilter } from '#/runtime/spam-filter.ts';
import { openSpool } from '#/runtime/spool.ts';
import { createContext } from '#/schema/context.ts';
import { schema } from '#/schema/index.ts';
import { createMailAuthentication } from '#/smtp/authentication/mail-authentication.ts';
import { startInbound } from '#/smtp/inbound/inbound.ts';
import type { Receiver, Recipients } from '#/smtp/inbound/received.ts';
import { startSubmission } from '#/smtp/submission/submission.ts';
import { startInboundWebhooks } from '#/webhooks/inbound-worker.ts';
import { startWebhooks } from '#/webhooks/worker.ts';
import type { Registry } from 'prom-client';
import { createBase } from './base.ts';
import { startOutboundTls } from './app-outbound-tls.ts';
import {
  countCalls,
  countSettled,
  showBalance,
  showInFlight,
  showTransports,
  showWebhooks,
  smtpCounters,
} from './app-metrics.ts';

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
  /** What becomes of mail that comes in, in place of the use-cases. */
  readonly inbound?: InboundSeam;
}

export interface InboundSeam {
  readonly recipients: Recipients;
  readonly receiver: Receiver;
}

export interface SmtpPorts {
  readonly submission: number | null;
  readonly submissions: number | null;
  readonly inbound: number | null;
}

export interface Node extends AsyncDisposable {
  /** Null without the role `api`. */
  readonly httpPort: number | null;
  /** Null where the server is off. */
  readonly smtpPorts: SmtpPorts;
  readonly deps: Deps;
  readonly system: SystemScope;
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
  const { allowPrivateNetworks } = config;
  const trust = readTrust(config.caFile);
  const callOut = stack.use(createHttpClient({ dns, clock, allowPrivateNetworks, trust }));
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
    http: callOut,
    secrets,
    systemMail: createSystemMail(system, config.systemFrom),
    background: stack.use(createBackground(log)),
    returnPathSecret: await obtainReturnPathSecret(system, { random, secrets }),
    mailHost: config.mailHost,
    publicUrl: config.publicUrl,
    signUp: config.signUp,
  };

  if (config.roles.has('delivery')) {
    const settings = routeSettings(config);
    const transports = stack.use(startTransports({ system, clock, ids, random, log, channel, secrets, maySendFrom }));
    const smtp = createSmtpClient({ clock, trust, timeouts: config.smtpTimeouts });
    const tls = startOutboundTls(stack, config, { ...deps, trust });
    const names = createReverseNames(config.dnsServers === null ? {} : { servers: config.dnsServers });
    const outbound = createOutbound({ settings, smtp, dns, clock, random, log, tls, names, transports });
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
        transports,
        signing: config.signing === 'off' ? null : senderKeys,
        returnPaths: {
          secret: deps.returnPathSecret,
          returnPathFor: (accountId, domain) => senderKeys.returnPathFor(accountId, domain),
        },
        keepTranscripts: false,
        retryScale: config.retryScale,
        ...leaseMs,
        ...onSettled,
      }),
    );
    if (options.metrics !== undefined) {
      showInFlight(options.metrics, delivery);
      showBalance(options.metrics, system, clock);
      showTransports(options.metrics, system);
    }
  }
  if (config.roles.has('maintenance')) {
    stack.use(startHousekeeping({ system, clock, log, secrets }));
    stack.use(startCounting({ system, clock, channel, ids, log }));
    stack.use(startDomainChecks({ system, deps }));
    stack.use(startTokenReminders({ system, deps }));
    stack.use(startSuppressionImports({ system, deps }));
    stack.use(startWebhookNotices({ system, deps }));
    if (config.tlsReports) stack.use(startTlsReports({ system, deps, from: config.systemFrom }));
  }
  if (config.roles.has('webhooks')) {
    const leaseMs = options.leaseMs === undefined ? {} : { leaseMs: options.leaseMs };
    const onCall = options.metrics === undefined ? {} : { onCall: countCalls(options.metrics) };
    const webhooks = stack.use(startWebhooks({ ...deps, ...leaseMs, ...onCall }));
    if (options.metrics !== undefined) showWebhooks(options.metrics, webhooks);
    const timeoutMs = INBOUND_CALL_TIMEOUT_MS;
    const http = stack.use(createHttpClient({ dns, clock, allowPrivateNetworks, timeoutMs }));
    const bodyOf = (message: InboundMessageRow) => inboundPayload(deps, message);
    stack.use(startInboundWebhooks({ ...deps, ...leaseMs, ...onCall, http, bodyOf }));
  }

  const tokens = stack.use(createTokenCheck({ db, clock, channel, log }));
  const smtpPorts = await startSmtp(stack, options, { deps, tokens });
  let httpPort: number | null = null;
  if (config.roles.has('api')) {
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
      reportLeaks: (reports, request) => reportLeaks(deps, reports, request),
      linkActions: linkActions(deps),
      openAttachment: (link) => openAttachment(deps, link),
      suppressionFiles: {
        receive: (link, body) => receiveSuppressionFile(deps, link, body),
        open: (link) => openSuppressionExport(deps, link),
      },
      ...(options.metrics === undefined ? {} : { metrics: options.metrics }),
    });
    httpPort = (await http.listen()).port;
    stack.defer(() => http.close());
  }
  const running = stack.move();
  return { httpPort, smtpPorts, deps, system, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

/** The SMTP servers of this node's roles. */
async function startSmtp(
  stack: AsyncDisposableStack,
  { config, inbound, metrics }: NodeOptions,
  { deps, tokens }: { readonly deps: Deps; readonly tokens: TokenCheck },
): Promise<SmtpPorts> {
  const { log, clock } = deps;
  const off: SmtpPorts = { submission: null, submissions: null, inbound: null };
  const submits = config.roles.has('submission') && config.submissionPort + config.submissionsPort > 0;
  const receives = config.roles.has('inbound') && config.inboundPort > 0;
  if (!submits && !receives) return off;
  const tls = await obtainSmtpCertificate(config, clock);
  const common = { name: config.heloName, host: config.smtpHost, tls };
  const counting = metrics === undefined ? null : smtpCounters(metrics);
  const counted = (server: string) => (counting === null ? {} : { metrics: counting(server) });
  let ports = off;
  if (submits) {
    const { submissionPort, submissionsPort, rateLimit, workers } = config;
    const submission = stack.use(
      await startSubmission({
        ...common,
        ...counted('submission'),
        deps,
        tokens,
        ports: { startTls: submissionPort || null, implicitTls: submissionsPort || null },
        plaintextAuth: config.submissionPlaintextAuth,
        // A message costs a point, as sendEmail does.
        messagesPerSecond: rateLimit / workers,
      }),
    );
    ports = { ...ports, submission: submission.ports.startTls, submissions: submission.ports.implicitTls };
  }
  if (receives) {
    const { recipients, receiver } = inbound ?? incomingOf(stack, deps, config);
    const spool = await openSpool(join(config.dataDir, 'spool'), clock);
    const running = stack.use(
      await startInbound({
        ...common,
        ...counted('inbound'),
        port: config.inboundPort,
        recipients,
        receiver,
        spool,
        clock,
        log,
      }),
    );
    ports = { ...ports, inbound: running.port };
  }
  return ports;
}

/** The use-cases of mail that comes in. */
function incomingOf(stack: AsyncDisposableStack, deps: Deps, { rspamd }: Config): InboundSeam {
  const { dns, clock, log, mailHost } = deps;
  const authentication = stack.use(createMailAuthentication({ dns, clock, log, host: mailHost }));
  const filter = rspamd === null ? null : createSpamFilter(rspamd);
  const receiver = stack.use(
    createReceiver(deps, {
      authenticate: (mail) => authentication.authenticate(mail),
      scoreSpam: filter === null ? null : (mail) => filter.score(mail),
      load: createLoad(),
    }),
  );
  return { recipients: createRecipients(deps), receiver };
}

/** What the pages behind mailed links do: the same as the API. */
function linkActions(deps: Deps): LinkActions {
  return {
    setup: {
      find: (secret) => findSetup(deps, secret),
      submit: (visitor, token, values) => completeSetup(deps, visitor, { token, ...values }),
    },
    invitation: {
      find: (secret) => findInvitationLink(deps, secret),
      submit: (visitor, token, { name, password }) =>
        acceptInvitation(deps, visitor, { token, name: name ?? null, password }),
    },
    resetPassword: {
      find: async (secret) => (await findReset(deps, secret))?.user ?? null,
      submit: (visitor, token, { password }) => resetPassword(deps, visitor, { token, newPassword: password }),
    },
    confirmEmail: {
      find: (secret) => findEmailChange(deps, secret),
      submit: (visitor, token) => confirmEmailChange(deps, visitor, { token }),
    },
    confirmContact: {
      find: (secret) => findContactConfirmation(deps, secret),
      submit: (visitor, secret) => confirmEmergencyContact(deps, secret, visitor),
    },
    signUp: {
      find: (secret) => findSignUp(deps, secret),
      submit: (visitor, token, values) => completeSignUp(deps, visitor, { token, ...values }),
    },
  };
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
    async renew(caller) {
      if ('person' in caller) return asCaller(await sessions.renew(caller.person));
      if ('tokenId' in caller.actor) tokens.used(caller.actor.tokenId);
      return caller;
    },
    onRevocation: (listener) => tokens.onRevocation(listener),
    follow: (caller, end) => ('person' in caller ? sessions.follow(caller.person, end) : () => undefined),
  };
}

function routeSettings(config: Config): RouteSettings {
  const { allowPrivateNetworks, allowMxAliases, heloName, mxPort, relay } = config;
  const outbound =
    config.outbound === 'relay' && relay !== null
      ? { kind: 'relay' as const, relay }
      : { kind: 'mx' as const, port: mxPort };
  return { outbound, heloName, mxPort, allowPrivateNetworks, allowMxAliases, ourselves: ourselvesOf(config) };
}

/** A node that takes mail from the world takes it for those it knows and relays for nobody: nothing can go in a circle. */
function ourselvesOf({ roles, inboundPort, heloName, mailHost }: Config): Ourselves {
  if (roles.has('inbound') && inboundPort > 0) return { hosts: new Set(), addresses: new Set() };
  // Mail for the mail host is for the nodes that take it, and these may be others.
  const hosts = [heloName.toLowerCase()].filter((name) => name !== mailHost);
  return { hosts: new Set(hosts), addresses: new Set(localAddresses()) };
}

async function isReady(system: SystemScope): Promise<boolean> {
  try {
    await system.db.selectFrom('installation').select('logOffset').execute();
    return true;
  } catch {
    return false;
  }
}
