// Mail as the SMTP server hands it on, and the rows that keep it until it is read.
import type { ArrivalKind, ArrivalRow } from '#/db/arrivals.ts';
import { bucketAt } from '#/domain/retention.ts';
import type { Ids } from '#/runtime/ports.ts';
import type { Judged } from './recipients.ts';
import { storable } from '#/domain/storable.ts';

export interface ArrivedMail {
  readonly envelope: {
    readonly sender: string;
    readonly recipients: readonly { readonly address: string; readonly judged: Judged }[];
  };
  readonly source: { readonly size: number; read(): Promise<Buffer>; stream(): AsyncIterable<Buffer> };
  readonly peer: { readonly address: string; readonly helo: string };
}

const MAX_ADDRESS = 320;
const MAX_NAME = 255;
/** As in the frames of submitted sources: nothing of it is sent on, so nothing must be known of it. */
export const FRAME = {
  bodyStart: 0,
  eightBit: false,
  smtpUtf8: false,
  lacks: { date: false, messageId: false },
  replyTo: null,
} as const;

/** What SPF is judged by is kept with each: the connection will be gone. */
export function arrivalsOf(ids: Ids, now: Date, dueAt: Date, { envelope, source, peer }: ArrivedMail): ArrivalRow[] {
  return envelope.recipients.map(({ address, judged }) => {
    const target = judged.kind === 'inbound' ? judged : null;
    return {
      accountId: judged.accountId,
      // Content that stays lies where that of its message will; the rest is gone in a moment.
      id: target === null ? ids.next() : ids.nextInBucket(bucketAt(now, target.retentionDays)),
      kind: judged.kind satisfies ArrivalKind,
      recipient: storable(address, MAX_ADDRESS),
      sender: storable(envelope.sender, MAX_ADDRESS),
      peerAddress: storable(peer.address, MAX_NAME),
      helo: storable(peer.helo, MAX_NAME),
      receivedAt: now,
      size: source.size,
      serverId: target?.serverId ?? null,
      streamId: target?.streamId ?? null,
      mailboxHash: target === null ? null : storable(target.mailboxHash, MAX_NAME),
      retentionDays: target?.retentionDays ?? null,
      dueAt,
      tries: 0,
    };
  });
}
