// How often the database is asked.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sendEmail } from '#/resolvers/emails/send-email.ts';
import { callerOf, type TestAccount, type World, world } from '../support/world.ts';

const SEND =
  'mutation ($input: SendEmailInput!) { sendEmail(input: $input) { __typename ... on Message { id subject acceptedAt } } }';

let w: World;
let a: TestAccount;
beforeAll(async () => {
  w = await world();
  a = await w.account();
});
afterAll(() => w[Symbol.asyncDispose]());

const email = (number: number) => ({
  from: `x@${a.domain}`,
  to: [`r${number}@r.example`],
  subject: `Number ${number}`,
  text: 'x',
});

async function counting(run: () => Promise<unknown>): Promise<number> {
  const before = w.queries;
  await run();
  return w.queries - before;
}

test('the answer to a send asks nothing more once the email is accepted', async () => {
  const token = a.token();
  const request = { ...email(0), serverId: null };
  await sendEmail(w.deps, callerOf(token), request);
  const alone = await counting(() => sendEmail(w.deps, callerOf(token), request));
  expect(await counting(() => w.execute(SEND, { input: email(0) }, token))).toBe(alone);
});

test('a page of messages with all beside them asks as often as one message does', async () => {
  for (let number = 0; number < 20; number++) await w.execute(SEND, { input: email(number) }, a.token());
  const page = (first: number) =>
    counting(async () => {
      const { errors } = await w.execute(
        `query ($first: Int!) { server { messages(first: $first) { edges { node { stream { slug } textBody
          recipients { address nextAttemptAt attempts { startedAt } }
          events(first: 5) { edges { node { stream message { id } } } } } } } } }`,
        { first },
        a.token(),
      );
      expect(errors).toEqual([]);
    });
  const forOne = await page(1);
  const forTwenty = await page(20);
  // Bodies come ten messages at a time.
  expect(forTwenty - forOne).toBeLessThanOrEqual(1);
});
