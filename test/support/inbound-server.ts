// The inbound server alone, with a handler that keeps what it gets: what the protocol lets through, without what it means.
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readVerp } from '#/mail/reverse-path.ts';
import type { Judged } from '#/resolvers/incoming/recipients.ts';
import { systemClock } from '#/runtime/clock.ts';
import { makeSelfSigned } from '#/runtime/self-signed.ts';
import { openSpool } from '#/runtime/spool.ts';
import { type InboundOptions, startInbound } from '#/smtp/inbound/inbound.ts';
import type { ReceivedMail } from '#/smtp/inbound/received.ts';
import { silentLog } from './silent-log.ts';

export interface KeptMail extends Omit<ReceivedMail, 'source'> {
  readonly size: number;
  readonly source: Buffer;
  /** Files in the spool while it was received. */
  readonly spooled: number;
}

export interface InboundServer extends AsyncDisposable {
  readonly port: number;
  readonly mails: readonly KeptMail[];
  /** For addresses that the server is told of. */
  readonly secret: Buffer;
  spooled(): Promise<number>;
}

export const inboundAddress: Judged = {
  kind: 'inbound',
  accountId: '00000000-0000-7000-8000-000000000001',
  serverId: '00000000-0000-7000-8000-000000000002',
  streamId: '00000000-0000-7000-8000-000000000003',
  mailboxHash: '',
  retentionDays: 45,
};

export async function inboundServer(
  options: Partial<InboundOptions> & { readonly known?: Readonly<Record<string, Judged>> } = {},
): Promise<InboundServer> {
  const folder = await mkdtemp(join(tmpdir(), 'veredus-spool-'));
  const secret = Buffer.alloc(32, 7);
  const mails: KeptMail[] = [];
  const known = options.known ?? { 'app@inbound.example': inboundAddress };
  const spooled = async () => (await readdir(folder)).length;
  const server = await startInbound({
    name: 'mx.veredus.example',
    host: '127.0.0.1',
    port: 0,
    tls: makeSelfSigned('mx.veredus.example', new Date(), 30),
    recipients: {
      async judge(address) {
        const named = readVerp(address, secret);
        return named === null
          ? (known[address.toLowerCase()] ?? null)
          : { kind: 'return-path', accountId: inboundAddress.accountId, ...named };
      },
    },
    receiver: {
      async receive(mail) {
        mails.push({ ...mail, size: mail.source.size, source: await mail.source.read(), spooled: await spooled() });
      },
    },
    spool: await openSpool(folder, systemClock),
    clock: systemClock,
    log: silentLog,
    ...options,
  });
  return {
    port: server.port,
    mails,
    secret,
    spooled,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
