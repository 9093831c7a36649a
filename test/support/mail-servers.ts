// Mail servers that others wrote, each in a folder of its own on loopback, which hand on all they get to one port: what a
// message looks like that has been through them.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, chown, cp, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endChild, findProgram, runProgram, until } from '../../bench/programs.ts';
import { freePort } from './program.ts';

export interface MailServer extends AsyncDisposable {
  readonly port: number;
}

const MAX_SIZE = 50_000_000;

export interface Listening {
  readonly address: string;
  readonly port: number;
}

/** Why it cannot be run, where it cannot. */
export async function startPostfix(handsOnTo: number, at?: Listening): Promise<MailServer | string> {
  if (process.getuid?.() !== 0) return 'Postfix needs root to run an instance of its own';
  const program = findProgram('postfix');
  if (program === null) return 'Postfix is not installed';
  const { address, port } = at ?? (await anywhere());
  // Its processes run as users who have to pass through.
  const folder = await mkdtemp(join(tmpdir(), 'veredus-postfix-'));
  await chmod(folder, 0o755);
  const [etc, queue, data] = [join(folder, 'etc'), join(folder, 'queue'), join(folder, 'data')];
  await cp('/etc/postfix', etc, { recursive: true });
  await mkdir(queue);
  await mkdir(data);
  await chown(data, await userId('postfix'), 0);
  const settings = {
    compatibility_level: '3.6',
    queue_directory: queue,
    data_directory: data,
    mail_owner: 'postfix',
    setgid_group: 'postdrop',
    // Of the machine; where it listens stands in master.cf.
    inet_interfaces: '127.0.0.1',
    inet_protocols: 'ipv4',
    myhostname: 'relay.test',
    mydestination: '',
    mynetworks: '127.0.0.0/8',
    smtpd_relay_restrictions: 'permit_mynetworks, reject',
    relayhost: `[127.0.0.1]:${handsOnTo}`,
    disable_dns_lookups: 'yes',
    message_size_limit: MAX_SIZE,
    mailbox_size_limit: '0',
    smtputf8_enable: 'yes',
    alias_maps: '',
    alias_database: '',
  };
  await writeFile(
    join(etc, 'main.cf'),
    Object.entries(settings)
      .map(([name, value]) => `${name} = ${value}\n`)
      .join(''),
  );
  const master = (await readFile(join(etc, 'master.cf'), 'utf8'))
    .replace(/^smtp(\s+)inet\s/m, `${address}:${port}$1inet `)
    .replace(/^(\S+\s+(?:inet|unix|fifo|pass|unix-dgram)\s+\S+\s+\S+\s+)[yn-](\s)/gm, '$1n$2');
  await writeFile(join(etc, 'master.cf'), master);
  const postfix = (command: string) => runProgram(program, ['-c', etc, command], { timeoutMs: 30_000 });
  const end = async () => {
    await postfix('stop').catch(() => {});
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await postfix('start');
    await listening(address, port);
  } catch (error) {
    await end();
    return `Postfix does not start here: ${words(error)}`;
  }
  return { port, [Symbol.asyncDispose]: end };
}

/** Debian's packages of mail servers exclude one another: this one is unpacked beside, and sees a system of its own. */
interface Unpacked {
  readonly name: string;
  readonly packages: readonly string[];
  /** Of whom it looks up by name. */
  readonly users: Readonly<Record<string, number>>;
  /** Where it keeps what it keeps: emptied, and made for it alone. */
  readonly folders: Readonly<Record<string, string>>;
  settings(folder: string, at: Listening, handsOnTo: number): string;
  /** `$1`: the folder with `root` and `settings`. */
  readonly command: string;
}

const exim: Unpacked = {
  name: 'Exim',
  packages: ['exim4-daemon-light', 'libidn12'],
  users: { 'Debian-exim': 64_998 },
  folders: { '/var/spool': 'mkdir -m 750 /var/spool/exim4 && chown 64998:64998 /var/spool/exim4' },
  settings: eximSettings,
  command: '"$1/root/usr/sbin/exim4" -C "$1/settings" -bdf -q1s',
};

