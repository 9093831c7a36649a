// Who wrote an inbound message, found out once it is stored: name servers of strangers must not hold up who delivers it.
// What is not known when the process ends stays unknown.
import { setInboundAuthentication } from '#/db/inbound-messages.ts';
import { writeInSystemScope } from '#/db/scope.ts';
import type { Deps } from '../deps.ts';
import { storableJson } from './storable.ts';

export interface AuthenticatedMail {
  readonly source: Uint8Array;
  /** Of the envelope; empty for the null sender. */
  readonly sender: string;
  readonly peerAddress: string;
  readonly helo: string;
}

export type Authenticate = (mail: AuthenticatedMail) => Promise<object>;

export interface Stored {
  readonly accountId: string;
  readonly id: string;
}

export interface LaterAuthentication extends AsyncDisposable {
  add(mail: AuthenticatedMail, stored: readonly Stored[]): void;
}

/** Sources that wait are in memory. What comes beyond goes unjudged: a flood is not worth the memory. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;

export function createLaterAuthentication(deps: Deps, authenticate: Authenticate): LaterAuthentication {
  const underWay = new Set<Promise<void>>();
  let bytes = 0;
  const judge = async (mail: AuthenticatedMail, stored: readonly Stored[]): Promise<void> => {
    const results = storableJson(await authenticate(mail));
    await writeInSystemScope(deps.system, deps.clock.now(), (scope) =>
      setInboundAuthentication(scope, stored, results),
    );
  };
  return {
    add(mail, stored) {
      const { length } = mail.source;
      if (bytes + length > MAX_WAITING_BYTES && bytes > 0) return;
      bytes += length;
      const judging = judge(mail, stored)
        .catch((error: unknown) => deps.log.warn({ error }, 'who wrote an inbound message was not found out'))
        .finally(() => {
          bytes -= length;
          underWay.delete(judging);
        });
      underWay.add(judging);
    },
    async [Symbol.asyncDispose]() {
      await Promise.allSettled(underWay);
    },
  };
}
