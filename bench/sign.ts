// What signing costs: for one message alone, and as a share of the way from stored content to the sink's answer, without a
// database, in which it would be lost.
import type { ClaimedRecipient } from '#/db/delivery-queue.ts';
import type { StoredMessage } from '#/db/messages.ts';
import { createOutbound, type Outbound } from '#/delivery/outbound.ts';
import { BrokenTls } from '#/delivery/tls/broken-tls.ts';
import type { OutboundTls } from '#/delivery/tls/outbound-tls.ts';
import { planOf } from '#/delivery/tls/plan.ts';
import { createPreparation, type SigningKeys } from '#/delivery/signing.ts';
import { type ComposedMessage, composeMessage } from '#/mail/compose.ts';
import { encodeContent, type StoredContent } from '#/mail/content.ts';
import { hashBody } from '#/mail/dkim/body-hash.ts';
import { generateDkimKeys, readPrivateKey } from '#/mail/dkim/keys.ts';
import { type SigningKey, signMessage } from '#/mail/dkim/sign.ts';
import { systemClock } from '#/runtime/clock.ts';
import { createDns } from '#/runtime/dns.ts';
import { createIds } from '#/runtime/ids.ts';
import type { Log } from '#/runtime/ports.ts';
import { systemRandom } from '#/runtime/random.ts';
import { createReverseNames } from '#/runtime/reverse-names.ts';
import { createSmtpClient } from '#/runtime/smtp-client.ts';
import { DOMAIN, writeLetter } from './letters.ts';
import { type Context, figure, type Figure, type Outcome } from './scenario.ts';
import { type Sink, startSink } from './sink.ts';

const SIZES = [5_000, 100_000] as const;
/** One relay without a policy: there is no database to ask. */
const tls: OutboundTls = {
  dane: null,
  broken: new BrokenTls(systemClock),
  securityOf: async () => null,
  planFor: async () => planOf(null, 'OPPORTUNISTIC'),
  used: () => {},
  outcome: () => ({ tlsVerification: null, tlsPolicy: null }),
  flushCounts: async () => {},
  [Symbol.asyncDispose]: async () => {},
};
/** As many as a worker holds (engine.ts). */
const IN_FLIGHT = 400;

const log: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
const ids = createIds(systemClock, systemRandom);

export async function sign(context: Context): Promise<readonly Outcome[]> {
  const keys = await makeKeys();
  const outcomes: Outcome[] = [];
  for (const bytes of SIZES) outcomes.push(...(await alone(context, keys, bytes)));
  await using sink = await startSink(context.say);
  for (const bytes of SIZES) outcomes.push(...(await pipeline(context, keys, bytes, sink)));
  return outcomes;
}

async function makeKeys(): Promise<readonly SigningKey[]> {
  const { rsa, ed25519 } = await generateDkimKeys();
  return [
    { domain: DOMAIN, selector: 'rsa', algorithm: 'rsa-sha256', privateKey: readPrivateKey(rsa.privateKey) },
    { domain: DOMAIN, selector: 'ed', algorithm: 'ed25519-sha256', privateKey: readPrivateKey(ed25519.privateKey) },
  ];
}

async function alone(context: Context, keys: readonly SigningKey[], bytes: number): Promise<readonly Figure[]> {
  const count = context.quick ? 500 : 10_000;
  const composed = Array.from({ length: 50 }, (_, seed) => compose(contentOf(seed, bytes)));
  const hash: number[] = [];
  const cpu: number[] = [];
  const rate: number[] = [];
  for (let run = 0; run <= context.runs; run++) {
    const hashStart = performance.now();
    for (let n = 0; n < count; n++) {
      const { source, bodyStart } = pick(composed, n);
      hashBody(source, bodyStart);
    }
    const hashed = performance.now() - hashStart;
    const before = process.cpuUsage();
    const start = performance.now();
    await inFlight(count, 64, async (n) => {
      const { source, bodyStart } = pick(composed, n);
      await signMessage(source, bodyStart, keys, new Date());
    });
    const seconds = (performance.now() - start) / 1_000;
    const { user, system } = process.cpuUsage(before);
    // The first run is for the compiler.
    if (run === 0) continue;
    hash.push((hashed * 1_000) / count);
    cpu.push((user + system) / count);
    rate.push(count / seconds);
  }
  const size = `${bytes / 1_000} KB`;
  return [
    figure(`body hash, ${size}`, 'µs', hash),
    figure(`both signatures, ${size}: CPU of all threads`, 'µs', cpu),
    figure(`both signatures, ${size}`, '/s', rate),
  ];
}

