// kill -9 of the whole program while mails are accepted and delivered, several times. Every accepted mail must end as one
// copy at the receiver, or be shown as in doubt; none may be lost, none silently doubled.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { request } from '../support/graphql-client.ts';
import { bootstrapProgram, freePort, type Program, type Settings, startProgram } from '../support/program.ts';
import { startSmtpPeer } from '../support/smtp-peer.ts';

const MAILS = 20_000;
const BATCH = 250;
/** Copies at the receiver at which everything is killed. */
const KILLS = [2_000, 7_000, 13_000];

const SEND = `mutation ($input: SendEmailsInput!) {
  sendEmails(input: $input) { __typename ... on Message { id } ... on Error { code message } }
}`;
const LIST = `query ($after: String) { server { messages(first: 100, after: $after) {
  edges { node { id recipients { address status } } } pageInfo { hasNextPage endCursor }
} } }`;
const STREAM = `{ server { stream(slug: "outbound") { id } } }`;
const NEVER_TWICE = `mutation ($id: ID!) { updateStream(input: { id: $id, inDoubt: NEVER_TWICE }) { __typename } }`;
const OPEN = `query { server {
  queued: messages(first: 1, filter: { status: QUEUED }) { edges { cursor } }
  delayed: messages(first: 1, filter: { status: DELAYED }) { edges { cursor } }
} }`;

interface Sent {
  readonly __typename: string;
  readonly id?: string;
  readonly message?: string;
}

test('nothing accepted is lost or silently doubled', { timeout: 240_000 }, async () => {
  await using peer = await startSmtpPeer();
  const dataDir = await mkdtemp(join(tmpdir(), 'veredus-crash-'));
  const settings: Settings = {
    VEREDUS_DATA_DIR: dataDir,
    VEREDUS_HTTP_PORT: String(await freePort()),
    VEREDUS_OUTBOUND: 'relay',
    VEREDUS_RELAY_URL: `smtp://127.0.0.1:${peer.port}`,
    VEREDUS_WORKERS: '2',
    VEREDUS_RATE_LIMIT: '0',
  };
  let program: Program = await startProgram(settings);
  try {
    const { serverToken } = await bootstrapProgram(settings, [
      '--account',
      'Acme',
      '--owner-email',
      'owner@acme.example',
      '--server',
      'Production',
      '--verified-domain',
      'acme.example',
    ]);
    // What is in doubt stays so, and is not sent again; the other policy is tried by `npm run chaos`.
    const { server } = await request<{ server: { stream: { id: string } } }>(program.url, serverToken, STREAM);
    await request(program.url, serverToken, NEVER_TWICE, server.stream);
    const accepted = new Set<string>();

    /** The same keys until the batch is answered: what a client does whose connection was cut. */
    const send = async (first: number): Promise<void> => {
      const messages = Array.from({ length: BATCH }, (_, index) => ({
        from: 'noreply@acme.example',
        to: [`r${first + index}@receiver.example`],
        subject: `Mail ${first + index}`,
        text: 'Your code is 123456.\n'.repeat(20),
        idempotencyKey: `crash-${first + index}`,
      }));
      for (;;) {
        try {
          const answer = await request<{ sendEmails: Sent[] }>(program.url, serverToken, SEND, { input: { messages } });
          for (const sent of answer.sendEmails) {
            if (sent.id === undefined) throw new Error(`${sent.__typename}: ${sent.message}`);
            accepted.add(sent.id);
          }
          return;
        } catch (error) {
          if (error instanceof Error && error.message.startsWith('Invalid')) throw error;
          await pause(200);
        }
      }
    };

    const sending = (async () => {
      for (let first = 0; first < MAILS; first += BATCH) await send(first);
    })();
    for (const copies of KILLS) {
      await peer.until(({ messages }) => messages.length >= copies);
      await program.kill();
      program = await startProgram(settings);
    }
    await sending;
    expect(accepted.size).toBe(MAILS);

    for (;;) {
      const { server } = await request<{ server: Record<'queued' | 'delayed', { edges: unknown[] }> }>(
        program.url,
        serverToken,
        OPEN,
      );
      if (server.queued.edges.length === 0 && server.delayed.edges.length === 0) break;
      await pause(250);
    }
    const statuses = await listStatuses(program.url, serverToken);
    expect(statuses.size).toBe(MAILS);
    const copies = new Map<string, number>();
    for (const { recipients } of peer.messages)
      for (const address of recipients) copies.set(address, (copies.get(address) ?? 0) + 1);
    const wrong = [...statuses].filter(([address, status]) => {
      const got = copies.get(address) ?? 0;
      return status === 'DELIVERED' ? got !== 1 : status === 'IN_DOUBT' ? got > 1 : true;
    });
    expect(wrong).toEqual([]);
    const inDoubt = [...statuses.values()].filter((status) => status === 'IN_DOUBT').length;
    console.log(`${MAILS} mails, ${KILLS.length} kills: ${inDoubt} in doubt, 0 lost, 0 doubled`);
  } finally {
    await program.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
});

async function listStatuses(url: string, token: string): Promise<Map<string, string>> {
  interface Page {
    readonly server: {
      readonly messages: {
        readonly edges: readonly {
          readonly node: { readonly recipients: readonly { readonly address: string; readonly status: string }[] };
        }[];
        readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
      };
    };
  }
  const statuses = new Map<string, string>();
  for (let after: string | null = null, more = true; more; ) {
    const { server }: Page = await request<Page>(url, token, LIST, { after });
    for (const { node } of server.messages.edges)
      for (const { address, status } of node.recipients) statuses.set(address, status);
    after = server.messages.pageInfo.endCursor;
    more = server.messages.pageInfo.hasNextPage;
  }
  return statuses;
}
