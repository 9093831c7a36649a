// Our own sink in a thread: for machines without smtp-sink, and for peers that are slow.
import { parentPort, workerData } from 'node:worker_threads';
import { startOwnSink } from './sink.ts';

let count = 0;
const sink = await startOwnSink(
  () => {
    count++;
  },
  (workerData as { readonly delayMs: number }).delayMs,
);
parentPort?.postMessage({ port: sink.port });
setInterval(() => parentPort?.postMessage({ count }), 5);
