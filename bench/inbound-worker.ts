// A process that receives mail as the inbound server does, with the least that makes it durable behind it: a file that is
// synced before 250, once for all that wait. What the product's own handler costs more is seen in the scenario beside it.
import { open } from 'node:fs/promises';
import cluster from 'node:cluster';
import { join } from 'node:path';
import type { Judged } from '#/resolvers/incoming/recipients.ts';
import { systemClock } from '#/runtime/clock.ts';
import { createLog } from '#/runtime/log.ts';
import { makeSelfSigned } from '#/runtime/self-signed.ts';
import { openSpool } from '#/runtime/spool.ts';
import { startInbound } from '#/smtp/inbound/inbound.ts';
import type { Receiver } from '#/smtp/inbound/received.ts';

const [folder = '', port = '0', processes = '1'] = process.argv.slice(2);
const anybody: Judged = {
  kind: 'inbound',
  accountId: '00000000-0000-7000-8000-000000000001',
  serverId: '00000000-0000-7000-8000-000000000002',
  streamId: '00000000-0000-7000-8000-000000000003',
  mailboxHash: '',
  retentionDays: 45,
};

if (cluster.isPrimary) {
  let ready = 0;
  cluster.on('message', () => {
    ready++;
    if (ready === Number(processes)) console.log('ready');
  });
  for (let index = 0; index < Number(processes); index++) cluster.fork();
  process.on('SIGTERM', () => process.exit(0));
} else {
  process.on('disconnect', () => process.exit(0));
  await startInbound({
    name: 'mx.bench.example',
    host: '127.0.0.1',
    port: Number(port),
    tls: makeSelfSigned('mx.bench.example', new Date(), 1),
    recipients: { judge: (address) => Promise.resolve(address.endsWith('@mail.example') ? anybody : null) },
    receiver: await syncedFile(join(folder, `mail-${process.pid}`)),
    spool: await openSpool(join(folder, 'spool'), systemClock),
    clock: systemClock,
    log: createLog({ level: 'warn' }),
  });
  process.send?.('ready');
}

async function syncedFile(path: string): Promise<Receiver> {
  const file = await open(path, 'w');
  let waiting: { readonly bytes: Buffer; readonly done: PromiseWithResolvers<void> }[] = [];
  let writing = false;
  const write = async () => {
    writing = true;
    while (waiting.length > 0) {
      const all = waiting;
      waiting = [];
      await file.writev(all.map(({ bytes }) => bytes));
      await file.datasync();
      for (const { done } of all) done.resolve();
    }
    writing = false;
  };
  return {
    async receive({ source }) {
      const entry = { bytes: await source.read(), done: Promise.withResolvers<void>() };
      waiting.push(entry);
      if (!writing) void write();
      await entry.done.promise;
    },
  };
}
