// What tail follows with: a reader who takes his time is no silence of the server, and costs no memory here.
import { expect, test } from 'vitest';
import { followEvents } from '#/cli/event-stream.ts';
import { startApp } from '../support/app.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { SendEmailDocument } from '../gql/graphql.ts';

test('whoever takes minutes to deal with an event gets the next ones from the same connection', async () => {
  await using app = await startApp();
  const { serverToken } = await app.account();
  const clock = new FakeClock();
  const told: string[] = [];
  const source = { url: app.url, token: serverToken, serverId: null, filter: {}, after: null };
  const events = followEvents(source, clock, (text) => told.push(text));
  const send = () =>
    fetch(`${app.url}/graphql`, {
      method: 'POST',
      headers: { authorization: `Bearer ${serverToken}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        query: SendEmailDocument.toString(),
        variables: {
          input: { from: 'noreply@acme.example', to: ['ann@receiver.example'], subject: 'Hello', text: 'x' },
        },
      }),
    });

  const first = events.next();
  await expect.poll(() => app.node.deps.feed.size, { timeout: 5_000 }).toBe(1);
  await send();
  expect((await first).value).toMatchObject({ type: 'ACCEPTED' });
  await clock.advance(300_000);
  expect((await events.next()).value).toMatchObject({ type: 'DELIVERED' });
  await clock.advance(300_000);
  await send();
  expect((await events.next()).value).toMatchObject({ type: 'ACCEPTED' });
  expect(told).toEqual([]);
  expect(app.node.deps.feed.size).toBe(1);
  await events.return(undefined);
  await expect.poll(() => app.node.deps.feed.size, { timeout: 5_000 }).toBe(0);
});
