// Makes of a stored message what goes on the wire: composed, and signed last, in the name of its From domain.
import type { StoredMessage } from '#/db/messages.ts';
import { encodeId } from '#/domain/ids.ts';
import { composeStored } from '#/mail/compose.ts';
import { decodeStored } from '#/mail/content.ts';
import { type SigningKey, signMessage } from '#/mail/dkim/sign.ts';
import { fromDomain, identityOf } from '#/mail/message-identity.ts';
import type { ReturnPath } from '#/mail/reverse-path.ts';
import { inSevenBit } from '#/mail/source/seven-bit.ts';
import type { Clock, Log } from '#/runtime/ports.ts';

export interface SigningKeys {
  /**
   * The keys that are in use for a From domain in A-labels, all of them; null when it has none yet. Asked once for each
   * message of a batch, so it answers from memory where it can.
   */
  keysFor(accountId: string, domain: string): Promise<readonly SigningKey[] | null>;
}

export interface ReturnPaths {
  /** For verpLocalPart; of the installation. */
  readonly secret: Uint8Array;
  /** The verified return-path host of a From domain, in A-labels; null: mail travels under its From address. */
  returnPathFor(accountId: string, domain: string): Promise<string | null>;
}

/** The bytes of a message as they leave. */
export interface OutgoingContent {
  /** RFC 5322 source in pieces: the signatures, and the composed message as it was composed. */
  readonly content: readonly Uint8Array[];
  readonly size: number;
  readonly eightBit: boolean;
  readonly smtpUtf8: boolean;
  /** The same in 7 bits, signed anew; null: it cannot be had. Absent where it is in 7 bits. */
  sevenBit?(): Promise<Pick<OutgoingContent, 'content' | 'size'> | null>;
}

/** One object for all recipients of a message that were claimed together. */
export interface OutgoingMessage {
  readonly returnPath: ReturnPath | null;
  /**
   * Composed and signed, once for all of them; that of a single one is not kept, since it goes out at once. To be asked for
   * when a connection is free: what waits in line is then held as it is stored, a quarter of its size. With all in line
   * composed, 100 KB each, a third of the time went into garbage.
   */
  compose(): Promise<OutgoingContent>;
}

export type Prepared =
  | { readonly kind: 'ready'; readonly message: OutgoingMessage }
  /** Nothing is sent in the name of a domain that has no key. */
  | { readonly kind: 'unsignable'; readonly reason: string };

export interface PrepareDeps {
  /** Null: the operator's relay signs. */
  readonly signing: SigningKeys | null;
  /** Null: all mail travels under its From address. */
  readonly returnPaths: ReturnPaths | null;
  readonly clock: Clock;
  readonly log: Log;
}

/** Recipients of one message that were claimed together share its bytes and its signatures. */
export function createPreparation(deps: PrepareDeps): (stored: StoredMessage) => Promise<Prepared> {
  const prepared = new WeakMap<StoredMessage, { readonly preparing: Promise<Prepared>; readonly use: Use }>();
  return (stored) => {
    const known = prepared.get(stored);
    if (known !== undefined) {
      known.use.shared = true;
      return known.preparing;
    }
    const use = { shared: false };
    const preparing = prepare(deps, stored, use);
    prepared.set(stored, { preparing, use });
    return preparing;
  };
}

/** Whether more than one recipient of the message was claimed. */
interface Use {
  shared: boolean;
}

async function prepare(deps: PrepareDeps, { message, content }: StoredMessage, use: Use): Promise<Prepared> {
  if (content === null) throw new Error(`the content of message ${message.id} is gone`);
  const { signing, returnPaths } = deps;
  const { accountId } = message;
  const domain = fromDomain(message);
  const keys = signing === null ? [] : await signing.keysFor(accountId, domain);
  if (keys === null || (signing !== null && keys.length === 0)) {
    deps.log.warn(
      { accountId: encodeId('account', accountId), domain, messageId: encodeId('message', message.id) },
      'a message waits: its From domain has no DKIM key in use',
    );
    return {
      kind: 'unsignable',
      reason: `${domain} has no DKIM key in use: its records must be published and verified`,
    };
  }
  const host = returnPaths === null ? null : await returnPaths.returnPathFor(accountId, domain);
  let composing: Promise<OutgoingContent> | null = null;
  return {
    kind: 'ready',
    message: {
      returnPath: returnPaths === null || host === null ? null : { domain: host, secret: returnPaths.secret },
      compose() {
        if (composing !== null) return composing;
        const made = compose(deps, { message, content }, keys);
        if (use.shared) composing = made;
        return made;
      },
    },
  };
}

async function compose(
  { clock }: Pick<PrepareDeps, 'clock'>,
  { message, content }: { readonly message: StoredMessage['message']; readonly content: Buffer },
  keys: readonly SigningKey[],
): Promise<OutgoingContent> {
  const { source, bodyStart, eightBit, smtpUtf8 } = composeStored(decodeStored(content), identityOf(message));
  const signed = async (whole: Buffer, body: number) => {
    if (keys.length === 0) return { content: [whole], size: whole.length };
    const signatures = await signMessage(whole, body, keys, clock.now());
    return { content: [signatures, whole], size: signatures.length + whole.length };
  };
  const composed = { ...(await signed(source, bodyStart)), eightBit, smtpUtf8 };
  if (!eightBit) return composed;
  let converted: ReturnType<NonNullable<OutgoingContent['sevenBit']>> | null = null;
  const convert = async () => {
    const whole = inSevenBit(source);
    return whole === null ? null : signed(whole, whole.indexOf('\r\n\r\n') + 4);
  };
  // Once for all recipients whose hosts ask for it.
  return { ...composed, sevenBit: () => (converted ??= convert()) };
}
