// Nothing that strangers send keeps the event loop: from the socket to what is stored, in processor time of its thread.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { domainAddress } from '#/mail/incoming-address.ts';
import { readAttachment, readContentJson } from '#/mail/mime/offload.ts';
import { inboundAddress } from '#/resolvers/inbound/inbound-content.ts';
import { createReceiver, type IncomingReceiver } from '#/resolvers/incoming/receiver.ts';
import { createRecipients } from '#/resolvers/incoming/recipients.ts';
import { systemClock } from '#/runtime/clock.ts';
import { createMailAuthentication, type MailAuthentication } from '#/smtp/authentication/mail-authentication.ts';
import { hostileMails, hostileReports, onTheWire } from '../support/hostile-mails.ts';
import { type InboundServer, inboundServer } from '../support/inbound-server.ts';
import { watchLoop } from '../support/loop-watch.ts';
import { deliveredMail, idle } from '../support/returned-mail.ts';
import { silentLog } from '../support/silent-log.ts';
import { plainAuth } from '../support/smtp-dialogue.ts';
import { type SmtpThread, smtpThread } from '../support/smtp-thread.ts';
import { type SubmissionWorld, submissionWorld } from '../support/submission-world.ts';

const MB = 1024 * 1024;
/**
 * Milliseconds. What is meant is 50, and what was seen is 45 at most; but some kernels count processor time in steps of 4 or
 * 10, and garbage is collected when it is.
 */
const MOST = 100;
/** With CRLF and all it has to stay below 50 MB. */
const INBOUND = 24 * MB;
const RETURNED = 4 * MB;
const SUBMITTED = 9 * MB;

let w: SubmissionWorld;
let server: InboundServer;
let receiver: IncomingReceiver;
let authentication: MailAuthentication;
let client: SmtpThread;
let token: string;
/** A reverse-path for each. */
let paths: readonly string[];
const names = Object.keys(hostileMails);

beforeAll(async () => {
  w = await submissionWorld();
  const { deps } = w.world;
  authentication = createMailAuthentication({ dns: deps.dns, clock: systemClock, log: silentLog, host: 'mx.example' });
  receiver = createReceiver(deps, { authenticate: authentication.authenticate, scoreSpam: null, load: idle });
  server = await inboundServer({ recipients: createRecipients(deps), receiver });
  client = smtpThread();
  token = await w.token();
  const addresses = names.map((_, index) => `b${index}@r.example`);
  paths = (await deliveredMail(w.world, w.account, addresses)).paths;
});

afterAll(async () => {
  await client[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  await receiver[Symbol.asyncDispose]();
  await authentication[Symbol.asyncDispose]();
  await w[Symbol.asyncDispose]();
});

/** Held while it was received and read. */
async function heldBy(work: () => Promise<unknown>): Promise<number> {
  using watch = watchLoop();
  watch.take();
  await work();
  return Math.round(watch.take());
}

async function receive(to: string, mail: string): Promise<number> {
  const source = new Uint8Array(onTheWire(mail));
  return heldBy(async () => {
    expect(await client.post({ port: server.port, tls: false, commands: [], from: '', to, source })).toMatchObject({
      code: 250,
    });
    await receiver.settled();
  });
}

const mailOf = (name: string, size: number) => hostileMails[name]?.(size) ?? '';

describe('mail for an application', () => {
  test.each(names)('%s', { timeout: 60_000 }, async (name) => {
    const held = await receive(inboundAddress(w.world.deps, w.account.serverId), mailOf(name, INBOUND));
    expect(held).toBeLessThan(MOST);
  });
});

describe('what comes back', () => {
  test.each(names)('%s', { timeout: 60_000 }, async (name) => {
    const held = await receive(paths[names.indexOf(name)] ?? '', mailOf(name, RETURNED));
    expect(held).toBeLessThan(MOST);
  });
});

describe('reports', () => {
  test.each(Object.keys(hostileReports('x.example', 1)))('%s', { timeout: 60_000 }, async (name) => {
    const { deps } = w.world;
    const to = domainAddress('report', `vr-bounces.${w.account.domain}`, deps.returnPathSecret);
    const held = await receive(to, hostileReports(w.account.domain, 40_000)[name]?.() ?? '');
    expect(held).toBeLessThan(MOST);
  });
});

describe('what a customer submits', () => {
  test.each(names)('%s', { timeout: 60_000 }, async (name) => {
    const mail = mailOf(name, SUBMITTED).replace(/^From:.*$/m, `From: x@${w.account.domain}`);
    const source = new Uint8Array(onTheWire(mail));
    const held = await heldBy(() =>
      client.post({
        port: w.tlsPort,
        tls: true,
        commands: [plainAuth(token, token)],
        from: `x@${w.account.domain}`,
        to: 'b@r.example',
        source,
      }),
    );
    expect(held).toBeLessThan(MOST);
  });
});

test('a message as the body of a call, and one of its files', { timeout: 60_000 }, async () => {
  const source = onTheWire(mailOf('a file', INBOUND));
  const about = { about: '{"id":"x"}', mostFiles: INBOUND };
  expect(await heldBy(() => readContentJson(source, about))).toBeLessThan(MOST);
  expect(await heldBy(() => readAttachment(source, 0))).toBeLessThan(MOST);
});