const openSmtpd: Unpacked = {
  name: 'OpenSMTPD',
  packages: ['opensmtpd', 'libevent-2.1-7'],
  users: { opensmtpd: 64_996, opensmtpq: 64_997 },
  folders: {
    '/var/spool': 'mkdir -m 711 /var/spool/smtpd',
    '/var/lib': 'mkdir -p /var/lib/opensmtpd/empty',
    // Its socket.
    '/run': 'true',
  },
  settings: (_folder, { address, port }, handsOnTo) =>
    [
      `smtp max-message-size "${MAX_SIZE}"`,
      `listen on ${address} port ${port} hostname relay.test`,
      `action "onward" relay helo "relay.test" host "smtp://127.0.0.1:${handsOnTo}"`,
      'match from any for any action "onward"',
      '',
    ].join('\n'),
  command: '"$1/root/usr/sbin/smtpd" -d -f "$1/settings"',
};

export const startExim = (handsOnTo: number, at?: Listening) => startUnpacked(exim, handsOnTo, at);
export const startOpenSmtpd = (handsOnTo: number, at?: Listening) => startUnpacked(openSmtpd, handsOnTo, at);

async function startUnpacked(server: Unpacked, handsOnTo: number, at?: Listening): Promise<MailServer | string> {
  const { name } = server;
  if (process.getuid?.() !== 0) return `${name} needs root to run beside an installed mail server`;
  const folder = await mkdtemp(join(tmpdir(), `veredus-${name.toLowerCase()}-`));
  await chmod(folder, 0o755);
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    const where = at ?? (await anywhere());
    await symlink(await unpacked(server.packages), join(folder, 'root'));
    await writeFile(join(folder, 'settings'), server.settings(folder, where, handsOnTo));
    await systemFiles(server, folder);
    return await running(server, folder, where, remove);
  } catch (error) {
    await remove();
    return `${name} cannot be had here: ${words(error)}`;
  }
}

/**
 * It looks for its users by name, and starts itself anew with other rights, so that its libraries must be where the system
 * looks. Only it sees the files that say so.
 */
async function systemFiles({ users }: Unpacked, folder: string): Promise<void> {
  const lines = (entry: (user: string, id: number) => string) =>
    Object.entries(users)
      .map(([user, id]) => `${entry(user, id)}\n`)
      .join('');
  const passwd = lines((user, id) => `${user}:x:${id}:${id}::/var/lib/${user}/empty:/usr/sbin/nologin`);
  await writeFile(join(folder, 'passwd'), (await readFile('/etc/passwd', 'utf8')) + passwd);
  const groups = lines((user, id) => `${user}:x:${id}:`);
  await writeFile(join(folder, 'group'), (await readFile('/etc/group', 'utf8')) + groups);
  const lib = join(folder, 'root/usr/lib');
  await runProgram(
    findProgram('ldconfig') ?? 'ldconfig',
    ['-X', '-C', join(folder, 'ld.so.cache'), join(lib, await onlyEntry(lib))],
    { timeoutMs: 30_000 },
  );
}

