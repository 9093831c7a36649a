// Addresses of a domain to which the world writes about its mail; they stand on its return path.
import type { DomainRow } from '#/db/domains.ts';
import { defaultReturnPath } from '#/domain/sender-identity/identity-name.ts';
import { domainAddress, type DomainAddressKind } from '#/mail/incoming-address.ts';
import type { Deps } from '../deps.ts';

/** Null: nobody has proved yet whose the domain is. */
export function domainAddressOf(
  { returnPathSecret }: Deps,
  kind: DomainAddressKind,
  { name, returnPath, verifiedAt }: DomainRow,
): string | null {
  return verifiedAt === null ? null : domainAddress(kind, returnPath ?? defaultReturnPath(name), returnPathSecret);
}
