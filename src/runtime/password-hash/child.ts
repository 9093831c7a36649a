// The program of the process that hashes: takes jobs from its parent, one after the other, with low priority.
// It holds no state and no secret between jobs, and may be killed at any time.
import os from 'node:os';
import argon2 from 'argon2';
import type { Answer, Job } from './jobs.ts';
import { parameters } from './parameters.ts';

/**
 * Of 19. While both cores of a machine are busy with sending, 50 sign-ins cost it 18 %; 29 % at 0 and 11 % at 19. Higher
 * is not better: at 19 a machine that is overloaded threefold needs 4 s for one hash, and nobody gets in to see why.
 */
const NICENESS = 10;

try {
  os.setPriority(0, NICENESS);
} catch {
  // Some sandboxes forbid it. Sending is then disturbed more, and still only by one hash at a time.
}

// Ctrl-C and the signals of containers go to the whole group, and the parent may still be answering.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});

// Without its parent the channel is closed, nothing keeps the process alive, and it ends.
process.on('message', (job: Job) => {
  perform(job).then(
    (answer) => process.send?.(answer),
    (error: unknown) => process.send?.({ failure: error instanceof Error ? error.message : String(error) }),
  );
});

async function perform(job: Job): Promise<Answer> {
  if (job.kind === 'hash') return { hash: await argon2.hash(job.password, parameters) };
  const matches = await argon2.verify(job.hash, job.password);
  const outdated = !job.hash.startsWith('$argon2id$') || argon2.needsRehash(job.hash, parameters);
  return { matches, rehash: matches && outdated ? await argon2.hash(job.password, parameters) : null };
}
