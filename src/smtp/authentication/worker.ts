// The thread in which mail is authenticated by mailauth, started by mail-authentication.ts. Its
// DNS questions are answered by the process that owns it, so that they go where all of ours go.
import { parentPort } from 'node:worker_threads';
import { authenticate } from 'mailauth';
import type { AuthenticationResults, Verdict } from './results.ts';

export interface Task {
  readonly kind: 'task';
  readonly id: number;
  readonly source: Uint8Array<ArrayBuffer>;
  readonly sender: string;
  readonly ip: string;
  readonly helo: string;
  readonly mta: string;
}

export interface DnsAnswer {
  readonly kind: 'answer';
  readonly id: number;
  /** In the form that node:dns gives; null with a code. */
  readonly records: unknown[] | null;
  readonly code: string | null;
}

export interface Ping {
  readonly kind: 'ping';
}

export type FromThread =
  | { readonly kind: 'pong' }
  | { readonly kind: 'question'; readonly id: number; readonly name: string; readonly type: string }
  | { readonly kind: 'done'; readonly id: number; readonly results: AuthenticationResults }
  | { readonly kind: 'failed'; readonly id: number; readonly message: string };

const port = parentPort;
const waiting = new Map<number, PromiseWithResolvers<unknown[]>>();
let questions = 0;

port?.on('message', (message: Task | DnsAnswer | Ping) => {
  if (message.kind === 'ping') port.postMessage({ kind: 'pong' } satisfies FromThread);
  else if (message.kind === 'task') void run(message);
  else settle(message);
});

async function run(task: Task): Promise<void> {
  let reply: FromThread;
  try {
    reply = { kind: 'done', id: task.id, results: await judge(task) };
  } catch (error) {
    reply = { kind: 'failed', id: task.id, message: error instanceof Error ? error.message : String(error) };
  }
  port?.postMessage(reply);
}

async function judge({ source, sender, ip, helo, mta }: Task): Promise<AuthenticationResults> {
  const resolver = (name: string, type: string) => ask(name, type);
  const found = await authenticate(Buffer.from(source.buffer), {
    sender,
    ip,
    helo,
    mta,
    resolver: resolver as never,
    disableBimi: true,
  });
  const { spf, dkim, dmarc, arc } = found;
  return {
    spf: spf === false ? { result: 'none', domain: null } : { result: verdict(spf.status.result), domain: spf.domain },
    dkim: (dkim.results ?? []).flatMap(({ status, signingDomain, selector }) =>
      signingDomain === undefined
        ? []
        : [
            {
              result: verdict(status.result),
              domain: signingDomain,
              selector: selector ?? '',
              aligned: Boolean((status as { aligned?: unknown }).aligned),
            },
          ],
    ),
    dmarc:
      dmarc === false
        ? null
        : { result: verdict(dmarc.status.result), domain: dmarc.domain, policy: dmarc.policy || 'none' },
    arc: { result: arc === false ? 'none' : verdict(arc.status.result) },
  };
}

function verdict(result: string): Verdict {
  switch (result) {
    case 'pass':
    case 'fail':
    case 'softfail':
    case 'neutral':
    case 'policy':
    case 'permerror':
    case 'temperror':
      return result;
    case 'temperr':
      return 'temperror';
    default:
      return 'none';
  }
}

function ask(name: string, type: string): Promise<unknown[]> {
  const id = ++questions;
  const answer = Promise.withResolvers<unknown[]>();
  waiting.set(id, answer);
  port?.postMessage({ kind: 'question', id, name, type } satisfies FromThread);
  return answer.promise;
}

function settle({ id, records, code }: DnsAnswer): void {
  const answer = waiting.get(id);
  waiting.delete(id);
  if (records !== null) answer?.resolve(records);
  else answer?.reject(Object.assign(new Error(`query${code}`), { code }));
}
