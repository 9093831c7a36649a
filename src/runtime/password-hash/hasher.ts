// The process that hashes, seen from its parent: started with the first job, and again with the next one when it died.
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Log } from '../ports.ts';
import type { Answer, Job } from './jobs.ts';

/**
 * none → running → none. Between jobs it is not referenced and keeps no parent alive. Its size is 72 MB: 40 are Node
 * itself and shared, 19 MiB are argon2's, which glibc keeps.
 */
export class Hasher {
  private child: ChildProcess | null = null;
  private readonly log: Log;

  constructor(log: Log) {
    this.log = log;
  }

  /** One at a time: the caller waits for the answer before it asks again. Rejects when the process dies over it. */
  perform(job: Job): Promise<Answer> {
    const child = (this.child ??= this.start());
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const ended = () => reject(new Error('the process that hashes passwords ended'));
    child.once('message', resolve);
    child.once('exit', ended);
    child.once('error', reject);
    child.ref();
    child.channel?.ref();
    child.send(job, (error) => {
      if (error !== null) reject(error);
    });
    return promise.finally(() => {
      child.off('message', resolve).off('exit', ended).off('error', reject);
      child.unref();
      child.channel?.unref();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { child } = this;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    child.once('exit', () => resolve());
    // Unreferenced, and then nothing would keep this process alive until the end that is awaited.
    child.ref();
    child.kill('SIGKILL');
    await promise;
  }

  private start(): ChildProcess {
    const child = fork(fileURLToPath(new URL('child.ts', import.meta.url)), {
      // Nothing of the parent's: its secrets are in the environment, and a debugger's port in the arguments. With one
      // thread glibc keeps one area of 19 MiB; four threads kept four.
      env: { UV_THREADPOOL_SIZE: '1' },
      execArgv: [],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    const forget = () => {
      if (this.child === child) this.child = null;
    };
    child.once('exit', (code, signal) => {
      forget();
      this.log.debug({ code, signal }, 'the process that hashes passwords ended');
    });
    // Could not be started, or not be written to: either way of no more use.
    child.on('error', (error) => {
      forget();
      this.log.error({ err: error }, 'the process that hashes passwords failed');
    });
    return child;
  }
}
