// Says which transport the mail of a server takes, or of one of its streams; none: what the server's is, or the settings say.
import { countChoices, deleteChoice, findChooser, insertChoice, lockTransport } from '#/db/transports.ts';
import { MAX_CHOICES } from '#/domain/delivery/transports.ts';
import { LimitReached, NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { personalCommand } from '../define-personal.ts';

export interface ChooseTransportRequest {
  /** UUIDs. */
  readonly serverId: string;
  readonly streamId: string | null;
  /** Its name; null: none. */
  readonly transport: string | null;
}

export interface TransportChoice extends ChooseTransportRequest {
  readonly accountId: string;
}

export const chooseTransport = personalCommand({
  state: 'STAFF',
  stepUp: true,
  errors: [NotFound, LimitReached],
  announces: ['config'],
  audit: ({ serverId, streamId, transport }: ChooseTransportRequest) => ({
    action: 'transport.choose',
    subjectIds: [encodeId('server', serverId), ...(streamId === null ? [] : [encodeId('stream', streamId)])],
    changes: { transport },
  }),
  async run({ scope, inside, fail }, { serverId, streamId, transport: name }): Promise<TransportChoice> {
    const { accountId } = (await findChooser(scope, serverId, streamId)) ?? fail(new NotFound());
    const place = { accountId, serverId, streamId };
    if (name === null) {
      await deleteChoice(scope, place);
    } else {
      const transport = (await lockTransport(scope, name)) ?? fail(new NotFound());
      if ((await countChoices(scope, null)) >= MAX_CHOICES) fail(new LimitReached('choices', MAX_CHOICES));
      await insertChoice(scope, {
        ...place,
        id: inside.ids.next(),
        transportId: transport.id,
        chosenAt: scope.now,
      });
    }
    return { ...place, transport: name };
  },
});
