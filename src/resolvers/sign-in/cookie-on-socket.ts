// A browser's session is renewed where its rights are raised, and only an answer over HTTP can bring the new cookie.
import { BadUserInput } from '#/domain/errors.ts';
import type { Visitor } from '../visitor.ts';

export function refuseCookieOnSocket({ person, cookies }: Visitor): void {
  if (person?.byCookie === true && cookies === null) {
    throw new BadUserInput('A browser does this over HTTP: its cookie is renewed, which a WebSocket cannot do.');
  }
}
