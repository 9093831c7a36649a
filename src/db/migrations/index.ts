// The list of migrations, in order. A static list: a directory scan would depend on what happens to lie there.
import type { Migration } from 'kysely/migration';
import * as foundation from './0001-foundation.ts';
import * as senderIdentity from './0002-sender-identity.ts';
import * as people from './0003-people.ts';
import * as tokens from './0004-tokens.ts';
import * as webhooks from './0005-webhooks.ts';
import * as delivery from './0006-delivery.ts';
import * as incoming from './0007-incoming.ts';
import * as statistics from './0008-statistics.ts';
import * as sendingPauses from './0009-sending-pauses.ts';
import * as arrivals from './0010-arrivals.ts';
import * as transports from './0011-transports.ts';
import * as tls from './0012-tls.ts';
import * as suppressionImports from './0014-suppression-imports.ts';
import * as deliveryInvariants from './0016-delivery-invariants.ts';

export const migrations: Record<string, Migration> = {
  '0001-foundation': foundation,
  '0002-sender-identity': senderIdentity,
  '0003-people': people,
  '0004-tokens': tokens,
  '0005-webhooks': webhooks,
  '0006-delivery': delivery,
  '0007-incoming': incoming,
  '0008-statistics': statistics,
  '0009-sending-pauses': sendingPauses,
  '0010-arrivals': arrivals,
  '0011-transports': transports,
  '0012-tls': tls,
  '0014-suppression-imports': suppressionImports,
  '0016-delivery-invariants': deliveryInvariants,
};
