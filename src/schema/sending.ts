// Whether a server sends, or why not: pausing, resuming, and following that.
import { InvalidInput, SendingPaused } from '#/domain/errors.ts';
import { evidenceOf, instructionsFor, MAX_PAUSE_NOTE, type SendingPause as Pause } from '#/domain/sending-pause.ts';
import {
  followSendingState,
  type SendingState as State,
  sendingStateOf,
} from '#/resolvers/sending/follow-sending-state.ts';
import { pauseSending } from '#/resolvers/sending/pause-sending.ts';
import { resumeSending } from '#/resolvers/sending/resume-sending.ts';
import { builder, guarded } from './builder.ts';
import { ErrorInterface, resultUnion } from './errors.ts';
import { freshForEach } from './fresh-for-each.ts';
import { onId, onServer } from './guards.ts';
import { uuidOf } from './ids.ts';
import { loadersOf } from './loaders.ts';
import { callerAt } from './locate.ts';
import { ownServerOf, Server } from './server.ts';

const PauseReason = builder.enumType('PauseReason', {
  description: 'Why sending is paused.',
  values: {
    BOUNCE_RATE: { description: 'Too many addresses do not exist.' },
    SPAM_COMPLAINT_RATE: { description: 'Too many recipients report the mail as spam.' },
    SPAMBOT_PATTERN: { description: 'The mail looks as if a program misused a form.' },
    SUDDEN_VOLUME: { description: 'Far more was sent than is usual.' },
    MANUAL: { description: 'By hand, by somebody who may change the server.' },
    OPERATOR: { description: 'By the operator of the installation, who alone resumes it.' },
  } as const,
});

const SendingPause = builder.objectRef<Pause>('SendingPause').implement({
  description: 'What stops a server from sending.',
  fields: (t) => ({
    reason: t.field({ type: PauseReason, description: 'Why.', resolve: ({ reason }) => reason }),
    since: t.field({ type: 'DateTime', description: 'When it began.', resolve: ({ pausedAt }) => pausedAt }),
    evidence: t.field({
      type: 'JSON',
      description:
        'The figures that caused it, e.g. bounce rate, window, sample; `note`: what was said; {} without any.',
      resolve: evidenceOf,
    }),
    instructions: t.string({ description: 'What to do to get sending resumed.', resolve: instructionsFor }),
  }),
});

const SendingState = builder.objectRef<State>('SendingState').implement({
  description:
    'Whether a server sends. While it is paused, new mail is refused, and what was accepted before waits: it goes when sending is resumed, if its time has not run out by then.',
  fields: (t) => ({
    paused: t.boolean({
      description: 'Nothing of it leaves; or nothing of one of its streams, which `evidence` names.',
      resolve: ({ pause }) => pause !== null,
    }),
    pause: t.field({
      type: SendingPause,
      nullable: true,
      description: 'The most serious one, where there are several; null: it sends.',
      resolve: ({ pause }) => pause,
    }),
  }),
});

builder.objectType(SendingPaused, {
  name: 'SendingPaused',
  description: 'Sending of the server or stream is paused; nothing was accepted. Send it again once it is resumed.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    pause: t.field({ type: SendingPause, description: 'Why, and what to do.', resolve: ({ pause }) => pause }),
  }),
});

builder.objectField(Server, 'sending', (t) =>
  t.withAuth(onServer(followSendingState.permission)).field({
    type: SendingState,
    description: guarded(followSendingState.permission, 'Whether it sends.'),
    resolve: async (server, _args, context) =>
      sendingStateOf(
        { serverId: server.id, accountId: server.accountId },
        await loadersOf(context, server).pausesOfServer.load(server.id),
      ),
  }),
);

const serverText = 'The server.';
const noteText = `For the audit log and whoever asks why; at most ${MAX_PAUSE_NOTE} characters.`;

const PauseSendingInput = builder.inputType('PauseSendingInput', {
  description: 'What is to send nothing.',
  fields: (t) => ({
    serverId: t.id({ description: serverText }),
    note: t.string({ required: false, description: noteText }),
  }),
});
const ResumeSendingInput = builder.inputType('ResumeSendingInput', {
  description: 'What is to send again.',
  fields: (t) => ({
    serverId: t.id({ description: serverText }),
    note: t.string({ required: false, description: noteText }),
  }),
});

const PauseSendingResult = resultUnion('PauseSendingResult', Server, pauseSending, 'The paused server, or why not.');
const ResumeSendingResult = resultUnion(
  'ResumeSendingResult',
  Server,
  resumeSending,
  'The server, of which what the caller may not resume is paused still; or why nothing was resumed.',
);

builder.mutationFields((t) => ({
  pauseSending: t.withAuth(onId(pauseSending, 'server', 'input.serverId')).field({
    type: PauseSendingResult,
    nullable: true,
    description: guarded(
      pauseSending.permission,
      'Stops all sending of a server: new mail is refused with SendingPaused (SMTP: 451), what is queued waits. The owner and all emergency contacts are mailed. Nothing happens where it was paused by hand before.',
    ),
    args: { input: t.arg({ type: PauseSendingInput, description: 'What to pause.' }) },
    resolve: async (_root, { input }, context) => {
      const serverId = uuidOf('server', input.serverId);
      const caller = await callerAt(context, pauseSending.permission, 'server', serverId);
      return (await pauseSending(context.deps, caller, { serverId, note: input.note ?? null })).server;
    },
  }),
  resumeSending: t.withAuth(onId(resumeSending, 'server', 'input.serverId')).field({
    type: ResumeSendingResult,
    nullable: true,
    description: guarded(
      resumeSending.permission,
      'Ends what was paused by hand: what waits goes. All other reasons are for the operator of the installation to end; Conflict where there are only such, or none.',
    ),
    args: { input: t.arg({ type: ResumeSendingInput, description: 'What to resume.' }) },
    resolve: async (_root, { input }, context) => {
      const serverId = uuidOf('server', input.serverId);
      const caller = await callerAt(context, resumeSending.permission, 'server', serverId);
      return (await resumeSending(context.deps, caller, { serverId, note: input.note ?? null })).server;
    },
  }),
}));

builder.subscriptionField('sendingState', (t) =>
  t.withAuth(onId(followSendingState, 'server', 'serverId')).field({
    type: SendingState,
    description: guarded(
      followSendingState.permission,
      'The state after every pause and resume from now on, in their order; `Server.sending` tells how it is. Ends when the caller loses the right to see it.',
    ),
    args: { serverId: t.arg.id({ required: false, description: "The calling token's server unless given." }) },
    subscribe: async (_root, { serverId }, context) => {
      const id = typeof serverId === 'string' ? uuidOf('server', serverId) : ownServerOf(context);
      if (id === null) throw InvalidInput.at(['serverId'], 'Name the server: the caller is not bound to one.');
      const caller = await callerAt(context, followSendingState.permission, 'server', id);
      return freshForEach(context, await followSendingState(context.deps, caller, { serverId: id }));
    },
    resolve: (state) => state,
  }),
);
