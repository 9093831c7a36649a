// kill -9 of the whole program, several times, while webhooks are called whose endpoints fail now and then: every event of the
// log must reach every endpoint, as often as it likes but at least once, and be shown as taken.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { request } from '../support/graphql-client.ts';
import { bootstrapProgram, freePort, type Program, type Settings, startProgram } from '../support/program.ts';
import { startSink } from '../support/webhook-sink.ts';

const MAILS = 3_000;
const BATCH = 100;
/** Calls at the first endpoint at which everything is killed. */
const KILLS = [300, 1_000, 2_000];

const SEND = `mutation ($input: SendEmailsInput!) { sendEmails(input: $input) { __typename ... on Error { message } } }`;
const CREATE = `mutation ($input: CreateWebhookInput!) {
  createWebhook(input: $input) { __typename ... on Error { message } ... on IssuedWebhook { webhook { id } } } }`;
const OPEN = `query ($id: ID!) { node(id: $id) { ... on Webhook { health
  pending: deliveries(first: 1, state: PENDING) { edges { cursor } }
  failed: deliveries(first: 1, state: FAILED) { edges { cursor } } } } }`;
const EVENTS = `query ($after: String) { server { events(first: 500, after: $after, filter: { types: [ACCEPTED] }) {
  edges { node { id } } pageInfo { hasNextPage endCursor } } } }`;

interface Created {
  readonly createWebhook: { readonly message?: string; readonly webhook?: { readonly id: string } };
}
interface Seen {
  readonly node: { readonly health: string } & Record<'pending' | 'failed', { readonly edges: readonly unknown[] }>;
}

test('no event is lost', { timeout: 240_000 }, async () => {
  await using steady = await startSink();
  await using shaky = await startSink();
  const dataDir = await mkdtemp(join(tmpdir(), 'veredus-webhooks-'));
  const settings: Settings = {
    VEREDUS_DATA_DIR: dataDir,
    VEREDUS_HTTP_PORT: String(await freePort()),
    VEREDUS_ALLOW_PRIVATE_NETWORKS: 'true',
    VEREDUS_OUTBOUND: 'relay',
    VEREDUS_RELAY_URL: 'smtp://127.0.0.1:9',
    VEREDUS_WORKERS: '2',
    VEREDUS_RATE_LIMIT: '0',
  };
  let program: Program = await startProgram(settings);
  try {
    const args = ['--account', 'Acme', '--owner-email', 'o@acme.example', '--server', 'Production'];
    const made = await bootstrapProgram(settings, [...args, '--verified-domain', 'acme.example']);
    const webhooks: string[] = [];
    for (const { url } of [steady, shaky]) {
      const input = { serverId: made.serverId, url, events: ['ACCEPTED'] };
      const { createWebhook } = await request<Created>(program.url, made.accountToken, CREATE, { input });
      if (createWebhook.webhook === undefined) throw new Error(createWebhook.message);
      webhooks.push(createWebhook.webhook.id);
    }
    // Of each event at most two calls: the third pause is two minutes.
    const failures = new Map<string, number>();
    let calls = 0;
    shaky.answer(({ id }) => {
      const failed = failures.get(id) ?? 0;
      if (++calls % 4 !== 0 || failed === 2) return 200;
      failures.set(id, failed + 1);
      return calls % 8 === 0 ? 500 : 'reset';
    });

    const sending = (async () => {
      for (let first = 0; first < MAILS; ) {
        const messages = Array.from({ length: BATCH }, (_, index) => ({
          from: 'noreply@acme.example',
          to: [`r${first + index}@receiver.example`],
          text: 'Hello',
          idempotencyKey: `webhooks-${first + index}`,
        }));
        const sent = await request(program.url, made.serverToken, SEND, { input: { messages } }).catch(() => null);
        if (sent === null) await pause(200);
        else first += BATCH;
      }
    })();
    for (const count of KILLS) {
      while (steady.received.length < count) await pause(5);
      await program.kill();
      program = await startProgram(settings);
    }
    await sending;

    const events = await listEvents(program.url, made.serverToken);
    expect(events.size).toBe(MAILS);
    for (const [index, sink] of [steady, shaky].entries()) {
      for (;;) {
        const { node } = await request<Seen>(program.url, made.accountToken, OPEN, { id: webhooks[index] });
        const got = new Set(sink.received.map(({ id }) => id));
        expect(node.failed.edges).toEqual([]);
        if (node.pending.edges.length === 0 && got.size === MAILS) break;
        await pause(250);
      }
      expect(new Set(sink.received.map(({ id }) => id))).toEqual(events);
    }
    console.log(`${MAILS} events, ${KILLS.length} kills: ${steady.received.length - MAILS} doubled, 0 lost`);
  } finally {
    await program.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
});

async function listEvents(url: string, token: string): Promise<Set<string>> {
  interface Page {
    readonly server: {
      readonly events: {
        readonly edges: readonly { readonly node: { readonly id: string } }[];
        readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
      };
    };
  }
  const ids = new Set<string>();
  for (let after: string | null = null, more = true; more; ) {
    const { server }: Page = await request<Page>(url, token, EVENTS, { after });
    for (const { node } of server.events.edges) ids.add(node.id);
    after = server.events.pageInfo.endCursor;
    more = server.events.pageInfo.hasNextPage;
  }
  return ids;
}
