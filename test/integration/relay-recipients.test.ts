// Several recipients of one message in one transaction, for relays that ask for it: each has its own result.
import { describe, expect, test } from 'vitest';
import type { InDoubtPolicy } from '#/domain/delivery/states.ts';
import { deliveryWorld, type DeliveryWorld } from '../support/delivery-world.ts';
import { type PeerScript, type SmtpPeer, startSmtpPeer } from '../support/smtp-peer.ts';
import { addTransport, chooseFor, queueOf } from '../support/transports.ts';

async function worldOf(
  stack: AsyncDisposableStack,
  limit: number,
  options: { readonly script?: Partial<PeerScript>; readonly verp?: true; readonly policy?: InDoubtPolicy } = {},
): Promise<{ w: DeliveryWorld; peer: SmtpPeer }> {
  const peer = stack.use(await startSmtpPeer(options.script));
  const relay = { host: '127.0.0.1', port: peer.port, tls: 'opportunistic', auth: null } as const;
  const secret = Buffer.alloc(32, 7);
  const returnPaths = { secret, returnPathFor: () => Promise.resolve('bounces.acme.example') };
  const w = stack.use(
    await deliveryWorld({ outbound: { kind: 'relay', relay }, ...(options.verp === true ? { returnPaths } : {}) }),
  );
  if (options.policy !== undefined) await w.whenInDoubt(options.policy);
  const transport = { name: 'smart', recipientsPerTransaction: limit, relays: [{ port: peer.port }] };
  await chooseFor(w, await addTransport(w, transport));
  w.startEngine();
  return { w, peer };
}

const people = (count: number, name = 'r') => Array.from({ length: count }, (_, n) => `${name}${n}@receiver.example`);

/** Recipients of each transaction. */
const sizes = ({ messages }: SmtpPeer) => messages.map(({ recipients }) => recipients.length).toSorted((a, b) => a - b);

const attemptsOf = ({ deps }: DeliveryWorld, messageId: string) =>
  deps.db
    .selectFrom('deliveryAttempts')
    .select(['ordinal', 'outcome', 'smtpCode', 'contentSentAt'])
    .where('messageId', '=', messageId)
    .orderBy('ordinal')
    .execute();

async function eventually(w: DeliveryWorld, id: string, statuses: readonly string[]): Promise<void> {
  await expect.poll(() => w.statuses(id)).toEqual(statuses);
}

/** Takes so many recipients of a transaction. */
const taking = (most: number): Partial<PeerScript> => ({
  answer: ({ verb }, { recipients }) =>
    verb === 'RCPT' && recipients.length >= most ? '452 4.5.3 Too many recipients' : null,
});

