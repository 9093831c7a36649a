// What a spam filter thinks of inbound mail, asked over HTTP as rspamd is asked.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { encodeId } from '#/domain/ids.ts';
import { inboundAddress } from '#/resolvers/inbound/inbound-content.ts';
import { createReceiver, type IncomingReceiver } from '#/resolvers/incoming/receiver.ts';
import { createRecipients } from '#/resolvers/incoming/recipients.ts';
import { createSpamFilter } from '#/runtime/spam-filter.ts';
import { idle } from '../support/returned-mail.ts';
import { type TestAccount, type World, world } from '../support/world.ts';

interface Asked {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

const UPDATE = `mutation ($input: UpdateInboundInput!) { updateInbound(input: $input) { __typename } }`;
const LIST = '{ server { inboundMessages(first: 9) { edges { node { subject status blockedBy spamScore } } } } }';

let w: World;
let a: TestAccount;
let server: Server;
let receiver: IncomingReceiver;
let asked: Asked[];
let answer: { readonly status: number; readonly body: string };

beforeAll(async () => {
  w = await world();
  server = createServer((request, response) => {
    void (async () => {
      const body = (await buffer(request)).toString();
      asked.push({ method: request.method, url: request.url, headers: request.headers, body });
      response.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.body);
    })();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  const filter = createSpamFilter(new URL(`http://:secret@127.0.0.1:${port}`));
  receiver = createReceiver(w.deps, { authenticate: null, scoreSpam: (mail) => filter.score(mail), load: idle });
});
afterAll(async () => {
  await receiver[Symbol.asyncDispose]();
  server.closeAllConnections();
  server.close();
  await w[Symbol.asyncDispose]();
});

async function post(account: TestAccount, subject: string, given: typeof answer, sender = 'ann@peer.example') {
  asked = [];
  answer = given;
  const address = inboundAddress(w.deps, account.serverId);
  const judged = await createRecipients(w.deps).judge(address);
  if (judged === null) throw new Error('the address is refused');
  const source = Buffer.from(`Subject: ${subject}\r\n\r\nx\r\n`);
  await receiver.receive({
    envelope: { sender, recipients: [{ address, judged }] },
    source: { size: source.length, read: async () => source, stream: () => Readable.from([source]) },
    peer: { address: '192.0.2.9', helo: 'mx.peer.example' },
  });
  await receiver.settled();
}

const scored = (score: unknown) => ({ status: 200, body: JSON.stringify({ score, required_score: 15, symbols: {} }) });

async function list(account: TestAccount) {
  const { data } = await w.execute(LIST, {}, account.token());
  return data.server.inboundMessages.edges.map(({ node }: { node: object }) => node);
}

test('no answer of the filter keeps mail from being there', async () => {
  a = await w.account();
  for (const bad of [
    { status: 500, body: '{}' },
    { status: 200, body: 'no JSON' },
    scored('12'),
    { status: 200, body: 'null' },
  ])
    await post(a, 'unscored', bad);
  expect(await list(a)).toEqual(
    Array.from({ length: 4 }, () => ({ subject: 'unscored', status: 'PROCESSED', blockedBy: null, spamScore: null })),
  );
});

test('the score is stored, and mail at the threshold of the server or above is blocked', async () => {
  a = await w.account();
  await post(a, 'no threshold', scored(99));
  const input = { serverId: encodeId('server', a.serverId), spamThreshold: 5 };
  await w.execute(UPDATE, { input }, a.manager);
  await post(a, 'below', scored(4.9));
  await post(a, 'ham', scored(-3.5));
  await post(a, 'at', scored(5));
  await post(a, 'unscored', { status: 503, body: '' });
  expect(await list(a)).toEqual([
    { subject: 'unscored', status: 'PROCESSED', blockedBy: null, spamScore: null },
    { subject: 'at', status: 'BLOCKED', blockedBy: 'SPAM', spamScore: 5 },
    { subject: 'ham', status: 'PROCESSED', blockedBy: null, spamScore: -3.5 },
    { subject: 'below', status: 'PROCESSED', blockedBy: null, spamScore: 4.9 },
    { subject: 'no threshold', status: 'PROCESSED', blockedBy: null, spamScore: 99 },
  ]);
});

test('it is told what the connection was', async () => {
  a = await w.account();
  await post(a, 'asked', scored(0));
  expect(asked).toMatchObject([{ method: 'POST', url: '/checkv2', body: 'Subject: asked\r\n\r\nx\r\n' }]);
  expect(asked[0]?.headers).toMatchObject({
    ip: '192.0.2.9',
    helo: 'mx.peer.example',
    from: 'ann@peer.example',
    rcpt: inboundAddress(w.deps, a.serverId),
    password: 'secret',
  });
  await post(a, 'odd', scored(0), 'ä\r\nx: y@peer.example');
  expect(asked[0]?.headers).not.toHaveProperty('from');
});