async function running(
  { name, folders, command }: Unpacked,
  folder: string,
  { address, port }: Listening,
  remove: () => Promise<void>,
): Promise<MailServer | string> {
  const files = ['passwd', 'group', 'ld.so.cache'].map((file) => `mount --bind "$1/${file}" "/etc/${file}"`);
  const own = Object.entries(folders).map(([path, make]) => `mount -t tmpfs tmpfs ${path} && ${make}`);
  const child = spawn('unshare', ['-m', 'sh', '-c', [...files, ...own, `exec ${command}`].join(' && '), 'sh', folder], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const end = async () => {
    await endChild(child, 'SIGTERM', 5_000);
    await remove();
  };
  try {
    await Promise.race([
      listening(address, port),
      new Promise<never>((_, reject) => child.once('exit', () => reject(new Error(said || 'it ended')))),
    ]);
  } catch (error) {
    await end();
    return `${name} does not start here: ${words(error)}`;
  }
  return { port, [Symbol.asyncDispose]: end };
}

function eximSettings(folder: string, { address, port }: Listening, handsOnTo: number): string {
  return `
primary_hostname = relay.test
local_interfaces = ${address}
daemon_smtp_ports = ${port}
exim_path = ${folder}/root/usr/sbin/exim4
spool_directory = /var/spool/exim4
log_file_path = /var/spool/exim4/%slog
pid_file_path = /var/spool/exim4/pid
keep_environment =
tls_advertise_hosts =
message_size_limit = ${MAX_SIZE}
host_lookup =
rfc1413_query_timeout = 0s
dns_ipv4_lookup = *
queue_run_max = 5
smtp_accept_max = 40
smtp_accept_queue_per_connection = 0
acl_smtp_rcpt = acl_rcpt
begin acl
acl_rcpt:
  accept hosts = 127.0.0.1
         control = dkim_disable_verify
begin routers
all:
  driver = manualroute
  domains = *
  transport = onward
  route_list = * 127.0.0.1 byname
  self = send
begin transports
onward:
  driver = smtp
  port = ${handsOnTo}
  hosts_avoid_tls = *
  allow_localhost
  max_rcpt = 1
begin retry
* * F,1m,1s
`;
}

/** Of root alone, so that nobody else decides what is run. */
const CACHE = '/var/cache/veredus-tests';

/** Where the packages are unpacked; downloaded once for all runs. */
async function unpacked(packages: readonly string[]): Promise<string> {
  const kept = join(CACHE, packages.join('+'));
  if (existsSync(kept)) return kept;
  if (findProgram('apt-get') === null || findProgram('dpkg') === null) throw new Error('there are no Debian packages');
  await mkdir(CACHE, { recursive: true, mode: 0o755 });
  const making = await mkdtemp(join(CACHE, 'making-'));
  await chmod(making, 0o755);
  const downloads = join(making, 'packages');
  await mkdir(downloads);
  // apt-get downloads into the folder in which it is called.
  const script = 'cd "$1" && shift && apt-get -q download "$@"';
  await runProgram('sh', ['-c', script, 'sh', downloads, ...packages], { timeoutMs: 60_000 });
  for (const name of await readdir(downloads)) {
    await runProgram('dpkg', ['-x', join(downloads, name), join(making, 'root')], { timeoutMs: 30_000 });
  }
  // Two runs may do this at once: the first to be ready counts.
  await rename(join(making, 'root'), kept).catch(() => {});
  await rm(making, { recursive: true, force: true });
  return kept;
}

async function onlyEntry(folder: string): Promise<string> {
  const entries = (await readdir(folder)).filter((name) => name.includes('-linux-'));
  const [first] = entries;
  if (first === undefined) throw new Error('the package has another layout than expected');
  return first;
}

async function anywhere(): Promise<Listening> {
  return { address: '127.0.0.1', port: await freePort() };
}

async function listening(address: string, port: number): Promise<void> {
  await until(() => greets(address, port), { everyMs: 50, timeoutMs: 15_000, describe: () => 'it does not greet' });
}

function greets(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (greeted: boolean) => {
      socket.destroy();
      resolve(greeted);
    };
    socket.once('data', (bytes) => end(bytes.toString('latin1').startsWith('220')));
    socket.once('error', () => end(false));
    socket.once('end', () => end(false));
  });
}

async function userId(name: string): Promise<number> {
  const line = (await readFile('/etc/passwd', 'utf8')).split('\n').find((entry) => entry.startsWith(`${name}:`));
  const id = Number(line?.split(':')[2]);
  if (!Number.isInteger(id)) throw new Error(`there is no user ${name}`);
  return id;
}

function words(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(/\s+/g, ' ').slice(0, 300);
}
