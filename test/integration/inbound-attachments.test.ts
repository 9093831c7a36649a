// Attachments of inbound messages behind links that prove themselves: from the SMTP socket to the HTTP download.
import { setTimeout as pause } from 'node:timers/promises';
import { sql } from 'kysely';
import { createTransport } from 'nodemailer';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LINK_MINUTES, openAttachment } from '#/resolvers/inbound/attachment-link.ts';
import { type App, type AppAccount, startApp } from '../support/app.ts';
import { request } from '../support/graphql-client.ts';
import { freePort } from '../support/program.ts';

interface Message {
  readonly subject: string;
  readonly attachmentLinks: readonly { readonly url: string; readonly expiresAt: string }[];
}
type Answer = { server: { inboundMessages: { edges: { node: Message }[] } } };

const LIST =
  '{ server { inboundMessages(first: 9) { edges { node { subject attachmentLinks { url expiresAt } } } } } }';

let app: App;
let a: AppAccount;
let port: number;

beforeAll(async () => {
  port = await freePort();
  app = await startApp({
    VEREDUS_ROLES: 'api,inbound',
    VEREDUS_INBOUND_PORT: String(port),
    VEREDUS_MAIL_HOST: 'in.test',
  });
  a = await app.account();
});
afterAll(() => app[Symbol.asyncDispose]());

const PAYLOAD = Buffer.from([0, 1, 2, 253, 254, 255]);

/** Its links, once it has been read. */
async function posted(subject: string, attachments: object[]): Promise<string[]> {
  const { server } = await request<{ server: { inbound: { address: string } } }>(
    app.url,
    a.serverToken,
    '{ server { inbound { address } } }',
  );
  const transport = createTransport({ host: '127.0.0.1', port, ignoreTLS: true });
  await transport.sendMail({ from: 'ann@peer.example', to: server.inbound.address, subject, text: 'x', attachments });
  transport.close();
  for (;;) {
    const { server: listed } = await request<Answer>(app.url, a.serverToken, LIST);
    const found = listed.inboundMessages.edges.find(({ node }) => node.subject === subject);
    // What it stands for is elsewhere: the installation of a test is reached under another name.
    if (found !== undefined) return found.node.attachmentLinks.map(({ url }) => new URL(url).pathname);
    await pause(20);
  }
}

const get = (path: string, init: RequestInit = {}) => fetch(`${app.url}${path}`, init);

test('a link that is forged, late, or of what is gone leads nowhere', async () => {
  const [path = ''] = await posted('refused', [{ filename: 'a.bin', content: PAYLOAD }]);
  expect((await get(path)).status).toBe(200);
  const parts = path.split('/');
  const changed = (index: number, to: (text: string) => string) =>
    parts.map((part, place) => (place === index ? to(part) : part)).join('/');
  const flip = (text: string) => text.replace(/.$/, (last) => (last === '0' ? '1' : '0'));
  for (const wrong of [
    changed(2, flip),
    changed(3, flip),
    changed(4, () => '1'),
    changed(4, () => '00'),
    changed(5, (seconds) => String(Number(seconds) + 1)),
    changed(6, flip),
    changed(6, (proof) => proof.toUpperCase()),
    `${path}/`,
    '/inbound-attachments/',
    '/inbound-attachments/%',
  ])
    expect((await get(wrong)).status).toBe(404);
  expect((await get(path, { method: 'POST' })).status).toBe(404);
  const { deps } = app.node;
  const link = path.slice('/inbound-attachments/'.length);
  const at = (minutes: number) => {
    const time = deps.clock.now().getTime() + minutes * 60_000;
    return { ...deps, clock: { ...deps.clock, now: () => new Date(time) } };
  };
  expect(await openAttachment(at(LINK_MINUTES - 1), link)).not.toBeNull();
  expect(await openAttachment(at(LINK_MINUTES), link)).toBeNull();
  await sql`delete from message_contents`.execute(deps.db);
  expect((await get(path)).status).toBe(404);
});

test('a file is a download, under a type that nothing runs', async () => {
  const paths = await posted('kinds', [
    { filename: 'a"b;\r\n ../ü.png', contentType: 'image/png', content: PAYLOAD },
    { filename: 'x.html', contentType: 'text/html', content: '<script>alert(1)</script>' },
    { filename: 'x.svg', contentType: 'image/svg+xml', content: '<svg onload="alert(1)"/>' },
    { filename: 'big.pdf', contentType: 'application/pdf', content: Buffer.alloc(3_000_000, 7) },
  ]);
  expect(paths).toHaveLength(4);
  const answers = await Promise.all(paths.map((path) => get(path)));
  expect(answers.map(({ status, headers }) => [status, headers.get('content-type')])).toEqual([
    [200, 'image/png'],
    [200, 'application/octet-stream'],
    [200, 'application/octet-stream'],
    [200, 'application/pdf'],
  ]);
  for (const { headers } of answers) {
    expect(headers.get('content-disposition')).toMatch(
      /^attachment; filename="[^"\r\n/]*"; filename\*=UTF-8''[\w%.~!-]+$/,
    );
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('content-security-policy')).toContain('sandbox');
    expect(headers.get('cache-control')).toContain('no-store');
  }
  const [first, , , big] = answers;
  expect(await first?.bytes()).toEqual(new Uint8Array(PAYLOAD));
  expect((await big?.arrayBuffer())?.byteLength).toBe(3_000_000);
  const head = await get(paths[0] ?? '', { method: 'HEAD' });
  expect(head.headers.get('content-length')).toBe(String(PAYLOAD.length));
});

test('links are for those who may read the content', async () => {
  const token = await a.token(['MESSAGES_READ', 'CONTENT_READ']);
  await expect(request(app.url, token, LIST)).rejects.toThrow();
});
