// Postfix as the measure: an instance in a folder of its own, between smtp-source and smtp-sink, with Debian's default
// durability (each queue file is synced) and nothing between it and full speed.
import { chown, chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atEnd } from './at-end.ts';
import { findOrInstall, findProgram, runProgram, until } from './programs.ts';
import { freePort, type Sink } from './sink.ts';

export interface Postfix extends AsyncDisposable {
  readonly version: string;
  /** Sends through it, and waits until all is at the sink. */
  deliver(messages: number, bytes: number): Promise<{ readonly accepted: number; readonly delivered: number }>;
}

/** Sessions of smtp-source. */
const SESSIONS = 50;

/** Why it cannot be run, where it cannot. */
export async function startPostfix(sink: Sink, say: (line: string) => void): Promise<Postfix | string> {
  if (process.getuid?.() !== 0) return 'Postfix needs root to run an instance of its own';
  const program = findOrInstall('postfix', 'postfix', say);
  const source = findProgram('smtp-source');
  if (program === null || source === null) return 'Postfix is not installed, and could not be';
  const port = await freePort();
  const folder = await makeInstance(port, sink.port);
  const postfix = (command: string) => runProgram(program, ['-c', join(folder, 'etc'), command], { timeoutMs: 30_000 });
  const end = atEnd(async () => {
    await postfix('stop').catch(() => {});
    await rm(folder, { recursive: true, force: true });
  });
  try {
    await postfix('start');
  } catch (error) {
    await end();
    return `Postfix does not start here: ${error instanceof Error ? error.message.slice(0, 300) : String(error)}`;
  }
  const { output } = await runProgram('postconf', ['-d', '-h', 'mail_version'], { timeoutMs: 10_000 });
  return {
    version: output.trim(),
    async deliver(messages, bytes) {
      const before = sink.count;
      const startedAt = performance.now();
      const args = ['-s', SESSIONS, '-m', messages, '-l', bytes, '-f', 'a@bench.example', '-t', 'b@mail.example'];
      const sending = await runProgram(source, [...args.map(String), `127.0.0.1:${port}`], { timeoutMs: 300_000 });
      await until(() => sink.count >= before + messages, {
        everyMs: 5,
        timeoutMs: 300_000,
        describe: () => `Postfix has delivered ${sink.count - before} of ${messages}`,
      });
      const seconds = (performance.now() - startedAt) / 1_000;
      return { accepted: messages / sending.seconds, delivered: messages / seconds };
    },
    [Symbol.asyncDispose]: end,
  };
}

async function makeInstance(port: number, sinkPort: number): Promise<string> {
  // Its processes run as users who have to pass through; the temporary folder lets them.
  const folder = await mkdtemp(join(tmpdir(), 'veredus-postfix-'));
  await chmod(folder, 0o755);
  const [etc, queue, data] = ['etc', 'queue', 'data'].map((name) => join(folder, name));
  if (etc === undefined || queue === undefined || data === undefined) throw new Error('a folder is missing');
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
    myhostname: 'bench.example',
    mydestination: '',
    mynetworks: '127.0.0.0/8',
    smtpd_relay_restrictions: 'permit_mynetworks, reject',
    relayhost: `[127.0.0.1]:${sinkPort}`,
    disable_dns_lookups: 'yes',
    in_flow_delay: '0',
    alias_maps: '',
    alias_database: '',
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}\n`);
  await writeFile(join(etc, 'main.cf'), lines.join(''));
  // Of the services only the inner ones, none in a chroot, and smtpd on our port in place of 25.
  const master = (await readFile(join(etc, 'master.cf'), 'utf8'))
    .replace(/^smtp(\s+)inet\s/m, `127.0.0.1:${port}$1inet `)
    .replace(/^(\S+\s+(?:inet|unix|fifo|pass|unix-dgram)\s+\S+\s+\S+\s+)[yn-](\s)/gm, '$1n$2');
  await writeFile(join(etc, 'master.cf'), master);
  return folder;
}

async function userId(name: string): Promise<number> {
  const line = (await readFile('/etc/passwd', 'utf8')).split('\n').find((entry) => entry.startsWith(`${name}:`));
  const id = Number(line?.split(':')[2]);
  if (!Number.isInteger(id)) throw new Error(`there is no user ${name}`);
  return id;
}