describe('several recipients at a relay', () => {
  test('share a transaction up to the limit, and each has an attempt of its own', async () => {
    await using stack = new AsyncDisposableStack();
    const { w, peer } = await worldOf(stack, 3);
    const id = await w.send({ to: people(7) });
    await eventually(
      w,
      id,
      Array.from({ length: 7 }, () => 'DELIVERED'),
    );
    expect(sizes(peer)).toEqual([1, 3, 3]);
    expect(peer.messages.flatMap(({ recipients }) => recipients).toSorted()).toEqual(people(7));
    expect((await attemptsOf(w, id)).map(({ outcome }) => outcome)).toEqual(
      Array.from({ length: 7 }, () => 'DELIVERED'),
    );
  });

  test('of whatever domain, for a relay takes them all', async () => {
    await using stack = new AsyncDisposableStack();
    const { w, peer } = await worldOf(stack, 10);
    const to = Array.from({ length: 5 }, (_, n) => `r@receiver-${n}.example`);
    const id = await w.send({ to });
    await eventually(
      w,
      id,
      to.map(() => 'DELIVERED'),
    );
    expect(peer.messages.map(({ recipients }) => recipients.toSorted())).toEqual([to]);
  });

  test('of different messages do not', async () => {
    await using stack = new AsyncDisposableStack();
    const { w, peer } = await worldOf(stack, 10);
    const ids = await Promise.all([w.send({ to: people(2) }), w.send({ to: people(2, 's') })]);
    for (const id of ids) await eventually(w, id, ['DELIVERED', 'DELIVERED']);
    expect(sizes(peer)).toEqual([2, 2]);
  });

  test('do not where each has a reverse-path of its own', async () => {
    await using stack = new AsyncDisposableStack();
    const { w, peer } = await worldOf(stack, 10, { verp: true });
    const id = await w.send({ to: people(3) });
    await eventually(w, id, ['DELIVERED', 'DELIVERED', 'DELIVERED']);
    expect(peer.messages.map(({ recipients }) => recipients.length)).toEqual([1, 1, 1]);
    expect(new Set(peer.messages.map(({ mailFrom }) => mailFrom)).size).toBe(3);
  });

  test('have each the reply that was theirs', async () => {
    await using stack = new AsyncDisposableStack();
    const { w, peer } = await worldOf(stack, 10);
    const to = ['a', 'bounce', 'b', 'defer', 'soft-bounce'].map((name) => `${name}@receiver.example`);
    const id = await w.send({ to });
    await eventually(w, id, ['DELIVERED', 'BOUNCED', 'DELIVERED', 'DELAYED', 'DELAYED']);
    expect(peer.messages).toHaveLength(1);
    const attempts = await attemptsOf(w, id);
    expect(attempts.map(({ smtpCode }) => smtpCode)).toEqual([250, 550, 250, 451, 452]);
  });

  test('all refused leave no content behind', async () => {
    await using stack = new AsyncDisposableStack();
    const { w, peer } = await worldOf(stack, 10);
    const id = await w.send({ to: ['bounce+1@receiver.example', 'bounce+2@receiver.example'] });
    await eventually(w, id, ['BOUNCED', 'BOUNCED']);
    expect(peer.seen).toEqual([]);
    expect((await attemptsOf(w, id)).map(({ contentSentAt }) => contentSentAt)).toEqual([null, null]);
  });

  test('that are too many (452) go in the next transactions, and that is no failure', async () => {
    await using stack = new AsyncDisposableStack();
    const { w, peer } = await worldOf(stack, 50, { script: taking(2) });
    const id = await w.send({ to: people(5) });
    await eventually(
      w,
      id,
      Array.from({ length: 5 }, () => 'DELIVERED'),
    );
    expect(sizes(peer)).toEqual([1, 2, 2]);
    expect(await attemptsOf(w, id)).toHaveLength(5);
    const events = await w.events(id, 10);
    expect(new Set(events.map(({ type }) => type))).toEqual(new Set(['ACCEPTED', 'DELIVERED']));
    // How many it takes is remembered.
    const asked = peer.log.filter((line) => line.startsWith('RCPT')).length;
    const next = await w.send({ to: people(4, 's') });
    await eventually(
      w,
      next,
      Array.from({ length: 4 }, () => 'DELIVERED'),
    );
    expect(peer.log.filter((line) => line.startsWith('RCPT')).length - asked).toBe(4);
  });

  test('with too many from the first on are deferred like others', async () => {
    await using stack = new AsyncDisposableStack();
    const { w } = await worldOf(stack, 10, { script: taking(0) });
    const id = await w.send({ to: people(2) });
    await eventually(w, id, ['DELAYED', 'DELAYED']);
    expect((await queueOf(w)).map(({ attempts }) => attempts)).toEqual([1, 1]);
  });

  test('are in doubt together after the dot, but for those that were refused', async () => {
    await using stack = new AsyncDisposableStack();
    const script: Partial<PeerScript> = { answer: ({ verb }) => (verb === '.' ? 'drop' : null) };
    const { w } = await worldOf(stack, 10, { script, policy: 'NEVER_TWICE' });
    const id = await w.send({ to: ['a', 'bounce', 'b'].map((name) => `${name}@receiver.example`) });
    await eventually(w, id, ['IN_DOUBT', 'BOUNCED', 'IN_DOUBT']);
  });

  test('are marked before the dot, those alone that were taken', async () => {
    await using stack = new AsyncDisposableStack();
    const { w, peer } = await worldOf(stack, 10);
    const answer = peer.holdFinalDot();
    const id = await w.send({ to: ['a', 'bounce', 'b'].map((name) => `${name}@receiver.example`) });
    await peer.until(({ seen }) => seen.length === 1);
    const marks = await w.deps.db
      .selectFrom('deliveryQueue')
      .select('contentSent')
      .where('messageId', '=', id)
      .orderBy('ordinal')
      .execute();
    expect(marks.map(({ contentSent }) => contentSent)).toEqual([true, false, true]);
    answer();
    await eventually(w, id, ['DELIVERED', 'BOUNCED', 'DELIVERED']);
  });
});
