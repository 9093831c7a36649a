// Suppressions from files and as files: links, upload and download over HTTP, and the work in between.
import { request as httpRequest } from 'node:http';
import { CompiledQuery, createQueryId, type RootOperationNode, sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemScope, writeInSystemScope } from '#/db/scope.ts';
import { tryToImport } from '#/db/suppression-imports.ts';
import { insertSuppressions, pageForBearer } from '#/db/suppressions.ts';
import { addressHash } from '#/domain/suppression.ts';
import {
  EXPORT_MINUTES,
  IMPORT_BATCH,
  IMPORT_KEPT_DAYS,
  MAX_IMPORT_BYTES,
  MAX_IMPORT_PROBLEMS,
  MAX_OPEN_IMPORTS,
  PIECE_BYTES,
  UPLOAD_MINUTES,
} from '#/domain/suppression-file.ts';
import { decodeIdOf } from '#/domain/ids.ts';
import { keepHouse } from '#/maintenance/housekeeping.ts';
import { importBatch } from '#/maintenance/suppression-imports.ts';
import { openSuppressionExport } from '#/resolvers/suppressions/export-suppressions.ts';
import { receiveSuppressionFile } from '#/resolvers/suppressions/receive-suppression-file.ts';
import { type App, type AppAccount, startApp } from '../support/app.ts';
import { request } from '../support/graphql-client.ts';

const START = `mutation ($input: StartSuppressionImportInput!) { startSuppressionImport(input: $input) { __typename
  ... on Error { code message } ... on StartedSuppressionImport { import { id status } upload { url expiresAt } } } }`;
const EXPORT = `mutation ($input: ExportSuppressionsInput!) { exportSuppressions(input: $input) { __typename
  ... on Error { code } ... on SuppressionExport { url expiresAt } } }`;
const LOOK = `query ($id: ID!) { node(id: $id) { ... on SuppressionImport { status bytes bytesRead rows added alreadySuppressed
  refused problems { line message } failure startedBy finishedAt } } }`;
const STREAM =
  '{ server { stream(slug: "outbound") { id suppressionImports(first: 100) { edges { node { id } } } } } }';
const LIST = `{ server { stream(slug: "outbound") { suppressions(first: 100) { edges { node { address reason origin note } } } } } }`;
const EVENTS = `{ server { events(first: 100, filter: { types: [SUBSCRIPTION_CHANGED] }) { edges { node { recipient
  ... on SubscriptionChangedEvent { suppressed reason origin } } } } } }`;

let app: App;
beforeAll(async () => {
  app = await startApp({ VEREDUS_ROLES: 'api', VEREDUS_RATE_LIMIT: '0' });
});
afterAll(() => app[Symbol.asyncDispose]());

/** An account with its stream. */
async function scene() {
  const a = await app.account();
  const { server } = await ask(a, STREAM);
  return { a, streamId: server.stream.id as string };
}

// What was asked for is known where it is asked.
const ask = (a: AppAccount, document: string, variables: Record<string, unknown> = {}): Promise<any> =>
  request<any>(app.url, a.serverToken, document, variables);

async function start(a: AppAccount, streamId: string, note: string | null = null) {
  const { startSuppressionImport: started } = await ask(a, START, { input: { streamId, note } });
  expect(started.__typename).toBe('StartedSuppressionImport');
  const path = new URL(started.upload.url).pathname;
  return { id: started.import.id as string, path, expiresAt: started.upload.expiresAt as string };
}

const put = (path: string, body: RequestInit['body'], headers: Record<string, string> = {}) =>
  fetch(`${app.url}${path}`, {
    method: 'PUT',
    body: body ?? null,
    headers: { 'content-type': 'text/csv', ...headers },
  });

const look = async (a: AppAccount, id: string) => (await ask(a, LOOK, { id })).node;

async function workOff(): Promise<number> {
  const { deps, system } = app.node;
  for (let batches = 0; ; batches++) if (!(await importBatch({ system, deps }))) return batches;
}

