// What the stream of a mail asks of TLS: kept until something is said to have changed (`config`), at the latest two seconds.
import { createBatcher } from '#/db/batcher.ts';
import type { SystemScope } from '#/db/scope.ts';
import { listTlsPolicies } from '#/db/tls-policies.ts';
import type { TlsPolicy } from '#/domain/delivery/tls.ts';
import type { Channel, Clock } from '#/runtime/ports.ts';
import { BoundedCache } from './bounded-cache.ts';

const MAX_AGE_MS = 2_000;
const STREAMS = 10_000;
const BATCH = 500;

interface OfStream {
  readonly accountId: string;
  readonly streamId: string;
}

export interface StreamPolicies {
  of(mail: OfStream): TlsPolicy | Promise<TlsPolicy>;
}

export function createStreamPolicies(deps: {
  readonly system: SystemScope;
  readonly clock: Clock;
  readonly channel: Channel;
}): StreamPolicies {
  const lookUp = createBatcher<OfStream, TlsPolicy>(BATCH, async (streams) => {
    const found = await listTlsPolicies(deps.system, streams);
    // A stream that is being purged: its mail goes with it.
    return streams.map(({ streamId }) => found.get(streamId) ?? 'OPPORTUNISTIC');
  });
  const cache = new BoundedCache(deps.clock, STREAMS, async (key) => {
    const [accountId = '', streamId = ''] = key.split('/');
    return { answer: await lookUp.add({ accountId, streamId }), freshMs: MAX_AGE_MS };
  });
  deps.channel.on('config', () => cache.forget());
  return { of: ({ accountId, streamId }) => cache.get(`${accountId}/${streamId}`) };
}
