// What somebody says about a pause, or about its end.
import { BadUserInput } from '#/domain/errors.ts';
import { MAX_PAUSE_NOTE } from '#/domain/sending-pause.ts';

export function checkNote(note: string | null): void {
  if (note !== null && note.length > MAX_PAUSE_NOTE)
    throw new BadUserInput(`note: has ${note.length} characters; at most ${MAX_PAUSE_NOTE} are allowed.`);
}
