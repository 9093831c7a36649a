// Recipients of one and the same message in one transaction, for relays that take several: same content, same
// reverse-path. Each gets its own result; what the relay finds too many goes in a next transaction and is no failure.
import { isTooManyRecipients } from '#/domain/delivery/reply-rules.ts';
import type { SmtpTransaction } from '#/runtime/ports.ts';
import type { JobResult } from './pool.ts';

/** Relays of which it is remembered how many they took: few are known, and a mistake costs a transaction. */
const MAX_REMEMBERED = 1_000;

export interface Member {
  readonly recipient: string;
  /** False: this worker may not write the final dot. */
  beforeFinalDot(): Promise<boolean>;
}

/** What its recipients share. */
export interface Shared {
  /** Of where it goes and how. */
  readonly key: string;
  /** Recipients of a transaction. */
  readonly limit: number;
  /** By its identity. */
  readonly message: object;
  readonly reversePath: string;
  submit(recipients: readonly string[], beforeFinalDot: SmtpTransaction['beforeFinalDot']): Promise<JobResult>;
}

interface Waiting extends Member {
  readonly resolve: (result: JobResult) => void;
  readonly reject: (error: unknown) => void;
}

interface Group {
  readonly shared: Shared;
  readonly members: Waiting[];
}

export class Together {
  readonly #open = new Map<string, Map<object, Group>>();
  readonly #learned = new Map<string, number>();

  /** Waits for those that come in the same turn of the event loop, as the recipients of one claim do. */
  send(shared: Shared, member: Member): Promise<JobResult> {
    return new Promise((resolve, reject) => {
      const group = this.#groupOf(shared);
      group.members.push({ ...member, resolve, reject });
      if (group.members.length >= this.#limitOf(shared)) this.#close(group);
    });
  }

  #groupOf(shared: Shared): Group {
    const name = `${shared.key}\0${shared.reversePath}`;
    const open = this.#open.get(name) ?? new Map<object, Group>();
    this.#open.set(name, open);
    const known = open.get(shared.message);
    if (known !== undefined) return known;
    const group: Group = { shared, members: [] };
    open.set(shared.message, group);
    setImmediate(() => {
      if (open.get(shared.message) === group) this.#close(group);
    });
    return group;
  }

  #close(group: Group): void {
    const { key, reversePath, message } = group.shared;
    const name = `${key}\0${reversePath}`;
    const open = this.#open.get(name);
    open?.delete(message);
    if (open?.size === 0) this.#open.delete(name);
    void this.#transact(group.shared, group.members);
  }

  #limitOf({ key, limit }: Shared): number {
    return Math.min(limit, this.#learned.get(key) ?? limit);
  }

  async #transact(shared: Shared, members: readonly Waiting[]): Promise<void> {
    try {
      const result = await shared.submit(
        members.map(({ recipient }) => recipient),
        async (accepted) => {
          const held = await Promise.all(
            members.filter((_, index) => accepted.includes(index)).map((member) => member.beforeFinalDot()),
          );
          // One that another worker has must not get a second copy, and the dot is all recipients' at once.
          if (held.includes(false)) throw new Error('the lease on a recipient was lost');
        },
      );
      const left = this.#tooMany(result);
      members.forEach(({ resolve }, index) => {
        if (!left.has(index)) resolve(resultFor(result, index));
      });
      if (left.size === 0) return;
      this.#learn(shared, members.length - left.size);
      const rest = members.filter((_, index) => left.has(index));
      const limit = this.#limitOf(shared);
      for (let at = 0; at < rest.length; at += limit) void this.#transact(shared, rest.slice(at, at + limit));
    } catch (error) {
      for (const { reject } of members) reject(error);
    }
  }

  /** Recipients that are only too many beside those that were taken; where none was taken, it is a refusal like others. */
  #tooMany({ transaction }: JobResult): ReadonlySet<number> {
    const replies = transaction?.recipientReplies ?? [];
    if (!replies.some((reply) => reply !== null && reply.code < 300)) return new Set();
    return new Set(replies.flatMap((reply, index) => (reply !== null && isTooManyRecipients(reply) ? [index] : [])));
  }

  #learn({ key }: Shared, taken: number): void {
    if (this.#learned.size >= MAX_REMEMBERED) this.#learned.clear();
    this.#learned.set(key, taken);
  }
}

/** As if the recipient had had the transaction alone. */
function resultFor(result: JobResult, index: number): JobResult {
  const { transaction } = result;
  if (transaction === null) return result;
  const reply = transaction.recipientReplies[index] ?? null;
  const accepted = reply !== null && reply.code < 300;
  const inDoubt = transaction.inDoubt && accepted;
  return { ...result, transaction: { ...transaction, recipientReplies: [reply], inDoubt } };
}
