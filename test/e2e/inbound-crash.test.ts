// kill -9 of the whole program while mail comes in, several times. Every mail that was answered with 250 is there once.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { createTransport } from 'nodemailer';
import { expect, test } from 'vitest';
import { request } from '../support/graphql-client.ts';
import { bootstrapProgram, freePort, type Program, type Settings, startProgram } from '../support/program.ts';

const MAILS = 1_500;
/** Twice the lease of an arrival. */
const PATIENCE_MS = 120_000;
const SESSIONS = 20;
/** Answers at which everything is killed. */
const KILLS = [200, 600, 1_000];

const LIST = `query ($after: String) { server { inboundMessages(first: 100, after: $after) {
  edges { node { subject } } pageInfo { hasNextPage endCursor } } } }`;
type Page = {
  server: {
    inboundMessages: {
      edges: { node: { subject: string } }[];
      pageInfo: { hasNextPage: boolean; endCursor: string | null };
    };
  };
};

test('nothing that was answered with 250 is lost, or there twice', { timeout: 240_000 }, async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'veredus-inbound-crash-'));
  const port = await freePort();
  const settings: Settings = {
    VEREDUS_DATA_DIR: dataDir,
    VEREDUS_HTTP_PORT: String(await freePort()),
    VEREDUS_INBOUND_PORT: String(port),
    VEREDUS_MAIL_HOST: 'mail.example',
    VEREDUS_ROLES: 'api,inbound,maintenance',
    VEREDUS_WORKERS: '2',
    VEREDUS_RATE_LIMIT: '0',
  };
  let program: Program = await startProgram(settings);
  try {
    const order = ['--account', 'Acme', '--owner-email', 'owner@acme.example', '--server', 'Production'];
    const { serverToken } = await bootstrapProgram(settings, order);
    const { server } = await request<{ server: { inbound: { address: string } } }>(
      program.url,
      serverToken,
      '{ server { inbound { address } } }',
    );
    const { address } = server.inbound;
    const accepted = new Set<string>();
    let next = 0;
    /** Each mail once, unless nobody was there to hear of it: what was not answered may or may not have been taken. */
    const sender = async (): Promise<void> => {
      while (next < MAILS) {
        const subject = `Mail ${next++}`;
        const raw = `From: ann@peer.example\r\nSubject: ${subject}\r\n\r\n${'Hello.\r\n'.repeat(300)}`;
        for (let unheard = true; unheard; ) {
          const transport = createTransport({ host: '127.0.0.1', port, ignoreTLS: true, name: 'peer.example' });
          try {
            await transport.sendMail({ envelope: { from: 'ann@peer.example', to: [address] }, raw });
            accepted.add(subject);
            unheard = false;
          } catch (error) {
            unheard = error instanceof Error && error.message.includes('ECONNREFUSED');
            await pause(100);
          }
          transport.close();
        }
      }
    };
    const sending = Promise.all(Array.from({ length: SESSIONS }, sender));
    for (const answers of KILLS) {
      while (accepted.size < answers && next < MAILS) await pause(5);
      await program.kill();
      program = await startProgram(settings, 60_000);
    }
    await sending;
    const stored = new Map<string, number>();
    const lost = () => [...accepted].filter((subject) => !stored.has(subject));
    // What a killed process had accepted and not read is read by another when its lease has ended.
    for (const end = performance.now() + PATIENCE_MS; performance.now() < end; ) {
      stored.clear();
      for (const subject of await listSubjects(program.url, serverToken))
        stored.set(subject, (stored.get(subject) ?? 0) + 1);
      if (lost().length === 0) break;
      await pause(250);
    }
    expect(accepted.size).toBeGreaterThan(MAILS / 4);
    expect(lost()).toEqual([]);
    expect([...stored].filter(([, copies]) => copies !== 1)).toEqual([]);
    console.log(`${MAILS} mails, ${KILLS.length} kills: ${accepted.size} accepted, 0 lost, 0 doubled`);
  } finally {
    await program.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
});

async function listSubjects(url: string, token: string): Promise<string[]> {
  const subjects: string[] = [];
  for (let after: string | null = null; ; ) {
    const page: Page = await request<Page>(url, token, LIST, { after });
    const { edges, pageInfo } = page.server.inboundMessages;
    subjects.push(...edges.map(({ node }) => node.subject));
    if (!pageInfo.hasNextPage) return subjects;
    after = pageInfo.endCursor;
  }
}