async function pipeline(
  context: Context,
  keys: readonly SigningKey[],
  bytes: number,
  sink: Sink,
): Promise<readonly Figure[]> {
  const count = context.quick ? 500 : bytes > 50_000 ? 5_000 : 20_000;
  const contents = Array.from({ length: 50 }, (_, seed) => encodeContent(contentOf(seed, bytes)));
  const settings = {
    heloName: 'bench.example',
    outbound: {
      kind: 'relay',
      relay: { host: '127.0.0.1', port: sink.port, tls: 'opportunistic', auth: null },
    } as const,
    mxPort: 25,
    allowPrivateNetworks: true,
    allowMxAliases: false,
    ourselves: { hosts: new Set<string>(), addresses: new Set<string>() },
  };
  const transports = { worked() {}, failed() {} };
  const dns = createDns({ servers: ['127.0.0.1:1'], clock: systemClock });
  const smtp = createSmtpClient({ clock: systemClock });
  const outbound = createOutbound({
    settings,
    smtp,
    dns,
    names: createReverseNames(),
    transports,
    clock: systemClock,
    random: systemRandom,
    log,
    tls,
  });
  const rates: Record<'signed' | 'unsigned', number[]> = { signed: [], unsigned: [] };
  const cpu: Record<'signed' | 'unsigned', number[]> = { signed: [], unsigned: [] };
  for (let run = 0; run <= context.runs; run++) {
    for (const kind of ['unsigned', 'signed'] as const) {
      const signing: SigningKeys | null = kind === 'signed' ? { keysFor: async () => keys } : null;
      const before = process.cpuUsage();
      const seconds = await sendMany(outbound, signing, contents, run === 0 ? 500 : count);
      const { user, system } = process.cpuUsage(before);
      if (run === 0) continue;
      rates[kind].push(count / seconds);
      cpu[kind].push((user + system) / count);
    }
  }
  outbound.close();
  const size = `${bytes / 1_000} KB`;
  const unsigned = figure(`delivered unsigned, ${size}`, '/s', rates.unsigned, { remark: `to ${sink.name}` });
  const signed = figure(`delivered with both signatures, ${size}`, '/s', rates.signed);
  // Without a database the sending itself is all there is, so that the share is larger than in `send` and `e2e`: no target.
  const shares = rates.signed.map((rate, run) => rate / (rates.unsigned[run] ?? Number.NaN));
  return [
    unsigned,
    signed,
    figure(`signed to unsigned, ${size}`, '×', shares, { remark: 'no database' }),
    figure(`CPU of a message unsigned, ${size}`, 'µs', cpu.unsigned),
    figure(`CPU of a message with both signatures, ${size}`, 'µs', cpu.signed),
  ];
}

async function sendMany(
  outbound: Outbound,
  signing: SigningKeys | null,
  contents: readonly Buffer[],
  count: number,
): Promise<number> {
  const prepare = createPreparation({ signing, returnPaths: null, clock: systemClock, log });
  const route = await outbound.route('mail.example', null);
  if (route.kind !== 'destination') throw new Error('the relay is no destination');
  const start = performance.now();
  await inFlight(count, IN_FLIGHT, async (n) => {
    const stored = storedOf(pick(contents, n));
    const prepared = await prepare(stored);
    if (prepared.kind !== 'ready') throw new Error(prepared.reason);
    const { message } = prepared;
    const sending = {
      claim: claimOf(stored),
      reversePath: stored.message.fromAddress,
      message,
      beforeFinalDot: async () => true,
    };
    const { reply, failure } = await outbound.send(route, null, sending);
    if (reply?.code !== 250) throw new Error(`not delivered: ${failure ?? reply?.text}`);
  });
  return (performance.now() - start) / 1_000;
}

async function inFlight(count: number, width: number, work: (n: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let n = next++; n < count; n = next++) await work(n);
  };
  await Promise.all(Array.from({ length: width }, lane));
}

function contentOf(seed: number, bytes: number): StoredContent {
  return {
    ...writeLetter(seed, bytes),
    from: { name: 'Shop', address: `orders@${DOMAIN}` },
    to: [{ name: null, address: 'customer@mail.example' }],
    cc: [],
    replyTo: [],
    headers: [],
    attachments: [],
  };
}

function compose(content: StoredContent): ComposedMessage {
  const date = systemClock.now();
  return composeMessage(content, { messageId: `<1@${DOMAIN}>`, date, seed: '1', feedbackId: null });
}

function storedOf(content: Buffer): StoredMessage {
  const id = ids.next();
  const now = systemClock.now();
  const fromAddress = `orders@${DOMAIN}`;
  const message = {
    bucket: 0,
    accountId: id,
    id,
    serverId: id,
    streamId: id,
    fromAddress,
    fromKey: fromAddress,
    subject: '',
    tag: null,
    metadata: null,
    acceptedAt: now,
    sendAt: null,
    deliverBy: now,
    expiresAt: now,
    messageIdHeader: `<${id}@${DOMAIN}>`,
    attachments: null,
    size: content.length,
    sandboxed: false,
  };
  return { message, content };
}

function claimOf({ message }: StoredMessage): ClaimedRecipient {
  return {
    accountId: message.accountId,
    messageId: message.id,
    ordinal: 0,
    serverId: message.serverId,
    streamId: message.streamId,
    sandboxed: false,
    address: 'customer@mail.example',
    domain: 'mail.example',
    deliverBy: message.deliverBy,
    attempts: 0,
    doubts: 0,
    firstFailedAt: null,
    lostAttemptId: null,
    lostAfterContent: false,
  };
}

function pick<T>(items: readonly T[], n: number): T {
  const item = items[n % items.length];
  if (item === undefined) throw new Error('there is nothing to pick from');
  return item;
}
