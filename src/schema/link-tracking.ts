// Link tracking, which servers and emails set.
import type { LinkTracking as Tracking } from '#/domain/email/types.ts';
import { linkTrackings } from '#/domain/servers.ts';
import { builder } from './builder.ts';

export const LinkTracking = builder.enumType('LinkTracking', {
  description: 'Which links are replaced, so that clicks are seen.',
  values: {
    NONE: { description: 'None.' },
    HTML_AND_TEXT: { description: 'Those of both bodies.' },
    HTML_ONLY: { description: 'Those of the HTML body.' },
    TEXT_ONLY: { description: 'Those of the text body.' },
  } as const,
});

export function linkTrackingOf(text: string): Tracking {
  return linkTrackings.find((known) => known === text) ?? 'NONE';
}
