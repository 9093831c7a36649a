// LISTEN/NOTIFY: wakes the processes of an installation. Messages carry no data and may be lost; all readers also look
// by themselves at intervals.
import pg from 'pg';
import type { Channel, Clock, Log, Topic } from '#/runtime/ports.ts';

const topics: readonly Topic[] = ['events', 'queue', 'config', 'tokens', 'people', 'webhooks', 'inbound'];

/**
 * Least milliseconds between two notifications of one topic by one process. Commits that notify queue for one lock of
 * the whole database (16 writers that each notify lose two thirds of their rate): so none of ours does; this one
 * connection does it for all, a few hundred times a second at most.
 */
const INTERVAL_MS = 2;
const RECONNECT_MS = { first: 100, most: 5_000 } as const;

export interface PgChannel extends Channel, AsyncDisposable {}

export function createChannel(deps: { connectionString: string; clock: Clock; log: Log }): PgChannel {
  const listeners = new Map<Topic, Set<() => void>>(topics.map((topic) => [topic, new Set()]));
  const pending = new Set<Topic>();
  const closing = new AbortController();
  let client: pg.Client | null = null;
  let sending: Promise<void> | null = null;

  const wake = (topic: Topic) => {
    for (const listener of listeners.get(topic) ?? []) listener();
  };

  const sendPending = (): void => {
    sending ??= drain().finally(() => {
      sending = null;
    });
  };

  const drain = async (): Promise<void> => {
    try {
      while (pending.size > 0 && client !== null) {
        const now = [...pending];
        pending.clear();
        await client.query(now.map((topic) => `notify veredus_${topic}`).join(';'));
        await deps.clock.sleep(INTERVAL_MS, closing.signal);
      }
    } catch (error) {
      deps.log.debug({ error }, 'a notification was lost with its connection');
    }
  };

  const connect = async (): Promise<void> => {
    let pause: number = RECONNECT_MS.first;
    for (let first = true; !closing.signal.aborted; first = false) {
      const next = new pg.Client({ connectionString: deps.connectionString, application_name: 'veredus-channel' });
      const ended = new Promise<void>((resolve) => next.once('end', resolve));
      next.on('error', () => {});
      try {
        await next.connect();
        // A notification takes a transaction id and so a commit record; that it survives a crash is worth nothing.
        await next.query(`set synchronous_commit = off; ${topics.map((topic) => `listen veredus_${topic}`).join(';')}`);
        const ownPid: unknown = Reflect.get(next, 'processID');
        next.on('notification', ({ channel, processId }) => {
          const topic = topics.find((known) => channel === `veredus_${known}`);
          if (topic !== undefined && processId !== ownPid) wake(topic);
        });
        client = next;
        pause = RECONNECT_MS.first;
        if (!first) for (const topic of topics) wake(topic);
        sendPending();
        if (closing.signal.aborted) void next.end();
        await ended;
      } catch (error) {
        deps.log.warn({ error }, 'the notification connection failed; trying again');
      } finally {
        client = null;
      }
      await deps.clock.sleep(pause, closing.signal);
      pause = Math.min(pause * 2, RECONNECT_MS.most);
    }
  };
  const running = connect();

  return {
    nudge(topic) {
      wake(topic);
      pending.add(topic);
      sendPending();
    },
    on(topic, listener) {
      listeners.get(topic)?.add(listener);
      return () => listeners.get(topic)?.delete(listener);
    },
    async [Symbol.asyncDispose]() {
      closing.abort();
      await sending;
      await client?.end();
      await running;
    },
  };
}
