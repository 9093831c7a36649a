// Two verifiers of DKIM that others wrote: mailauth, and the opendkim of Debian in its test mode.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dkimVerify } from 'mailauth/lib/dkim/verify.js';
import { findProgram, runProgram } from '../../bench/programs.ts';

/** Name of a record → its text. */
export type PublishedKeys = ReadonlyMap<string, string>;

export interface Verdict {
  readonly selector: string;
  /** `pass`, or what is wrong. */
  readonly result: string;
}

/** Of each signature, in the order of the fields. */
export async function verifyByMailauth(message: Buffer, keys: PublishedKeys): Promise<readonly Verdict[]> {
  const { results } = await dkimVerify(message, {
    resolver: async (name: string, type: string) => {
      const record = keys.get(name);
      if (record !== undefined && type === 'TXT') return [[record.slice(0, 255), record.slice(255)]];
      throw Object.assign(new Error(`no ${type} of ${name}`), { code: 'ENOTFOUND' });
    },
  });
  return results.map(({ selector = '', status }) => ({
    selector,
    result: status.result === 'pass' ? 'pass' : `${status.result}: ${status.comment ?? ''}`,
  }));
}

export const opendkim = findProgram('opendkim');

/**
 * One verdict a message, in order. opendkim tells of one signature only, so each message comes with the one it is about:
 * `only` takes the others out.
 */
export async function verifyByOpendkim(
  program: string,
  messages: readonly Buffer[],
  keys: PublishedKeys,
): Promise<readonly Verdict[]> {
  const folder = await mkdtemp(join(tmpdir(), 'veredus-opendkim-'));
  try {
    const records = [...keys].map(([name, record]) => `${name} ${record}\n`);
    await writeFile(join(folder, 'keys'), records.join(''));
    await writeFile(join(folder, 'conf'), `Mode v\nSyslog no\nTestPublicKeys ${join(folder, 'keys')}\n`);
    await Promise.all(messages.map((message, index) => writeFile(join(folder, `${index}.eml`), message)));
    const verdicts: Verdict[] = [];
    // A list of names that an argument can hold, and a process that ends soon.
    for (let from = 0; from < messages.length; from += 200) {
      const files = messages.slice(from, from + 200).map((_, index) => join(folder, `${from + index}.eml`));
      const { output } = await runProgram(program, ['-x', join(folder, 'conf'), '-t', files.join(',')], {
        timeoutMs: 60_000,
      });
      for (const file of files) {
        const line = output.split('\n').find((one) => one.startsWith(`opendkim: ${file}: `)) ?? '';
        const selector = /\(s=([^\s,]+)/.exec(line)?.[1] ?? '';
        verdicts.push({ selector, result: line.endsWith(') succeeded') ? 'pass' : line || 'no word about it' });
      }
    }
    return verdicts;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The message with no other DKIM-Signature than that of `selector`. */
export function only(message: Buffer, selector: string): Buffer {
  const end = message.indexOf('\r\n\r\n') + 2;
  const fields = message.toString('latin1', 0, end).split(/(?<=\r\n)(?![ \t])/);
  const kept = fields.filter(
    (field) => !/^dkim-signature:/i.test(field) || field.replace(/\s/g, '').includes(`;s=${selector};`),
  );
  return Buffer.concat([Buffer.from(kept.join(''), 'latin1'), message.subarray(end)]);
}
