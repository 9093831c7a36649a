// From the socket to the API: what comes over SMTP is a bounce, a complaint or an inbound message, or is refused.
import { createTransport } from 'nodemailer';
import { expect, test } from 'vitest';
import { domainAddress } from '#/mail/incoming-address.ts';
import { inboundAddress } from '#/resolvers/inbound/inbound-content.ts';
import { createReceiver } from '#/resolvers/incoming/receiver.ts';
import { createRecipients } from '#/resolvers/incoming/recipients.ts';
import { inboundServer } from '../support/inbound-server.ts';
import { arf, deliveredMail, dsn, idle } from '../support/returned-mail.ts';
import { world } from '../support/world.ts';

test('mail is taken for whom we know, means what it means, and is judged after it was stored', async () => {
  await using w = await world();
  const a = await w.account();
  const judged: string[] = [];
  const authenticate = async ({ sender, helo }: { sender: string; helo: string }) => {
    judged.push(sender);
    return { spf: { result: 'pass', domain: `${helo}\0` } };
  };
  const receiver = createReceiver(w.deps, { authenticate, scoreSpam: null, load: idle });
  await using server = await inboundServer({ recipients: createRecipients(w.deps), receiver });
  const transport = createTransport({ host: '127.0.0.1', port: server.port, ignoreTLS: true, name: 'peer.example' });
  const post = (to: readonly string[], raw: string, from = '') =>
    transport.sendMail({ envelope: { from, to: [...to] }, raw });

  const [bounced, complained] = [
    await deliveredMail(w, a, ['b@r.example']),
    await deliveredMail(w, a, ['c@r.example']),
  ];
  const [path = ''] = bounced.paths;
  const feedback = domainAddress('feedback', `vr-bounces.${a.domain}`, w.deps.returnPathSecret);
  const app = inboundAddress(w.deps, a.serverId).replace('@', '+ticket-7@');
  const forged = path.replace(/-\w{16}@/, '-0000000000000000@');
  for (const nobody of [forged, `x@${a.domain}`, 'x@elsewhere.example'])
    await expect(post([nobody], dsn({ to: nobody, address: 'b@r.example' }))).rejects.toMatchObject({
      responseCode: 550,
    });
  await post([path, forged], dsn({ to: path, address: 'b@r.example' }));
  await post([feedback], arf([`Return-Path: <${complained.paths[0]}>`]), 'fbl@provider.example');
  await post([app, app.replace('ticket-7', 'ticket-8')], 'Subject: Hi\r\n\r\nHello\r\n', 'ann@peer.example');
  await receiver.settled();

  const { data } = await w.execute(
    `{ server { bounces(first: 9) { edges { node { type address } } }
       inboundMessages(first: 9) { edges { node { subject mailboxHash from authentication } } } } }`,
    {},
    a.token(),
  );
  const nodesOf = ({ edges }: { edges: { node: object }[] }) => edges.map(({ node }) => node);
  expect(nodesOf(data.server.bounces)).toEqual([
    { type: 'SPAM_COMPLAINT', address: 'c@r.example' },
    { type: 'HARD_BOUNCE', address: 'b@r.example' },
  ]);
  const authentication = { spf: { result: 'pass', domain: 'peer.example' } };
  expect(nodesOf(data.server.inboundMessages)).toEqual(
    ['ticket-8', 'ticket-7'].map((mailboxHash) => ({
      subject: 'Hi',
      mailboxHash,
      from: 'ann@peer.example',
      authentication,
    })),
  );
  expect(judged).toEqual(['ann@peer.example', 'ann@peer.example']);
  transport.close();
  await receiver[Symbol.asyncDispose]();
});
