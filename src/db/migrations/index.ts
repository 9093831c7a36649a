// The list of migrations, in order. A static list: a directory scan would depend on what happens to lie there.
import type { Migration } from 'kysely/migration';
import * as foundation from './0001-foundation.ts';
import * as senderIdentity from './0002-sender-identity.ts';
import * as people from './0003-people.ts';
import * as incoming from './0006-incoming.ts';

export const migrations: Record<string, Migration> = {
  '0001-foundation': foundation,
  '0002-sender-identity': senderIdentity,
  '0003-people': people,
  '0006-incoming': incoming,
};
