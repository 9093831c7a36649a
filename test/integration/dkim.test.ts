// Both signatures on messages of every kind, before verifiers that others wrote: as they leave us, and after a trip through
// mail servers that others wrote.
import { createPublicKey } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { composeMessage, type ComposedMessage } from '#/mail/compose.ts';
import { generateDkimKeys, readPrivateKey, recordOf } from '#/mail/dkim/keys.ts';
import { type SigningKey, signMessage } from '#/mail/dkim/sign.ts';
import { fromDomain } from '#/mail/message-identity.ts';
import type { SmtpSession } from '#/runtime/ports.ts';
import { only, opendkim, type PublishedKeys, verifyByMailauth, verifyByOpendkim } from '../support/dkim-verifiers.ts';
import {
  type CorpusItem,
  fromDomains,
  hasSharedCorpus,
  madeItems,
  sharedItems,
  utf8Items,
} from '../support/mail-corpus.ts';
import { type MailServer, startExim, startPostfix } from '../support/mail-servers.ts';
import { open } from '../support/smtp-client.ts';
import { type SmtpPeer, startSmtpPeer } from '../support/smtp-peer.ts';

interface Signed {
  readonly name: string;
  readonly id: string;
  readonly composed: ComposedMessage;
  readonly signatures: Buffer;
}

const NOW = new Date();
const RSA = 'rsa2026';
const ED = 'ed2026';
const published = new Map<string, string>();
const keysOf = new Map<string, readonly SigningKey[]>();
let signed: readonly Signed[] = [];
/** What the trips go with: all but the second half of the shared corpus, which says the same once more. */
let travelling: readonly Signed[] = [];

beforeAll(async () => {
  const made = await generateDkimKeys();
  for (const domain of fromDomains) {
    const rsa = readPrivateKey(made.rsa.privateKey);
    const ed25519 = readPrivateKey(made.ed25519.privateKey);
    published.set(`${RSA}._domainkey.${domain}`, recordOf(createPublicKey(rsa)));
    published.set(`${ED}._domainkey.${domain}`, made.ed25519.record);
    keysOf.set(domain, [
      { domain, selector: RSA, algorithm: 'rsa-sha256', privateKey: rsa },
      { domain, selector: ED, algorithm: 'ed25519-sha256', privateKey: ed25519 },
    ]);
  }
  const items = [...madeItems(), ...utf8Items(), ...(hasSharedCorpus ? await sharedItems() : [])];
  signed = await Promise.all(items.map(sign));
  travelling = signed.filter(({ name }) => !name.endsWith(' attached'));
}, 60_000);

async function sign({ name, content }: CorpusItem, index: number): Promise<Signed> {
  const domain = fromDomain({ fromAddress: content.from.address });
  const id = `<${index}@${domain}>`;
  const identity = { messageId: id, date: NOW, seed: String(index), feedbackId: 'a:b:c:sender' };
  const composed = composeMessage(content, identity);
  const signatures = await signMessage(composed.source, composed.bodyStart, keysOf.get(domain) ?? [], NOW);
  return { name, id, composed, signatures };
}

const wire = ({ composed, signatures }: Signed) => Buffer.concat([signatures, composed.source]);

/** Names of what does not pass, with the reason: nothing is expected. */
async function failuresOf(
  messages: readonly { readonly name: string; readonly raw: Buffer }[],
  keys: PublishedKeys = published,
): Promise<string[]> {
  const failures: string[] = [];
  for (const { name, raw } of messages) {
    const verdicts = await verifyByMailauth(raw, keys);
    if (verdicts.map(({ selector, result }) => `${selector} ${result}`).join(', ') !== `${RSA} pass, ${ED} pass`) {
      failures.push(`mailauth, ${name}: ${JSON.stringify(verdicts)}`);
    }
  }
  if (opendkim === null) return failures;
  for (const selector of [RSA, ED]) {
    const verdicts = await verifyByOpendkim(
      opendkim,
      messages.map(({ raw }) => only(raw, selector)),
      keys,
    );
    messages.forEach(({ name }, index) => {
      const verdict = verdicts[index];
      if (verdict?.selector !== selector || verdict.result !== 'pass') {
        failures.push(`opendkim, ${name}: ${JSON.stringify(verdict)}`);
      }
    });
  }
  return failures;
}

