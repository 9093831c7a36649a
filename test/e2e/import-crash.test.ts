// kill -9 of the whole program while a file of suppressions is worked off, several times. Each row counts once, each
// address is suppressed once and told of once.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { request } from '../support/graphql-client.ts';
import { bootstrapProgram, freePort, type Program, type Settings, startProgram } from '../support/program.ts';

const ROWS = 15_000;
/** Every tenth row is the address of an earlier one. */
const DISTINCT = ROWS - ROWS / 10;
/** Rows at which everything is killed. */
const KILLS = [2_000, 6_000, 10_000];

const STREAM = '{ server { stream(slug: "outbound") { id } } }';
const START = `mutation ($id: ID!) { startSuppressionImport(input: { streamId: $id }) {
  ... on StartedSuppressionImport { import { id } upload { url } } } }`;
const LOOK = `query ($id: ID!) { node(id: $id) { ... on SuppressionImport { status rows added alreadySuppressed refused } } }`;
const EXPORT = `mutation ($id: ID!) { exportSuppressions(input: { streamId: $id }) { ... on SuppressionExport { url } } }`;
const EVENTS = `query ($after: String) { server { events(first: 500, after: $after, filter: { types: [SUBSCRIPTION_CHANGED] }) {
  edges { node { recipient } } pageInfo { hasNextPage endCursor } } } }`;

interface Progress {
  readonly status: string;
  readonly rows: number;
  readonly added: number;
  readonly alreadySuppressed: number;
  readonly refused: number;
}

test('nothing is lost or done twice', { timeout: 240_000 }, async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'veredus-import-crash-'));
  const settings: Settings = {
    VEREDUS_DATA_DIR: dataDir,
    VEREDUS_HTTP_PORT: String(await freePort()),
    VEREDUS_ROLES: 'api,maintenance',
    VEREDUS_WORKERS: '2',
    VEREDUS_RATE_LIMIT: '0',
  };
  let program: Program = await startProgram(settings);
  try {
    const order = ['--account', 'Acme', '--owner-email', 'owner@acme.example', '--server', 'Production'];
    const { serverToken } = await bootstrapProgram(settings, order);
    // What was asked for is known where it is asked.
    const ask = (document: string, variables = {}): Promise<any> =>
      request<any>(program.url, serverToken, document, variables);
    const streamId: string = (await ask(STREAM)).server.stream.id;
    const { import: begun, upload } = (await ask(START, { id: streamId })).startSuppressionImport;
    const rows = Array.from({ length: ROWS }, (_, n) => `a${n % 10 === 9 ? n - 5 : n}@r.example\n`);
    const sent = await fetch(upload.url, { method: 'PUT', body: `email\n${rows.join('')}` });
    expect(sent.status).toBe(202);
    const look = async (): Promise<Progress> => (await ask(LOOK, { id: begun.id })).node;
    const until = async (rowsRead: number): Promise<Progress> => {
      for (;;) {
        const progress = await look();
        if (progress.rows >= rowsRead || progress.status === 'COMPLETED') return progress;
        await pause(5);
      }
    };
    const cut: number[] = [];
    for (const kill of KILLS) {
      await until(kill);
      await program.kill();
      program = await startProgram(settings, 60_000);
      cut.push((await look()).rows);
    }
    expect(cut[0]).toBeLessThan(ROWS);
    let progress = await until(ROWS);
    while (progress.status !== 'COMPLETED') progress = await look();
    const alreadySuppressed = ROWS - DISTINCT;
    expect(progress).toEqual({ status: 'COMPLETED', rows: ROWS, added: DISTINCT, alreadySuppressed, refused: 0 });
    const { url } = (await ask(EXPORT, { id: streamId })).exportSuppressions;
    const lines = (await (await fetch(url)).text()).trim().split('\r\n').slice(1);
    expect(new Set(lines.map((line) => line.split(',')[0])).size).toBe(DISTINCT);
    expect(lines).toHaveLength(DISTINCT);
    // The log shows the last ones a moment after their commit.
    let told = await listRecipients(ask);
    for (let looks = 0; looks < 40 && told.length < DISTINCT; looks++) {
      await pause(250);
      told = await listRecipients(ask);
    }
    expect(told).toHaveLength(DISTINCT);
    expect(new Set(told).size).toBe(DISTINCT);
    console.log(`${ROWS} rows, killed at ${cut.join(', ')}: nothing lost, nothing twice`);
  } finally {
    await program.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
});

interface Page {
  readonly edges: readonly { readonly node: { readonly recipient: string } }[];
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
}

async function listRecipients(ask: (document: string, variables?: object) => Promise<any>): Promise<string[]> {
  const recipients: string[] = [];
  for (let after: string | null = null; ; ) {
    const page: Page = (await ask(EVENTS, { after })).server.events;
    recipients.push(...page.edges.map(({ node }) => node.recipient));
    if (!page.pageInfo.hasNextPage) return recipients;
    after = page.pageInfo.endCursor;
  }
}
