// Carries scenarios out: the real program with a database of its own, a DNS server, and for each host of each scenario a
// peer at a loopback address of its own. All scenarios run side by side from the start; a test waits for its own.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { createDatabase } from './postgres.ts';
import { type DnsServer, type DnsZone, startDnsServer } from './dns-server.ts';
import type { PublishedKeys } from './dkim-verifiers.ts';
import { request } from './graphql-client.ts';
import { type PolicyServer, startPolicyServer } from './policy-server.ts';
import { type PrivateCa, privateCa } from './private-ca.ts';
import { bootstrapProgram, freePort, type Program, type Settings, startProgram } from './program.ts';
import type { Place, Saw, Scenario, ScenarioMail, SeenRecipient } from './scenario.ts';
import { Dialogue, plainAuth } from './smtp-dialogue.ts';
import { type SmtpPeer, startSmtpPeer } from './smtp-peer.ts';

export const FROM_DOMAIN = 'acme.example';
/** Pauses between attempts are a hundredth of what they are; a greylist is over after three seconds. */
export const RETRY_SCALE = 0.01;
/** A receiver that is silent for so long is given up; after the final dot it has the time that it may need. */
const TIMEOUTS = 'connect=4,greeting=4,command=4,data=4,dot=97';

const SEND = `mutation ($input: SendEmailsInput!) {
  sendEmails(input: $input) { __typename ... on Message { id } ... on Error { code message } }
}`;
const READ = `query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Message {
  id source
  recipients { address status doubts nextAttemptAt attempts {
    outcome smtpCode enhancedCode response remoteHost remoteAddress tls tlsVerification tlsPolicy transcript startedAt endedAt
  } }
  events(first: 300) { edges { node { __typename type recipient occurredAt
    ... on DelayedEvent { nextAttemptAt }
    ... on BouncedEvent { bounce { type inactive smtpCode } }
  } } }
} } }`;
const NEW_STREAM = `mutation ($input: CreateStreamInput!) { createStream(input: $input) { __typename } }`;
const DOMAINS = `{ account { domains(first: 10) { edges { node { records { type host value } } } } } }`;
/** Messages in one query. */
const PAGE = 20;

export interface SeenEvent {
  readonly type: string;
  readonly recipient: string | null;
  readonly occurredAt: string;
  readonly nextAttemptAt?: string | null;
  readonly bounce?: { readonly type: string; readonly inactive: boolean; readonly smtpCode: number | null };
}

export interface SeenMessage {
  readonly id: string;
  readonly source: string | null;
  readonly recipients: readonly SeenRecipient[];
  readonly events: { readonly edges: readonly { readonly node: SeenEvent }[] };
}

export interface ScenarioWorld extends AsyncDisposable {
  readonly program: Program;
  readonly settings: Settings;
  readonly keys: PublishedKeys;
  /** As soon as `done`, and else after `withinMs` as they are then. */
  messages(
    scenario: Scenario,
    done: (messages: readonly SeenMessage[]) => boolean,
    withinMs: number,
  ): Promise<readonly SeenMessage[]>;
  saw(scenario: Scenario, messages: readonly SeenMessage[]): Saw;
  peers(scenario: Scenario): readonly SmtpPeer[];
}

const streams = [
  { slug: 'codes', name: 'Codes', inDoubt: 'NEVER_TWICE' },
  { slug: 'secrets', name: 'Secrets', tlsPolicy: 'REQUIRE_TLS' },
];

/** A scenario where it plays. */
interface Stage {
  readonly place: Place;
  readonly hosts: readonly string[];
  readonly peers: ReadonlyMap<string, SmtpPeer>;
  readonly messageIds: string[];
}

