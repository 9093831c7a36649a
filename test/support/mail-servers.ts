// Mail servers that others wrote, each in a folder of its own on loopback, which hand on all they get to one port: what a
// message looks like that has been through them.
import { spawn } from 'node:child_process';
import { chmod, chown, cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endChild, findProgram, runProgram, until } from '../../bench/programs.ts';
import { freePort } from '../../bench/sink.ts';

export interface MailServer extends AsyncDisposable {
  readonly port: number;
}

const MAX_SIZE = 50_000_000;

/** Why it cannot be run, where it cannot. */
export async function startPostfix(handsOnTo: number): Promise<MailServer | string> {
  if (process.getuid?.() !== 0) return 'Postfix needs root to run an instance of its own';
  const program = findProgram('postfix');
  if (program === null) return 'Postfix is not installed';
  const port = await freePort();
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
    .replace(/^smtp(\s+)inet\s/m, `127.0.0.1:${port}$1inet `)
    .replace(/^(\S+\s+(?:inet|unix|fifo|pass|unix-dgram)\s+\S+\s+\S+\s+)[yn-](\s)/gm, '$1n$2');
  await writeFile(join(etc, 'master.cf'), master);
  const postfix = (command: string) => runProgram(program, ['-c', etc, command], { timeoutMs: 30_000 });
  const end = async () => {
    await postfix('stop').catch(() => {});
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await postfix('start');
    await listening(port);
  } catch (error) {
    await end();
    return `Postfix does not start here: ${words(error)}`;
  }
  return { port, [Symbol.asyncDispose]: end };
}

/** Debian's packages of Exim and Postfix exclude one another, so this one is unpacked beside. */
const EXIM_PACKAGES = ['exim4-daemon-light', 'libidn12'];
const EXIM_USER = 64_998;

export async function startExim(handsOnTo: number): Promise<MailServer | string> {
  if (process.getuid?.() !== 0) return 'Exim needs root to run beside an installed mail server';
  const folder = await mkdtemp(join(tmpdir(), 'veredus-exim-'));
  await chmod(folder, 0o755);
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    const unpacked = join(folder, 'root');
    await unpack(EXIM_PACKAGES, folder, unpacked);
    const port = await freePort();
    const libraries = join(unpacked, 'usr/lib', await onlyEntry(join(unpacked, 'usr/lib')));
    await writeFile(join(folder, 'exim.conf'), eximSettings(folder, port, handsOnTo));
    await mkdir(join(folder, 'spool'));
    await chown(join(folder, 'spool'), EXIM_USER, EXIM_USER);
    // Exim looks for its user by name, and starts itself anew with other rights, so that its library must be where the
    // system looks. Only it sees the files that say so.
    await writeFile(
      join(folder, 'passwd'),
      `${await readFile('/etc/passwd', 'utf8')}Debian-exim:x:${EXIM_USER}:${EXIM_USER}::/nonexistent:/usr/sbin/nologin\n`,
    );
    await writeFile(join(folder, 'group'), `${await readFile('/etc/group', 'utf8')}Debian-exim:x:${EXIM_USER}:\n`);
    await runProgram(findProgram('ldconfig') ?? 'ldconfig', ['-X', '-C', join(folder, 'ld.so.cache'), libraries], {
      timeoutMs: 30_000,
    });
    const mounts = ['passwd', 'group', 'ld.so.cache'].map((name) => `mount --bind "$1/${name}" "/etc/${name}"`);
    const exim = 'exec "$1/root/usr/sbin/exim4" -C "$1/exim.conf" -bdf -q1s';
    const child = spawn('unshare', ['-m', 'sh', '-c', [...mounts, exim].join(' && '), 'sh', folder], {
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
        listening(port),
        new Promise<never>((_, reject) => child.once('exit', () => reject(new Error(said || 'it ended')))),
      ]);
    } catch (error) {
      await end();
      return `Exim does not start here: ${words(error)}`;
    }
    return { port, [Symbol.asyncDispose]: end };
  } catch (error) {
    await remove();
    return `Exim cannot be had here: ${words(error)}`;
  }
}

function eximSettings(folder: string, port: number, handsOnTo: number): string {
  return `
primary_hostname = relay.test
local_interfaces = 127.0.0.1
daemon_smtp_ports = ${port}
exim_path = ${folder}/root/usr/sbin/exim4
spool_directory = ${folder}/spool
log_file_path = ${folder}/spool/%slog
pid_file_path = ${folder}/spool/pid
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

async function unpack(packages: readonly string[], folder: string, into: string): Promise<void> {
  if (findProgram('apt-get') === null || findProgram('dpkg') === null) throw new Error('there are no Debian packages');
  const downloads = join(folder, 'packages');
  await mkdir(downloads);
  // apt-get downloads into the folder in which it is called.
  const script = 'cd "$1" && shift && apt-get -q download "$@"';
  await runProgram('sh', ['-c', script, 'sh', downloads, ...packages], { timeoutMs: 60_000 });
  for (const name of await readdir(downloads)) {
    await runProgram('dpkg', ['-x', join(downloads, name), into], { timeoutMs: 30_000 });
  }
}

async function onlyEntry(folder: string): Promise<string> {
  const entries = (await readdir(folder)).filter((name) => name.includes('-linux-'));
  const [first] = entries;
  if (first === undefined) throw new Error('the package has another layout than expected');
  return first;
}

async function listening(port: number): Promise<void> {
  await until(() => greets(port), { everyMs: 50, timeoutMs: 15_000, describe: () => 'it does not greet' });
}

function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
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