/** The whole way. */
async function imported(a: AppAccount, streamId: string, file: string | Buffer) {
  const { id, path } = await start(a, streamId);
  const answer = await put(path, file as string);
  expect([answer.status, await answer.json()]).toEqual([202, { id }]);
  await workOff();
  return look(a, id);
}

const at = (minutes: number) => {
  const { deps } = app.node;
  const time = deps.clock.now().getTime() + minutes * 60_000;
  return { ...deps, clock: { ...deps.clock, now: () => new Date(time) } };
};
const linkIn = (path: string) => path.split('/').slice(2).join('/');
async function* nothing(): AsyncGenerator<Uint8Array> {}

const changesOf = (path: string) => {
  const parts = path.split('/');
  const changed = (index: number, to: (text: string) => string) =>
    parts.map((part, place) => (place === index ? to(part) : part)).join('/');
  const flip = (text: string) => text.replace(/.$/, (last) => (last === '0' ? '1' : '0'));
  const swapped = path.includes('imports')
    ? path.replace('suppression-imports', 'suppression-exports')
    : path.replace('suppression-exports', 'suppression-imports');
  return [
    ...[changed(2, flip), changed(3, flip), changed(4, (seconds) => String(Number(seconds) + 1))],
    ...[changed(5, flip), changed(5, (proof) => proof.toUpperCase()), `${path}/`, `/${parts[1]}/`, `/${parts[1]}/%`],
    swapped,
  ];
};

