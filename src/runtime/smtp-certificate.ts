// The certificate of the SMTP servers: the operator's, or one of our own in the data folder, made when there is none.
import { randomBytes, X509Certificate } from 'node:crypto';
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from './config.ts';
import type { Clock } from './ports.ts';
import { type Certificate, makeSelfSigned } from './self-signed.ts';

/** Certificate and key in one file, so that they are never of two makings. */
const FILE = 'smtp-tls.pem';
const DAYS = 10 * 365;
/** One that ends sooner is made anew at a start. */
const RENEW_MS = 60 * 86_400_000;

export async function obtainSmtpCertificate(
  config: Pick<Config, 'dataDir' | 'smtpTls' | 'heloName'>,
  clock: Pick<Clock, 'now'>,
): Promise<Certificate> {
  const { smtpTls, heloName } = config;
  if (smtpTls !== null) {
    const [cert, key] = await Promise.all([readFile(smtpTls.cert, 'utf8'), readFile(smtpTls.key, 'utf8')]);
    return { cert, key };
  }
  const path = join(config.dataDir, FILE);
  const now = clock.now();
  const kept = await read(path);
  if (kept !== null && isGood(kept, heloName, now)) return kept;
  const made = makeSelfSigned(heloName, now, DAYS);
  await mkdir(config.dataDir, { recursive: true, mode: 0o700 });
  return keep(path, made, kept !== null);
}

/** Written whole under another name first: of several processes that start at once, one is first and the others take its. */
async function keep(path: string, made: Certificate, replace: boolean): Promise<Certificate> {
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    await writeFile(draft, made.cert + made.key, { mode: 0o600, flag: 'wx' });
    await (replace ? rename(draft, path) : link(draft, path));
    return made;
  } catch (error) {
    const first = await read(path);
    if (first !== null) return first;
    if (replace || !isTaken(error)) throw error;
    // What is there is no certificate.
    await rename(draft, path);
    return made;
  } finally {
    await rm(draft, { force: true });
  }
}

async function read(path: string): Promise<Certificate | null> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const at = text.indexOf('-----BEGIN PRIVATE KEY-----');
  return at > 0 ? { cert: text.slice(0, at), key: text.slice(at) } : null;
}

function isTaken(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EEXIST';
}

function isGood({ cert }: Certificate, host: string, now: Date): boolean {
  try {
    const parsed = new X509Certificate(cert);
    return parsed.checkHost(host) !== undefined && parsed.validToDate.getTime() - now.getTime() > RENEW_MS;
  } catch {
    return false;
  }
}
