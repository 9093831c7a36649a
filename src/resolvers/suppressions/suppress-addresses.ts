// Suppresses addresses on a stream by the customer's will. Those that cannot be addresses are told and left out; those
// that are suppressed already stay as they are.
import { listSuppressionsOf, type SuppressionRow } from '#/db/suppressions.ts';
import { parseMailbox } from '#/domain/email-address.ts';
import { lineFlaw } from '#/domain/email/text.ts';
import { type InputIssue, InvalidInput, NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { addressHash, MAX_ADDRESSES_AT_ONCE, MAX_SUPPRESSION_NOTE } from '#/domain/suppression.ts';
import { command } from '../define.ts';
import { addSuppressions } from './add-suppressions.ts';
import { findStream } from './find-stream.ts';

export interface SuppressAddressesRequest {
  readonly streamId: string;
  readonly addresses: readonly string[];
  readonly note: string | null;
}

export interface SuppressedAddresses {
  /** In the order of the request, each once. */
  readonly suppressions: readonly SuppressionRow[];
  readonly rejected: readonly InputIssue[];
}

export const suppressAddresses = command({
  permission: 'suppression.write',
  errors: [NotFound, InvalidInput],
  announces: ['events'],
  audit: ({ streamId }: SuppressAddressesRequest, { suppressions }: SuppressedAddresses) => ({
    action: 'suppression.add',
    subjectIds: [encodeId('stream', streamId)],
    // How many and not which: the audit log outlives the wish to be forgotten.
    changes: { addresses: suppressions.length },
  }),
  async run({ scope, inside, fail }, input) {
    const stream = (await findStream(scope, input.streamId)) ?? fail(new NotFound());
    checkCount(input.addresses);
    const note = checkNote(input.note);
    const { wanted, rejected } = readAddresses(input.addresses);
    const all = [...wanted.values()];
    await addSuppressions(
      scope,
      inside,
      stream,
      all.map((address) => ({ ...address, reason: 'MANUAL', note })),
    );
    const hashes = all.map(({ hash }) => hash);
    const found = new Map(
      (await listSuppressionsOf(scope, [stream.id], hashes)).map((row) => [row.addressHash.toString('hex'), row]),
    );
    const suppressions = hashes.flatMap((hash) => found.get(hash.toString('hex')) ?? []);
    return { suppressions, rejected };
  },
});

export function checkCount(addresses: readonly string[]): void {
  if (addresses.length === 0) throw InvalidInput.at(['addresses'], 'is empty');
  if (addresses.length > MAX_ADDRESSES_AT_ONCE)
    throw InvalidInput.at(
      ['addresses'],
      `has ${addresses.length} entries; at most ${MAX_ADDRESSES_AT_ONCE} are allowed`,
    );
}

export function checkNote(note: string | null): string | null {
  const trimmed = note?.trim() ?? '';
  if (trimmed === '') return null;
  const flaw =
    trimmed.length > MAX_SUPPRESSION_NOTE ? `is longer than ${MAX_SUPPRESSION_NOTE} characters` : lineFlaw(trimmed);
  if (flaw !== null) throw InvalidInput.at(['note'], flaw);
  return trimmed;
}

export interface WantedAddress {
  readonly address: string;
  readonly hash: Buffer;
}

/** By key, so that an address which is named twice counts once. */
export function readAddresses(addresses: readonly string[]): {
  readonly wanted: ReadonlyMap<string, WantedAddress>;
  readonly rejected: readonly InputIssue[];
} {
  const wanted = new Map<string, WantedAddress>();
  const rejected: InputIssue[] = [];
  for (const [index, text] of addresses.entries()) {
    const parsed = parseMailbox(text);
    if (!parsed.ok) rejected.push({ path: ['addresses', String(index)], message: parsed.reason });
    else {
      const { key, address } = parsed.mailbox;
      if (!wanted.has(key)) wanted.set(key, { address, hash: addressHash(key) });
    }
  }
  return { wanted, rejected };
}
