// Mail that comes in over SMTP to the real program reaches the webhook of its server, whatever is killed meanwhile, and is
// counted once.
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createTransport } from 'nodemailer';
import { expect, test } from 'vitest';
import { request } from '../support/graphql-client.ts';
import { bootstrapProgram, environment, freePort, type Settings, startProgram } from '../support/program.ts';
import { startSink } from '../support/webhook-sink.ts';
import { until } from '../support/webhook-world.ts';

const run = promisify(execFile);
const bin = join(import.meta.dirname, '../../bin/veredus');
const MAILS = 60;
const UPDATE =
  'mutation ($input: UpdateInboundInput!) { updateInbound(input: $input) { __typename ... on Error { message } } }';
const ADDRESS = 'query ($id: ID) { server(id: $id) { inbound { address } } }';
const STATS = `query ($from: DateTime!, $to: DateTime!) { server {
  stats(from: $from, to: $to, interval: TOTAL) { buckets { inbound } } } }`;

interface Stats {
  readonly server: { readonly stats: { readonly buckets: readonly { readonly inbound: number }[] } };
}

test('no message is lost on its way to the webhook', { timeout: 180_000 }, async () => {
  await using sink = await startSink();
  const dataDir = await mkdtemp(join(tmpdir(), 'veredus-inbound-'));
  const port = await freePort();
  const settings: Settings = {
    VEREDUS_DATA_DIR: dataDir,
    VEREDUS_HTTP_PORT: String(await freePort()),
    VEREDUS_INBOUND_PORT: String(port),
    VEREDUS_MAIL_HOST: 'mail.veredus.example',
    VEREDUS_ALLOW_PRIVATE_NETWORKS: 'true',
    VEREDUS_WORKERS: '2',
  };
  let program = await startProgram(settings);
  try {
    const args = ['--account', 'Acme', '--owner-email', 'o@acme.example', '--server', 'Main', '--delivery', 'sandbox'];
    const { serverId, serverToken, accountToken } = await bootstrapProgram(settings, args);
    const input = { serverId, url: sink.url };
    const made = await request<{ updateInbound: object }>(program.url, accountToken, UPDATE, { input });
    expect(made.updateInbound).toEqual({ __typename: 'Server' });
    const found = await request<{ server: { inbound: { address: string } } }>(program.url, accountToken, ADDRESS, {
      id: serverId,
    });
    const { address } = found.server.inbound;
    // After some, calls are not answered any more until all is killed: what was begun then comes again.
    let calls = 0;
    sink.answer(() => (++calls > 20 ? 'hang' : 204));
    const transport = createTransport({ host: '127.0.0.1', port, pool: true, ignoreTLS: true, maxConnections: 4 });
    for (let index = 0; index < MAILS; index++)
      await transport.sendMail({ from: 'ann@sender.example', to: address, subject: `Mail ${index}`, text: 'Hello.' });
    transport.close();
    await until(() => calls > 20, 'calls that hang', 30_000);
    await program.kill();
    sink.answer(204);
    program = await startProgram(settings);
    const subjects = () => new Set(sink.received.map(({ event }) => event['subject']));
    await until(() => subjects().size === MAILS, 'all messages', 60_000);
    const day = 86_400_000;
    const range = { from: new Date(Date.now() - day).toISOString(), to: new Date(Date.now() + day).toISOString() };
    const counted = async () => {
      const { server } = await request<Stats>(program.url, serverToken, STATS, range);
      return server.stats.buckets[0]?.inbound;
    };
    await until(async () => (await counted()) === MAILS, 'all counted', 30_000);
    const { stdout } = await run(bin, ['recount', '--json'], { env: environment(settings) });
    expect(JSON.parse(stdout)).toEqual({ rows: MAILS, equal: true, repaired: false });
  } finally {
    await program.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
});