describe('refused', () => {
  test('without SUPPRESSIONS_WRITE, and for what is somebody else’s', async () => {
    const { a } = await scene();
    const other = await scene();
    const reader = await a.token(['MESSAGES_SEND', 'MESSAGES_READ', 'EVENTS_READ']);
    const { id } = await start(other.a, other.streamId);
    for (const document of [START, EXPORT]) {
      const input = { streamId: other.streamId };
      await expect(request(app.url, reader, document, { input })).rejects.toThrow(/SUPPRESSIONS_WRITE|FORBIDDEN/);
      const [answer] = Object.values(await ask(a, document, { input }));
      expect(answer).toMatchObject({ __typename: 'NotFound' });
    }
    expect(await look(a, id)).toBeNull();
    await expect(request(app.url, reader, LOOK, { id })).rejects.toThrow();
  });

  test('a note of two lines, and too many imports at a time', async () => {
    const { a, streamId } = await scene();
    const answer = async (input: object) => (await ask(a, START, { input })).startSuppressionImport;
    expect(await answer({ streamId, note: 'a\nb' })).toMatchObject({ code: 'INVALID_INPUT' });
    const paths = [];
    for (let made = 0; made < MAX_OPEN_IMPORTS; made++) paths.push((await start(a, streamId)).path);
    expect(await answer({ streamId })).toMatchObject({ code: 'LIMIT_REACHED' });
    await put(paths[0] ?? '', 'email\n');
    expect(await answer({ streamId })).toMatchObject({ code: 'LIMIT_REACHED' });
    await workOff();
    expect(await answer({ streamId })).toMatchObject({ __typename: 'StartedSuppressionImport' });
  });

  test('an upload to a link that is forged, late, or had its file', async () => {
    const { a, streamId } = await scene();
    const { id, path } = await start(a, streamId);
    for (const wrong of changesOf(path)) {
      const { status } = await put(wrong, 'email\nx@r.example\n');
      expect([404, 405]).toContain(status);
    }
    expect((await fetch(`${app.url}${path}`)).status).toBe(405);
    const late = await receiveSuppressionFile(at(UPLOAD_MINUTES), linkIn(path), nothing());
    expect(late).toEqual({ kind: 'unknown' });
    expect(await receiveSuppressionFile(at(UPLOAD_MINUTES - 1), linkIn(path), nothing())).toMatchObject({
      kind: 'unusable',
    });
    expect((await put(path, 'email\n')).status).toBe(202);
    expect((await put(path, 'email\nx@r.example\n')).status).toBe(409);
    await workOff();
    expect((await put(path, 'email\nx@r.example\n')).status).toBe(409);
    expect(await look(a, id)).toMatchObject({ status: 'COMPLETED', rows: 0, bytes: 6 });
  });

  test('a file that is too large, told or not, or no file at all', async () => {
    const { a, streamId } = await scene();
    const { id, path } = await start(a, streamId);
    const large = Buffer.alloc(MAX_IMPORT_BYTES + 1, 'email\n');
    expect((await rawPut(path, { 'content-length': String(large.length) })).status).toBe(413);
    expect((await rawPut(path, { 'transfer-encoding': 'chunked' }, large)).status).toBe(413);
    expect((await put(path, 'x', { 'content-type': 'multipart/form-data; boundary=x' })).status).toBe(415);
    expect((await put(path, 'x', { 'content-encoding': 'gzip' })).status).toBe(415);
    expect((await put(path, '')).status).toBe(422);
    const named = await put(path, 'name;mail\nann;ann@r.example\n');
    expect([named.status, await named.text()]).toEqual([422, expect.stringMatching(/^line 1: must name the columns/)]);
    expect(await look(a, id)).toMatchObject({ status: 'WAITING', bytes: 0 });
    expect((await put(path, 'email\nann@r.example\n')).status).toBe(202);
    await workOff();
    expect(await look(a, id)).toMatchObject({ status: 'COMPLETED', added: 1 });
  });

  test('a download by a link that is forged, late, or of a server that is gone', async () => {
    const { a, streamId } = await scene();
    const path = await exportPath(a, streamId);
    for (const wrong of changesOf(path)) expect([404, 405]).toContain((await fetch(`${app.url}${wrong}`)).status);
    expect((await fetch(`${app.url}${path}`, { method: 'POST' })).status).toBe(405);
    expect(await openSuppressionExport(at(EXPORT_MINUTES), linkIn(path))).toBeNull();
    expect(await openSuppressionExport(at(EXPORT_MINUTES - 1), linkIn(path))).not.toBeNull();
    const { id } = await start(a, streamId);
    await app.node.deps.db
      .updateTable('suppressionImports')
      .set({ status: 'QUEUED' })
      .where('id', '=', decodeIdOf('suppressionImport', id) ?? '')
      .execute();
    await sql`update servers set deleted_at = now() where id = ${a.serverId}::uuid`.execute(app.node.deps.db);
    expect((await fetch(`${app.url}${path}`)).status).toBe(404);
    await workOff();
    const failed = sql<{
      failure: string;
    }>`select failure from suppression_imports where account_id = ${a.accountId}::uuid`;
    expect((await failed.execute(app.node.deps.db)).rows).toEqual([{ failure: 'The stream is gone.' }]);
  });
});

/** A PUT whose body may be less than it says. */
function rawPut(path: string, headers: Record<string, string>, body?: Buffer): Promise<{ status: number }> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest(`${app.url}${path}`, { method: 'PUT', headers }, (response) => {
      response.resume();
      resolve({ status: response.statusCode ?? 0 });
      sent.destroy();
    });
    let answered = false;
    sent.on('response', () => (answered = true));
    // The answer comes before all of the body is sent, and the connection ends with it.
    sent.on('error', (error) => (answered ? undefined : reject(error)));
    if (body === undefined) sent.flushHeaders();
    else sent.end(body);
  });
}

async function exportPath(a: AppAccount, streamId: string): Promise<string> {
  const { exportSuppressions: made } = await ask(a, EXPORT, { input: { streamId } });
  expect(made.__typename).toBe('SuppressionExport');
  return new URL(made.url).pathname;
}

