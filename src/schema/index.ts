// The schema: registers every concept, then builds it once.
import './scalars.ts';
import './errors.ts';
import './account.ts';
import './server.ts';
import './server-mutations.ts';
import './domain.ts';
import './domain-mutations.ts';
import './domain-reports.ts';
import './sender-signature.ts';
import './stream.ts';
import './token.ts';
import './user.ts';
import './membership.ts';
import './viewer.ts';
import './signed-in.ts';
import './message.ts';
import './recipient.ts';
import './event.ts';
import './event-types.ts';
import './bounce.ts';
import './bounce-list.ts';
import './suppression-mutations.ts';
import './inbound.ts';
import './inbound-settings.ts';
import './email.ts';
import './message-events.ts';
import './node.ts';
import { builder } from './builder.ts';

export { type Context, createContext } from './context.ts';

export const schema = builder.toSchema();