test('the corpus is large enough, and what is there of the rest is said', ({ annotate }) => {
  expect(madeItems().length).toBeGreaterThanOrEqual(200);
  if (opendkim === null) void annotate('opendkim is not installed: only mailauth verifies');
  if (!hasSharedCorpus) void annotate('the shared MIME corpus is not there: only our own messages are verified');
});

test.skipIf(opendkim === null)('opendkim is one of the verifiers', () => {
  expect(opendkim).toMatch(/opendkim$/);
});

test.skipIf(!hasSharedCorpus)('the shared MIME corpus is part of it', () => {
  expect(signed.filter(({ name }) => name.endsWith(' again')).length).toBeGreaterThan(100);
});

test('both signatures of every message pass', { timeout: 60_000 }, async () => {
  expect(await failuresOf(signed.map((one) => ({ name: one.name, raw: wire(one) })))).toEqual([]);
});

test('and what was changed does not', async () => {
  const one = signed.find(({ name }) => name === 'one word, small HTML');
  if (one === undefined) throw new Error('nothing was signed');
  const raw = wire(one);
  const changed = Buffer.from(raw);
  changed[raw.indexOf('Hello')] = 0x4a;
  const added = Buffer.concat([Buffer.from('Subject: Something else\r\n'), raw]);
  const other = new Map([...published].map(([name, record]) => [name, `${record.slice(0, -30)}${'A'.repeat(29)}=`]));
  const verifiers = opendkim === null ? 1 : 3;
  expect(await failuresOf([{ name: 'body', raw: changed }])).toHaveLength(verifiers);
  expect(await failuresOf([{ name: 'header', raw: added }])).toHaveLength(verifiers);
  expect(await failuresOf([{ name: 'key', raw }], other)).toHaveLength(verifiers);
});

describe.each([
  ['Postfix', startPostfix],
  ['Exim', startExim],
] as const)('after a trip through %s', (_name, start) => {
  let peer: SmtpPeer;
  let server: MailServer | string;

  beforeAll(async () => {
    peer = await startSmtpPeer({ extensions: ['PIPELINING', 'SIZE 50000000', '8BITMIME', 'SMTPUTF8'] });
    server = await start(peer.port);
  }, 60_000);

  afterAll(async () => {
    if (typeof server !== 'string') await server[Symbol.asyncDispose]();
    await peer.close();
  });

  test('both signatures pass', { timeout: 60_000 }, async ({ skip }) => {
    if (typeof server === 'string') return skip(server);
    await sendAll(server.port);
    const arrived = await collect(peer);
    expect(arrived.filter(({ received }) => received === 0).map(({ name }) => name)).toEqual([]);
    expect(await failuresOf(arrived)).toEqual([]);
  });
});

/** Over several sessions, for a mail server syncs each message before it answers. */
async function sendAll(port: number): Promise<void> {
  const timeouts = { connect: 5_000, greeting: 10_000, command: 10_000, data: 20_000, finalDot: 20_000 };
  const sessions = await Promise.all(Array.from({ length: 8 }, () => open({ port }, { timeouts })));
  const waiting = [...travelling];
  const work = async (session: SmtpSession): Promise<void> => {
    for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) {
      const { composed, signatures } = one;
      const result = await session.send({
        reversePath: 'shop@b.example',
        recipients: ['anna@c.example'],
        size: composed.size + signatures.length,
        eightBit: composed.eightBit,
        smtpUtf8: composed.smtpUtf8,
        content: [signatures, composed.source],
        beforeFinalDot: async () => {},
      });
      if (result.reply?.code !== 250) throw new Error(`${one.name}: ${result.failure ?? result.reply?.text}`);
    }
    await session.close();
  };
  await Promise.all(sessions.map(work));
}

/** What came out at the other end, in our order, with how many Received fields it got on the way. */
async function collect(peer: SmtpPeer) {
  const end = performance.now() + 45_000;
  while (peer.messages.length < travelling.length && performance.now() < end) await sleep(50);
  const byId = new Map(peer.messages.map(({ raw }) => [messageIdOf(raw), raw]));
  return travelling.map(({ name, id }) => {
    const raw = byId.get(id) ?? Buffer.alloc(0);
    return { name, raw, received: raw.toString('latin1').match(/^Received:/gm)?.length ?? 0 };
  });
}

function messageIdOf(raw: Buffer): string {
  const header = raw.toString('latin1', 0, raw.indexOf('\r\n\r\n'));
  return /^Message-ID:\s*(\S+)/im.exec(header)?.[1] ?? '';
}
