// Where the server listens: a unix socket in a folder that only its user may enter. A file system without sockets, or
// a path beyond what an address holds, moves it to the temporary folder, and at last to a free loopback port.
import { mkdir, mkdtemp, readdir, rm, unlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Endpoint {
  readonly settings: Record<string, string>;
  connectionString(password: string, database: string): string;
  /** Folder of the socket; null on loopback. */
  readonly socketDir: string | null;
  close(): Promise<void>;
}

/** sun_path is 108 bytes on Linux and 104 on macOS, a closing zero included. */
const LONGEST_SOCKET_PATH = 103;
const SOCKET = '.s.PGSQL.5432';

/** Only to be called when no server runs on the folder: a socket left by a dead one is removed. */
export async function chooseEndpoint(dataDir: string): Promise<Endpoint> {
  const beside = join(dataDir, 'socket');
  await mkdir(beside, { recursive: true, mode: 0o700 });
  for (const name of await readdir(beside)) if (name.startsWith(SOCKET)) await unlink(join(beside, name));
  if (await takesSockets(beside)) return onSocket(beside, async () => {});
  await rm(beside, { recursive: true });

  const temporary = await mkdtemp(join(tmpdir(), 'veredus-pg-'));
  const remove = () => rm(temporary, { recursive: true, force: true });
  if (await takesSockets(temporary)) return onSocket(temporary, remove);
  await remove();
  return onLoopback(await freePort());
}

/** From the lines of postmaster.pid: port, socket folder and address stand on lines 4 to 6. */
export function endpointOfRunning(lines: readonly string[]): Endpoint {
  const [, , , port, socketDir] = lines;
  return socketDir ? onSocket(socketDir, async () => {}) : onLoopback(Number(port));
}

function onSocket(socketDir: string, close: () => Promise<void>): Endpoint {
  return {
    socketDir,
    settings: {
      listen_addresses: '',
      unix_socket_directories: quoted(socketDir),
      unix_socket_permissions: '0700',
      port: '5432',
    },
    connectionString: (password, database) =>
      `postgresql://veredus:${encodeURIComponent(password)}@/${encodeURIComponent(database)}?host=${encodeURIComponent(socketDir)}`,
    close,
  };
}

function onLoopback(port: number): Endpoint {
  return {
    socketDir: null,
    settings: { listen_addresses: '127.0.0.1', unix_socket_directories: '', port: String(port) },
    connectionString: (password, database) =>
      `postgresql://veredus:${encodeURIComponent(password)}@127.0.0.1:${port}/${encodeURIComponent(database)}`,
    close: async () => {},
  };
}

/** The setting is a list of names; quotes keep commas and spaces inside one. */
function quoted(path: string): string {
  return `"${path.replaceAll('"', '""')}"`;
}

async function takesSockets(folder: string): Promise<boolean> {
  const path = join(folder, SOCKET);
  if (Buffer.byteLength(path) > LONGEST_SOCKET_PATH) return false;
  return (await listening({ path })) !== null;
}

async function freePort(): Promise<number> {
  const port = await listening({ host: '127.0.0.1', port: 0 });
  if (port === null) throw new Error('no loopback port is free for the embedded PostgreSQL');
  return port;
}

/** Listens for a moment; the port (0 for a path), or null when it could not. */
async function listening(where: { path: string } | { host: string; port: number }): Promise<number | null> {
  const { promise, resolve } = Promise.withResolvers<number | null>();
  const server = createServer();
  server.once('error', () => resolve(null));
  server.listen(where, () => {
    const address = server.address();
    server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
  });
  return promise;
}