export async function scenarioWorld(scenarios: readonly Scenario[], change: Settings = {}): Promise<ScenarioWorld> {
  await using stack = new AsyncDisposableStack();
  const database = stack.use(await createDatabase());
  const mxPort = await freePort();
  const dns = stack.use(await startDnsServer());
  const stages = new Map<Scenario, Stage>();
  const authority = privateCa();
  for (const [index, scenario] of scenarios.entries())
    stages.set(scenario, await build(scenario, index, { port: mxPort, authority, stack }));
  for (const [scenario, { place, hosts }] of stages) dns.set(zoneOf(scenario, place, hosts));
  const policies = stack.use(await startPolicies(stages, authority));
  const folder = await mkdtemp(join(tmpdir(), 'veredus-scenarios-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, 'authority.pem'), authority.certificate.cert);
  const submission = await freePort();
  const settings: Settings = {
    VEREDUS_DATABASE_URL: database.connectionString,
    VEREDUS_ROLES: 'api,submission,delivery',
    VEREDUS_WORKERS: '1',
    VEREDUS_HELO_NAME: 'out.veredus.example',
    VEREDUS_DNS_SERVERS: dns.address,
    VEREDUS_MX_PORT: String(mxPort),
    VEREDUS_MTA_STS_PORT: String(policies.port),
    VEREDUS_CA_FILE: join(folder, 'authority.pem'),
    VEREDUS_DNSSEC: 'true',
    VEREDUS_TLS_REPORTS: 'false',
    VEREDUS_ALLOW_PRIVATE_NETWORKS: 'true',
    VEREDUS_SUBMISSION_PORT: String(submission),
    VEREDUS_SUBMISSION_PLAINTEXT_AUTH: 'true',
    VEREDUS_RATE_LIMIT: '0',
    VEREDUS_SMTP_TIMEOUTS: TIMEOUTS,
    VEREDUS_RETRY_SCALE: String(RETRY_SCALE),
    ...change,
  };
  const program = stack.use(await startProgram(settings, 90_000));
  const { accountToken, serverId, serverToken } = await bootstrapProgram(settings, [
    ...['--account', 'Acme', '--owner-email', `owner@${FROM_DOMAIN}`, '--server', 'Production'],
    ...['--verified-domain', FROM_DOMAIN],
  ]);
  for (const stream of streams) {
    const input = { serverId, kind: 'TRANSACTIONAL', ...stream };
    await request(program.url, accountToken, NEW_STREAM, { input });
  }
  const keys = await publishedKeys(program.url, accountToken);
  await send(stages, { url: program.url, token: serverToken, submission });
  const timers = laterChanges(stages, dns);
  stack.defer(() => timers.forEach(clearTimeout));

  const stageOf = (scenario: Scenario): Stage => {
    const stage = stages.get(scenario);
    if (stage === undefined) throw new Error(`${scenario.name} does not play here`);
    return stage;
  };
  const everything = stack.move();
  return {
    program,
    settings,
    keys,
    peers: (scenario) => [...stageOf(scenario).peers.values()],
    async messages(scenario, done, withinMs) {
      const end = performance.now() + withinMs;
      for (;;) {
        const messages = await read(program.url, serverToken, stageOf(scenario).messageIds);
        // Attempts and events are read by two statements; what ended between them is whole when it is read again.
        if (done(messages) || performance.now() > end)
          return read(program.url, serverToken, stageOf(scenario).messageIds);
        await pause(250);
      }
    },
    saw(scenario, messages) {
      const { place, peers } = stageOf(scenario);
      const recipients = messages.flatMap((message) => message.recipients);
      return {
        place,
        peer(host) {
          const peer = host === undefined ? [...peers.values()][0] : peers.get(host);
          if (peer === undefined) throw new Error(`there is no ${host}`);
          return peer;
        },
        recipient(localPart = 'ann') {
          const found = recipients.find(({ address }) => address.startsWith(`${localPart}@`));
          if (found === undefined) throw new Error(`nothing was sent to ${localPart}`);
          return found;
        },
        queries: (name, type) => dns.queries(name, type),
      };
    },
    [Symbol.asyncDispose]: () => everything.disposeAsync(),
  };
}

interface Site {
  readonly port: number;
  readonly authority: PrivateCa;
  readonly stack: AsyncDisposableStack;
}

async function build(scenario: Scenario, index: number, { port, authority, stack }: Site): Promise<Stage> {
  const slug = scenario.name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 40)
    .replace(/^-|-$/g, '');
  const domain = `${slug}-${index}.example`;
  const names: string[] = [];
  const place: Place = {
    domain,
    port,
    name: (host) => `${host}.${domain}`,
    address: (host) => `127.${77 + Math.floor(index / 200)}.${1 + (index % 200)}.${2 + names.indexOf(host)}`,
  };
  const { hosts = { mx: scenario.peer ?? {} } } = scenario;
  const entries = Object.entries(typeof hosts === 'function' ? hosts(place, authority) : hosts);
  names.push(...entries.map(([host]) => host));
  const peers = new Map<string, SmtpPeer>();
  for (const [host, scripts] of entries) {
    if (scripts !== null) peers.set(host, stack.use(await startSmtpPeer(scripts, { host: place.address(host), port })));
  }
  return { place, hosts: names, peers, messageIds: [] };
}

function zoneOf({ dns, mtaSts }: Scenario, place: Place, hosts: readonly string[]): DnsZone {
  return {
    [place.domain]: { MX: hosts.map((host, index) => `${(index + 1) * 10} ${place.name(host)}`) },
    ...Object.fromEntries(hosts.map((host) => [place.name(host), { A: [place.address(host)] }])),
    ...(mtaSts === undefined
      ? {}
      : {
          [place.name('_mta-sts')]: { TXT: ['v=STSv1; id=1;'] },
          [place.name('mta-sts')]: { A: ['127.0.0.1'] },
        }),
    ...dns?.(place),
  };
}

/** One host for the policies of all. */
function startPolicies(stages: ReadonlyMap<Scenario, Stage>, authority: PrivateCa): Promise<PolicyServer> {
  const answers = new Map<string, string | number>();
  const names = ['policies.example'];
  for (const [{ mtaSts, mtaStsMisnamed }, { place }] of stages) {
    if (mtaSts === undefined) continue;
    answers.set(place.name('mta-sts'), mtaSts(place));
    if (mtaStsMisnamed !== true) names.push(place.name('mta-sts'));
  }
  return startPolicyServer(authority.issue({ names }), (response, host) => {
    const answer = answers.get(host) ?? 404;
    if (typeof answer === 'number') response.writeHead(answer, { location: 'https://elsewhere.example/' }).end();
    else response.writeHead(200, { 'content-type': 'text/plain' }).end(answer);
  });
}

function laterChanges(stages: ReadonlyMap<Scenario, Stage>, dns: DnsServer): NodeJS.Timeout[] {
  return [...stages].flatMap(([{ dnsLater }, { place }]) =>
    dnsLater === undefined ? [] : [setTimeout(() => dns.set(dnsLater.zone(place)), dnsLater.afterMs)],
  );
}

interface Sender {
  readonly url: string;
  readonly token: string;
  readonly submission: number;
}

async function send(stages: ReadonlyMap<Scenario, Stage>, sender: Sender): Promise<void> {
  const all = [...stages].flatMap(([scenario, { place, messageIds }]) =>
    (scenario.mails ?? [{}]).map((mail, index) => ({
      mail,
      place,
      stream: streamOf(scenario),
      isAccepted: (id: string) => void (messageIds[index] = id),
    })),
  );
  const parts = all.filter(({ mail }) => mail.source === undefined);
  for (let from = 0; from < parts.length; from += 50) {
    const messages = parts.slice(from, from + 50).map(({ mail, place, stream }) => messageInput(mail, place, stream));
    const { sendEmails } = await request<{ sendEmails: { readonly id?: string; readonly message?: string }[] }>(
      sender.url,
      sender.token,
      SEND,
      { input: { messages } },
    );
    sendEmails.forEach(({ id, message }, index) => {
      if (id === undefined) throw new Error(`not accepted: ${message}`);
      parts[from + index]?.isAccepted(id);
    });
  }
  const sources = all.filter(({ mail }) => mail.source !== undefined);
  if (sources.length === 0) return;
  using session = await Dialogue.open(sender.submission);
  await session.command('EHLO app.example', 250);
  await session.command(plainAuth(sender.token, sender.token), 235);
  for (const { mail, place, isAccepted } of sources) isAccepted(await submit(session, mail, place));
}

function streamOf({ inDoubt, tlsPolicy }: Scenario): string {
  if (tlsPolicy === 'REQUIRE_TLS') return 'secrets';
  return inDoubt === 'NEVER_TWICE' ? 'codes' : 'outbound';
}

const addressIn = (place: Place) => (given: string) =>
  given.endsWith('.') ? `${given}${place.domain}` : given.includes('@') ? given : `${given}@${place.domain}`;

function messageInput(mail: ScenarioMail, place: Place, stream: string) {
  const address = addressIn(place);
  const { to = ['ann'], cc = [], subject = 'Your order', text = 'Thank you for your order.' } = mail;
  const { html, expiresInMs } = mail;
  return {
    from: `Acme <shop@${FROM_DOMAIN}>`,
    stream,
    to: to.map(address),
    cc: cc.map(address),
    subject,
    text,
    ...(html === undefined ? {} : { html }),
    ...(expiresInMs === undefined ? {} : { expiresAt: new Date(Date.now() + expiresInMs).toISOString() }),
    attachments: (mail.attachments ?? []).map(({ name, content }) => ({
      name,
      contentType: 'application/octet-stream',
      content: content.toString('base64'),
    })),
  };
}

/** The message's id, which stands last in the answer. */
async function submit(session: Dialogue, { to = ['ann'], source = '' }: ScenarioMail, place: Place): Promise<string> {
  await session.envelope(`shop@${FROM_DOMAIN}`, to.map(addressIn(place)));
  const header = `From: shop@${FROM_DOMAIN}\r\nTo: ${to.map(addressIn(place)).join(', ')}\r\n`;
  const end = source.endsWith('\r\n') ? '.\r\n' : '\r\n.\r\n';
  session.write(Buffer.from((header + source).replace(/(^|\r\n)\./g, '$1..') + end, 'latin1'));
  const { text } = await session.reply(250);
  return text.slice(text.lastIndexOf(' ') + 1);
}

async function read(url: string, token: string, ids: readonly string[]): Promise<SeenMessage[]> {
  const messages: SeenMessage[] = [];
  for (let from = 0; from < ids.length; from += PAGE) {
    const { nodes } = await request<{ nodes: SeenMessage[] }>(url, token, READ, { ids: ids.slice(from, from + PAGE) });
    messages.push(...nodes);
  }
  return messages;
}

async function publishedKeys(url: string, token: string): Promise<PublishedKeys> {
  interface Answer {
    readonly account: {
      readonly domains: {
        readonly edges: readonly {
          readonly node: {
            readonly records: readonly { readonly type: string; readonly host: string; readonly value: string }[];
          };
        }[];
      };
    };
  }
  const { account } = await request<Answer>(url, token, DOMAINS);
  const records = account.domains.edges.flatMap(({ node }) => node.records);
  return new Map(records.filter(({ host }) => host.includes('._domainkey.')).map(({ host, value }) => [host, value]));
}
