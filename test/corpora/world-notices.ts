// Notices of the world: whole reports of mail systems that the shared corpora hold none of, or none in these words.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readReturned } from '#/mail/bounce/read-report.ts';
import { acceptedTypes, condemns, isHard, type WorldScore } from './world-replies.ts';

interface WorldNotice {
  readonly reason: string;
  readonly recipient: string;
  readonly source: string;
}

function worldNotices(): readonly WorldNotice[] {
  const text = readFileSync(join(import.meta.dirname, 'world/notices.txt'), 'utf8');
  return text
    .split(/^=== /m)
    .slice(1)
    .map((entry) => {
      const end = entry.indexOf('\n');
      const [reason = '', recipient = ''] = entry.slice(0, end).split(' ');
      return { reason, recipient, source: messageOf(entry.slice(end + 1)) };
    });
}

/** `@status recipient|action|status|diagnostic` among the fields makes a report of it. */
function messageOf(entry: string): string {
  const told = /^@status (.*)\n/m.exec(entry);
  if (told === null) return entry;
  const [recipient, action, status, diagnostic] = (told[1] ?? '').split('|');
  const plain = entry.replace(told[0], '');
  const split = plain.indexOf('\n\n');
  const fields = [`Final-Recipient: ${recipient}`, `Action: ${action}`, `Status: ${status}`];
  if (diagnostic !== '') fields.push(`Diagnostic-Code: ${diagnostic}`);
  return [
    plain.slice(0, split),
    'MIME-Version: 1.0',
    'Content-Type: multipart/report; report-type=delivery-status; boundary="b"',
    '\n--b\nContent-Type: text/plain; charset=utf-8\n',
    plain.slice(split + 2),
    '--b\nContent-Type: message/delivery-status\n',
    'Reporting-MTA: dns; mx.example\n',
    ...fields,
    '\n--b--\n',
  ].join('\n');
}

export type NoticeScores = Readonly<Record<'recipients' | 'accepted' | 'hard', WorldScore>>;

export function scoreNotices(ends: string): NoticeScores {
  const notices = worldNotices();
  const misses = { recipients: [] as string[], accepted: [] as string[], hard: [] as string[] };
  for (const { reason, recipient, source } of notices) {
    const read = readReturned(Buffer.from(source.replaceAll('\n', ends)));
    const found = read.kind === 'bounce' ? read.recipients : [];
    const type = found[0]?.type ?? ('type' in read ? read.type : null) ?? 'UNKNOWN';
    const told = `${reason} ${recipient}, ${read.kind} ${type}: ${source.slice(0, 400)}`;
    if (found.length !== 1 || found[0]?.address !== recipient)
      misses.recipients.push(`${found.map(({ address }) => address).join()} ${told}`);
    if (!acceptedTypes(reason).includes(type)) misses.accepted.push(told);
    if (condemns(type) !== isHard(reason)) misses.hard.push(told);
  }
  const of = notices.length;
  return {
    recipients: { of, misses: misses.recipients },
    accepted: { of, misses: misses.accepted },
    hard: { of, misses: misses.hard },
  };
}
