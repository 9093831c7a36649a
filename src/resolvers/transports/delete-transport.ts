// Takes a transport away that nobody takes any more.
import { forgetHealth } from '#/db/transport-health.ts';
import { countChoices, deleteTransport as deleteRow, listTransports, lockTransport } from '#/db/transports.ts';
import { Conflict, NotFound } from '#/domain/errors.ts';
import { personalCommand } from '../define-personal.ts';
import { subjectsOf } from './set-transport.ts';

export interface DeletedTransport {
  readonly name: string;
}

export const deleteTransport = personalCommand({
  state: 'STAFF',
  stepUp: true,
  errors: [NotFound, Conflict],
  announces: ['config'],
  audit: ({ name }: { readonly name: string }) => ({ action: 'transport.delete', subjectIds: [], changes: { name } }),
  async run({ scope, fail }, { name }): Promise<DeletedTransport> {
    const transport = (await lockTransport(scope, name)) ?? fail(new NotFound());
    const takers = await countChoices(scope, transport.id);
    if (takers > 0) fail(new Conflict(`${takers} servers or streams take the transport ${name}: choose others first.`));
    const all = await listTransports(scope.tx);
    await deleteRow(scope, transport.id);
    await forgetHealth(
      scope,
      all.filter((rows) => rows.transport.id === transport.id).flatMap((rows) => subjectsOf(rows)),
    );
    return { name };
  },
});