describe('an import', () => {
  test('suppresses what is an address, tells of what is none, and of each change', async () => {
    const { a, streamId } = await scene();
    const before = await imported(a, streamId, 'email\nthere@r.example\n');
    expect(before).toMatchObject({ status: 'COMPLETED', added: 1, failure: null });
    const { id, path } = await start(a, streamId, 'from the old system');
    const file =
      'email,reason,note\r\nThere@R.example,HARD_BOUNCE,\r\nann@r.example,bounced,by hand\r\nnobody,,\r\n\r\nbo@r.example,,\r\nBO@r.example,,\r\nc"x,,\r\nspam@r.example,SPAM_COMPLAINT,\r\n';
    expect((await put(path, file)).status).toBe(202);
    expect(await look(a, id)).toMatchObject({ status: 'QUEUED', bytes: file.length, rows: 0 });
    await workOff();
    expect(await look(a, id)).toMatchObject({
      status: 'COMPLETED',
      bytesRead: file.length,
      ...{ rows: 7, added: 3, alreadySuppressed: 2, refused: 2 },
      problems: [
        { line: 4, message: expect.stringMatching(/^the address/) },
        { line: 8, message: 'has a quote inside a field that is not quoted' },
      ],
    });
    const { server } = await ask(a, LIST);
    const nodes = server.stream.suppressions.edges.map(({ node }: { node: object }) => node);
    const row = (address: string, reason: string, note: string | null) => ({
      address,
      reason,
      origin: 'CUSTOMER',
      note,
    });
    expect(new Set(nodes)).toEqual(
      new Set([
        row('spam@r.example', 'MANUAL', 'from the old system'),
        row('bo@r.example', 'MANUAL', 'from the old system'),
        row('ann@r.example', 'HARD_BOUNCE', 'by hand'),
        row('there@r.example', 'MANUAL', null),
      ]),
    );
    // The log shows them once older transactions of the whole PostgreSQL have ended.
    const listEvents = async (): Promise<{ recipient: string }[]> =>
      (await ask(a, EVENTS)).server.events.edges.map(({ node }: { node: { recipient: string } }) => node);
    await expect.poll(listEvents).toHaveLength(4);
    const events = await listEvents();
    expect(new Set(events.map(({ recipient }) => recipient))).toEqual(
      new Set(['ann@r.example', 'bo@r.example', 'spam@r.example', 'there@r.example']),
    );
    const ann = { recipient: 'ann@r.example', suppressed: true, reason: 'HARD_BOUNCE', origin: 'CUSTOMER' };
    expect(events).toContainEqual(ann);
  });

  test('never touches a complaint', async () => {
    const { a, streamId } = await scene();
    const { deps, system } = app.node;
    const place = { accountId: a.accountId, streamId: decodeIdOf('stream', streamId) ?? '', id: deps.ids.next() };
    const address = 'ann@r.example';
    await writeInSystemScope(system, deps.clock.now(), (scope) =>
      insertSuppressions(scope, [
        { ...place, address, hash: addressHash(address), reason: 'SPAM_COMPLAINT', origin: 'RECIPIENT' },
      ]),
    );
    expect(await imported(a, streamId, `email,reason\n${address},MANUAL\n`)).toMatchObject({ alreadySuppressed: 1 });
    const { server } = await ask(a, LIST);
    expect(server.stream.suppressions.edges).toEqual([
      { node: { address, reason: 'SPAM_COMPLAINT', origin: 'RECIPIENT', note: null } },
    ]);
  });

  test('that ends in the middle says where, and keeps what came before', async () => {
    const { a, streamId } = await scene();
    const file = `email\nann@r.example\n"bo@r.example\n${'x@r.example\n'.repeat(10)}`;
    expect(await imported(a, streamId, file)).toMatchObject({
      status: 'FAILED',
      failure: 'Line 3 a quoted field is never closed',
      rows: 1,
      added: 1,
    });
    const { rows } = await sql`select 1 from suppression_import_pieces`.execute(app.node.deps.db);
    expect(rows).toEqual([]);
  });

  test('over several pieces and batches: each row once, and only the first problems', async () => {
    const { a, streamId } = await scene();
    const count = 3 * IMPORT_BATCH + 7;
    const pad = 'é'.repeat(50);
    const lines = Array.from({ length: count }, (_, index) => `"p${index}@r.example","${pad}\n${index}"`);
    for (let bad = 0; bad < MAX_IMPORT_PROBLEMS + 5; bad++) lines.splice(bad * 10, 0, `bad ${bad}`);
    const file = `email,note\n${lines.join('\n')}`;
    expect(Buffer.byteLength(file)).toBeGreaterThan(2 * PIECE_BYTES);
    const result = await imported(a, streamId, file);
    expect(result).toMatchObject({
      ...{ status: 'COMPLETED', rows: count + MAX_IMPORT_PROBLEMS + 5, added: count, refused: MAX_IMPORT_PROBLEMS + 5 },
      alreadySuppressed: 0,
    });
    expect(result.problems).toHaveLength(MAX_IMPORT_PROBLEMS);
    // Each row but the refused ones has two lines.
    expect(result.problems.slice(0, 3).map(({ line }: { line: number }) => line)).toEqual([2, 21, 40]);
    expect(await rowsAndEvents(a)).toEqual([count, count]);
  });

  test('takes turns with others', async () => {
    const [long, short] = [await scene(), await scene()];
    const first = await start(long.a, long.streamId);
    const second = await start(short.a, short.streamId);
    const addresses = Array.from({ length: 3 * IMPORT_BATCH }, (_, index) => `t${index}@r.example`).join('\n');
    await put(first.path, `email\n${addresses}\n`);
    await put(second.path, 'email\nann@r.example\n');
    const { deps, system } = app.node;
    for (let batch = 0; batch < 2; batch++) expect(await importBatch({ system, deps })).toBe(true);
    expect(await look(short.a, second.id)).toMatchObject({ status: 'COMPLETED' });
    expect(await look(long.a, first.id)).toMatchObject({ status: 'RUNNING', rows: IMPORT_BATCH, finishedAt: null });
    await workOff();
    expect(await look(long.a, first.id)).toMatchObject({ status: 'COMPLETED', added: 3 * IMPORT_BATCH });
  });

  test('is worked off by one process at a time; what fails in the middle never was, and comes again', async () => {
    const { a, streamId } = await scene();
    const { id, path } = await start(a, streamId);
    await put(path, `email\n${Array.from({ length: 2 * IMPORT_BATCH }, (_, n) => `f${n}@r.example`).join('\n')}\n`);
    const { deps, system } = app.node;
    expect(await importBatch({ system, deps })).toBe(true);
    await writeInSystemScope(system, deps.clock.now(), async (scope) => {
      expect(await tryToImport(scope)).toBe(true);
      expect(await importBatch({ system, deps })).toBe(false);
    });
    // The last statement of the batch fails: all before it must go with it.
    await sql`alter table suppression_imports add constraint trouble check (rows_read <= ${sql.lit(IMPORT_BATCH)}) not valid`.execute(
      deps.db,
    );
    expect(await importBatch({ system, deps })).toBe(true);
    expect(await rowsAndEvents(a)).toEqual([IMPORT_BATCH, IMPORT_BATCH]);
    await sql`alter table suppression_imports drop constraint trouble`.execute(deps.db);
    expect(await importBatch({ system, deps })).toBe(false);
    expect(await importBatch({ system, deps: at(2) })).toBe(true);
    expect(await look(a, id)).toMatchObject({ status: 'COMPLETED', added: 2 * IMPORT_BATCH, alreadySuppressed: 0 });
    expect(await rowsAndEvents(a)).toEqual([2 * IMPORT_BATCH, 2 * IMPORT_BATCH]);
  });

  test('whose upload was cut takes another; of two at once the later one counts', async () => {
    const { a, streamId } = await scene();
    const { id, path } = await start(a, streamId);
    const { deps } = app.node;
    const row = 'x'.repeat(50);
    const piece = Buffer.from(`email\n${`${row}@cut.example\n`.repeat(3_000)}`);
    async function* cut(): AsyncGenerator<Uint8Array> {
      yield piece;
      throw new Error('gone');
    }
    await expect(receiveSuppressionFile(deps, linkIn(path), cut())).rejects.toThrow('gone');
    const [begun, refused] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    async function* later(): AsyncGenerator<Uint8Array> {
      begun.resolve();
      await refused.promise;
      yield Buffer.from('email\nann@r.example\n');
    }
    let second: Promise<unknown> | undefined;
    async function* first(): AsyncGenerator<Uint8Array> {
      yield piece;
      second = receiveSuppressionFile(deps, linkIn(path), later());
      await begun.promise;
      yield piece;
    }
    expect(await receiveSuppressionFile(deps, linkIn(path), first())).toEqual({ kind: 'taken' });
    const { rows } =
      await sql`select 1 from suppression_import_pieces p join suppression_imports i on i.id = p.import_id
      where i.account_id = ${a.accountId}::uuid`.execute(deps.db);
    expect(rows).toEqual([]);
    refused.resolve();
    expect(await second).toEqual({ kind: 'received', id });
    await workOff();
    expect(await look(a, id)).toMatchObject({ status: 'COMPLETED', rows: 1, added: 1 });
  });

  test('is listed, on record, and forgotten in time', async () => {
    const { a, streamId } = await scene();
    const { id } = await start(a, streamId);
    const { id: other, path } = await start(a, streamId);
    await put(path, 'email\n');
    await workOff();
    const listed = async () =>
      (await ask(a, STREAM)).server.stream.suppressionImports.edges.map(
        ({ node }: { node: { id: string } }) => node.id,
      );
    expect(await listed()).toEqual([other, id]);
    const { db } = app.node.deps;
    const log = await db.selectFrom('auditLog').selectAll().where('accountId', '=', a.accountId).execute();
    const started = log.filter(({ action }) => action === 'suppression.import');
    expect(started.map(({ subjectIds }) => subjectIds)).toEqual([
      [id, streamId],
      [other, streamId],
    ]);
    const { system, log: logger, secrets } = app.node.deps;
    const house = (days: number) => keepHouse({ system, log: logger, secrets, clock: at(days * 1_440).clock });
    await house(1.1);
    expect(await listed()).toEqual([other]);
    await house(IMPORT_KEPT_DAYS + 1);
    expect(await listed()).toEqual([]);
  });
});

