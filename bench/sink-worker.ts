// Our own sink in a thread, for machines without smtp-sink.
import { parentPort } from 'node:worker_threads';
import { startOwnSink } from './sink.ts';

let count = 0;
const sink = await startOwnSink(() => {
  count++;
});
parentPort?.postMessage({ port: sink.port });
setInterval(() => parentPort?.postMessage({ count }), 5);
