// How the embedded server is tuned: for many small transactions on queue tables, on a machine shared with the product.
import { totalmem } from 'node:os';

const MB = 1024 * 1024;

export interface Tuning {
  readonly durable: boolean;
  readonly maxConnections: number;
  readonly memoryBytes: number;
}

/** Memory of the machine, or of the container where that is less. */
export function availableMemory(): number {
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}

export function serverSettings(tuning: Tuning): Record<string, string> {
  return {
    ...always,
    max_connections: String(tuning.maxConnections),
    ...(tuning.durable ? durable(tuning.memoryBytes) : throwaway),
  };
}

const always = {
  timezone: 'UTC',
  log_timezone: 'UTC',
  password_encryption: 'scram-sha-256',
  // The server log is for what happens to the server. A failing statement is its caller's affair, and its text and
  // details hold addresses: "log" leaves out ERROR and keeps FATAL and PANIC, terse leaves out the details.
  log_min_messages: 'log',
  log_min_error_statement: 'panic',
  log_error_verbosity: 'terse',
  log_line_prefix: '',
  random_page_cost: '1.1',
  jit: 'off',
  idle_in_transaction_session_timeout: '60s',
};

function durable(memoryBytes: number): Record<string, string> {
  const share = (part: number, most: number) => `${Math.floor(Math.min(memoryBytes * part, most) / MB)}MB`;
  return {
    fsync: 'on',
    synchronous_commit: 'on',
    full_page_writes: 'on',
    huge_pages: 'try',
    // Below the usual quarter: node processes and the page cache live on the same machine.
    shared_buffers: share(0.15, 2048 * MB),
    effective_cache_size: share(0.5, 64 * 1024 * MB),
    maintenance_work_mem: share(0.03, 512 * MB),
    // Few, spread checkpoints: each is followed by full-page images of all that is touched.
    min_wal_size: '512MB',
    max_wal_size: '4GB',
    checkpoint_timeout: '15min',
    checkpoint_completion_target: '0.9',
    // Queue tables turn over wholly within minutes; vacuum has to keep pace or claiming walks over dead rows.
    autovacuum_naptime: '15s',
    autovacuum_vacuum_scale_factor: '0.05',
    autovacuum_analyze_scale_factor: '0.05',
    autovacuum_vacuum_cost_limit: '1000',
  };
}

/** For tests: a crash may lose everything, and the folder is in memory. */
const throwaway = {
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  shared_buffers: '128MB',
  min_wal_size: '80MB',
  max_wal_size: '1GB',
};
