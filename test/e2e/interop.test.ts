// Mail of all kinds from the real program to mail servers that others wrote: Debian's Postfix, Exim and OpenSMTPD, each of
// which hands on what it got. Bodies arrive octet for octet, and signatures hold.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { only, opendkim, verifyByMailauth, verifyByOpendkim } from '../support/dkim-verifiers.ts';
import { type MailServer, startExim, startOpenSmtpd, startPostfix } from '../support/mail-servers.ts';
import { nastyMails } from '../support/nasty-mails.ts';
import { freePort } from '../support/program.ts';
import type { Scenario } from '../support/scenario.ts';
import { type ScenarioWorld, scenarioWorld, type SeenMessage } from '../support/scenario-world.ts';
import { type ReceivedMessage, type SmtpPeer, startSmtpPeer } from '../support/smtp-peer.ts';

const servers = [
  ['Postfix', '127.78.0.1', startPostfix],
  ['Exim', '127.78.0.2', startExim],
  ['OpenSMTPD', '127.78.0.3', startOpenSmtpd],
] as const;
type Name = (typeof servers)[number][0];

/** One mail to somebody at each. */
const scenario: Scenario = {
  name: 'interop',
  hosts: {},
  dns: ({ domain }) =>
    Object.fromEntries(
      servers.flatMap(([name, address]) => [
        [`${name.toLowerCase()}.${domain}`, { MX: [`10 mx.${name.toLowerCase()}.${domain}`] }],
        [`mx.${name.toLowerCase()}.${domain}`, { A: [address] }],
      ]),
    ),
  mails: nastyMails.map((mail) => ({ ...mail, to: servers.map(([name]) => `ann@${name.toLowerCase()}.`) })),
  story: [],
};

let peer: SmtpPeer;
let world: ScenarioWorld;
let messages: readonly SeenMessage[] = [];
const started = new Map<Name, MailServer | string>();

beforeAll(async () => {
  const port = await freePort();
  peer = await startSmtpPeer({ extensions: ['PIPELINING', 'SIZE 50000000', '8BITMIME', 'SMTPUTF8'] });
  await Promise.all(
    servers.map(async ([name, address, start]) => started.set(name, await start(peer.port, { address, port }))),
  );
  world = await scenarioWorld([scenario], { VEREDUS_MX_PORT: String(port) });
  const here = servers.filter(([name]) => typeof started.get(name) !== 'string').map(([name]) => name.toLowerCase());
  const isHere = (address: string) => here.some((name) => address.startsWith(`ann@${name}.`));
  messages = await world.messages(
    scenario,
    (seen) => seen.every(({ recipients }) => recipients.every((one) => !isHere(one.address) || isOver(one.status))),
    60_000,
  );
  const expected = messages.flatMap(({ recipients }) => recipients).filter(({ status }) => status === 'DELIVERED');
  await Promise.race([
    peer.until((one) => one.messages.length >= expected.length),
    new Promise((resolve) => setTimeout(resolve, 45_000).unref()),
  ]);
}, 300_000);

afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
  for (const server of started.values()) if (typeof server !== 'string') await server[Symbol.asyncDispose]();
  await peer?.close();
});

describe.each(servers.map(([name]) => name))('%s', (name) => {
  test('takes every mail', ({ skip }) => {
    absent(name, skip);
    const untaken = messages.flatMap(({ recipients }, index) =>
      recipients
        .filter(({ address, status }) => isAt(name, address) && status !== 'DELIVERED')
        .map(({ status, attempts }) => `${nastyMails[index]?.name}: ${status} ${attempts.at(-1)?.response}`),
    );
    expect(untaken).toEqual([]);
  });

  test.for(nastyMails.map(({ name: title }, index) => ({ title, index })))('$title', ({ index }, { skip }) => {
    absent(name, skip);
    const arrived = arrivedAt(name, index);
    expect(arrived?.raw.toString('latin1'), 'it did not come by way of the server').toMatch(
      /^Received: .*relay\.test/ms,
    );
    const body = bodyOf(arrived?.raw.toString('latin1') ?? '');
    const { source, arrives } = nastyMails[index] ?? {};
    expect(body).toBe(source === undefined ? bodyOf(sourceOf(index)) : (arrives ?? bodyOf(source)));
  });

  test('both signatures of every mail pass', { timeout: 60_000 }, async ({ skip }) => {
    absent(name, skip);
    const raws = nastyMails.flatMap((_, index) => arrivedAt(name, index)?.raw ?? []);
    const failures: string[] = [];
    for (const [index, raw] of raws.entries()) {
      const verdicts = await verifyByMailauth(raw, world.keys);
      if (verdicts.map(({ result }) => result).join() !== 'pass,pass')
        failures.push(`mailauth, ${nastyMails[index]?.name}: ${JSON.stringify(verdicts)}`);
    }
    if (opendkim !== null) {
      for (const key of world.keys.keys()) {
        const selector = key.split('.')[0] ?? '';
        const verdicts = await verifyByOpendkim(
          opendkim,
          raws.map((raw) => only(raw, selector)),
          world.keys,
        );
        verdicts.forEach(({ result }, index) => {
          if (result !== 'pass') failures.push(`opendkim, ${nastyMails[index]?.name}: ${result}`);
        });
      }
    }
    expect(failures).toEqual([]);
  });
});

function absent(name: Name, skip: (reason: string) => never): void {
  const server = started.get(name);
  if (typeof server === 'string') skip(server);
}

const isOver = (status: string) => status === 'DELIVERED' || status === 'BOUNCED';
const isAt = (name: Name, address: string) => address.startsWith(`ann@${name.toLowerCase()}.`);

function arrivedAt(name: Name, index: number): ReceivedMessage | undefined {
  const id = /^Message-ID:\s*(\S+)/im.exec(sourceOf(index))?.[1];
  return peer.messages.find(({ messageId, recipients: [to = ''] }) => messageId === id && isAt(name, to));
}

/** As UTF-8 in the answer, and here as its octets. */
function sourceOf(index: number): string {
  return Buffer.from(messages[index]?.source ?? '').toString('latin1');
}

function bodyOf(raw: string): string {
  return raw.slice(raw.indexOf('\r\n\r\n') + 4);
}
