// PostgreSQL refuses to run as root. Where we are root, this chooses who runs it instead and how to become that user;
// everywhere else it is simply us.
import { spawnSync } from 'node:child_process';
import { chmod, chown, lchown, mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

export interface Account {
  /** Command, arguments and spawn options that run `file` as this account. */
  command(file: string, args: readonly string[]): { file: string; args: string[]; uid?: number; gid?: number };
  /** Gives a file or an empty folder to the account. */
  own(path: string): Promise<void>;
}

const ourselves: Account = {
  command: (file, args) => ({ file, args: [...args] }),
  own: async () => {},
};

/**
 * `clusterDir` is made when it does not exist. A cluster that already belongs to an ordinary user is run as that user,
 * so that one start as root does not lock its owner out.
 */
export async function prepareAccount(clusterDir: string, readable: readonly string[]): Promise<Account> {
  await mkdir(clusterDir, { recursive: true, mode: 0o700 });
  const owner = await stat(clusterDir);
  const us = process.getuid?.();
  if (us !== 0 && us !== owner.uid) {
    throw new Error(
      `${clusterDir} belongs to user ${owner.uid}: start Veredus as that user, or give the folder to this one`,
    );
  }
  // A copy put back by hand is often open to all, which PostgreSQL refuses; the group may read, no more.
  if ((owner.mode & 0o027) !== 0) await chmod(clusterDir, 0o700);
  if (us !== 0) return ourselves;
  const user = owner.uid === 0 ? await serviceUser() : { uid: owner.uid, gid: owner.gid };
  if (owner.uid === 0) await giveTree(clusterDir, user);
  return reaches(user, clusterDir, readable) ? plain(user) : privileged(user, clusterDir);
}

interface User {
  readonly uid: number;
  readonly gid: number;
}

async function serviceUser(): Promise<User> {
  const lines = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  for (const name of ['postgres', 'nobody']) {
    const [, , uid, gid] = lines.find((fields) => fields[0] === name) ?? [];
    if (Number(uid) > 0 && Number(gid) > 0) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new Error(
    'PostgreSQL does not run as root, and this machine has neither a user "postgres" nor "nobody": ' +
      'start Veredus as an ordinary user, or set VEREDUS_DATABASE_URL',
  );
}

function plain(user: User): Account {
  return {
    command: (file, args) => ({ file, args: [...args], uid: user.uid, gid: user.gid }),
    own: (path) => chown(path, user.uid, user.gid),
  };
}

/**
 * For a checkout or a data folder below a folder that only root may enter, such as /root: the service user keeps the
 * one capability that passes permission bits. Ambient, or it would be lost on exec. `no_setuid_fixup`, because
 * initdb asks access(2), which otherwise forgets the capabilities of whoever is not root. CAP_DAC_READ_SEARCH is
 * implied by CAP_DAC_OVERRIDE and containers do not have it.
 */
function privileged(user: User, clusterDir: string): Account {
  const become = [
    `--reuid=${user.uid}`,
    `--regid=${user.gid}`,
    '--clear-groups',
    '--inh-caps=+dac_override',
    '--ambient-caps=+dac_override',
    '--securebits=+no_setuid_fixup',
  ];
  const probe = spawnSync('setpriv', [...become, 'true'], { cwd: '/', encoding: 'utf8' });
  if (probe.status !== 0) {
    throw new Error(
      `PostgreSQL does not run as root, and user ${user.uid} cannot reach ${clusterDir} or the program itself. ` +
        'Move both to folders that others may enter (chmod o+x), start Veredus as an ordinary user, or install ' +
        `setpriv (util-linux). setpriv says: ${probe.error?.message ?? probe.stderr.trim()}`,
    );
  }
  return {
    command: (file, args) => ({ file: 'setpriv', args: [...become, file, ...args] }),
    own: (path) => chown(path, user.uid, user.gid),
  };
}

/** Asked of the system itself, by the user itself: permission bits alone would not know of ACLs. */
function reaches(user: User, clusterDir: string, readable: readonly string[]): boolean {
  const script = 'test -w "$1" && test -x "$1" && shift && for path; do test -r "$path" || exit 1; done';
  const probe = spawnSync('/bin/sh', ['-c', script, 'sh', clusterDir, ...readable], {
    cwd: '/',
    stdio: 'ignore',
    ...user,
  });
  if (probe.error) throw new Error(`cannot become user ${user.uid} to run PostgreSQL`, { cause: probe.error });
  return probe.status === 0;
}

async function giveTree(path: string, user: User): Promise<void> {
  await lchown(path, user.uid, user.gid);
  for (const entry of await readdir(path, { withFileTypes: true })) {
    const child = join(path, entry.name);
    if (entry.isDirectory()) await giveTree(child, user);
    else await lchown(child, user.uid, user.gid);
  }
}