async function rowsAndEvents({ accountId }: AppAccount): Promise<[number, number]> {
  const { db } = app.node.deps;
  const count = async (table: 'suppressions' | 'events') =>
    (await db.selectFrom(table).select('id').where('accountId', '=', accountId).execute()).length;
  return [await count('suppressions'), await count('events')];
}

describe('an export', () => {
  test('is a download of all that is suppressed, harmless to spreadsheets, and can be imported', async () => {
    const { a, streamId } = await scene();
    const note = '"=cmd|x!A1, and more"';
    const rows = Array.from({ length: 2_500 }, (_, index) => `e${index}@r.example,,`);
    await imported(
      a,
      streamId,
      `email,reason,note\n=x@r.example,UNSUBSCRIBE,${note}\n+y@r.example,,\n${rows.join('\n')}\n`,
    );
    await sql`update suppressions set address = null where address = 'e7@r.example' and account_id = ${a.accountId}::uuid`.execute(
      app.node.deps.db,
    );
    const path = await exportPath(a, streamId);
    const answer = await fetch(`${app.url}${path}`);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toMatch(/^text\/csv/);
    expect(answer.headers.get('content-disposition')).toMatch(/^attachment; filename="suppressions-outbound\.csv"/);
    expect(answer.headers.get('cache-control')).toContain('no-store');
    const file = await answer.text();
    const lines = file.split('\r\n');
    expect(lines[0]).toBe('address,reason,origin,created_at,note');
    expect(lines).toHaveLength(1 + 2_501 + 1);
    expect(lines.find((line) => line.includes('=x@'))).toMatch(
      /^'=x@r\.example,UNSUBSCRIBE,CUSTOMER,[\d\-T:.]+Z,"'=cmd\|x!A1, and more"$/,
    );
    expect(lines.filter((line) => /^[=+\-@]/.test(line))).toEqual([]);
    expect(new Set(lines).size).toBe(lines.length);
    const head = await fetch(`${app.url}${path}`, { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
    const again = await scene();
    expect(await imported(again.a, again.streamId, file)).toMatchObject({
      status: 'COMPLETED',
      added: 2_501,
      refused: 0,
    });
    const log = app.node.deps.db.selectFrom('auditLog').select('subjectIds').where('accountId', '=', a.accountId);
    expect(await log.where('action', '=', 'suppression.export').execute()).toEqual([{ subjectIds: [streamId] }]);
  });

  test('reads of each page its own rows only, also before the table is analyzed', async () => {
    const { a, streamId } = await scene();
    const { db } = app.node.deps;
    const place = { accountId: a.accountId, streamId: decodeIdOf('stream', streamId) ?? '' };
    await sql`insert into suppressions (account_id, stream_id, address_hash, id, address, reason, origin, created_at)
      select ${place.accountId}::uuid, ${place.streamId}::uuid, sha256(n::text::bytea),
        ('01900000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, n || '@r.example', 'MANUAL', 'CUSTOMER', now()
      from generate_series(1, 10000) n`.execute(db);
    const nodes: RootOperationNode[] = [];
    const spy = db.withPlugin({
      transformQuery({ node }) {
        nodes.push(node);
        return node;
      },
      transformResult: async ({ result }) => result,
    });
    const before = '01900000-0000-7000-8000-000000005000';
    expect(await pageForBearer(systemScope(spy), place, { before, limit: 100 })).toHaveLength(100);
    const [node] = nodes;
    if (node === undefined) throw new Error('no query was seen');
    const { sql: text, parameters } = db.getExecutor().compileQuery(node, createQueryId());
    const explained = await db.executeQuery(CompiledQuery.raw(`explain (analyze) ${text}`, [...parameters]));
    const plan = JSON.stringify(explained.rows);
    expect(plan).toContain('suppressions_newest');
    expect(plan).not.toMatch(/Sort|Seq Scan|Bitmap|Rows Removed/);
  });

  test('waits for whoever reads slowly, and ends with who goes', async () => {
    const { a, streamId } = await scene();
    const rows = Array.from({ length: 4_000 }, (_, index) => `g${index}@r.example,${'n'.repeat(380)}`);
    await imported(a, streamId, `email,note\n${rows.join('\n')}\n`);
    const file = await openSuppressionExport(app.node.deps, linkIn(await exportPath(a, streamId)));
    if (file === null) throw new Error('not opened');
    const parts: number[] = [];
    for await (const part of file.content) parts.push(part.length);
    expect(parts.length).toBeGreaterThan(2);
    expect(Math.max(...parts)).toBeLessThan(1_500_000);
    const leaving = new AbortController();
    const { body } = await fetch(`${app.url}${await exportPath(a, streamId)}`, { signal: leaving.signal });
    const reader = body?.getReader();
    await reader?.read();
    leaving.abort();
    await expect(reader?.read()).rejects.toThrow();
  });
});

test('a process with the role of maintenance works imports off by itself', async () => {
  const { a, streamId } = await scene();
  const { id, path } = await start(a, streamId);
  await put(path, 'email\nann@r.example\n');
  await app.another({ VEREDUS_ROLES: 'maintenance' });
  await expect.poll(() => look(a, id)).toMatchObject({ status: 'COMPLETED', added: 1 });
});
