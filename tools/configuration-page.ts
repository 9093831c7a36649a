// Writes docs/configuration.md from the definition that reads the settings.
import type { Setting } from '#/runtime/config.ts';
import { generatedNote, table } from './markdown.ts';

export function configurationPage(settings: readonly Setting[]): string {
  const rows = settings.map((setting) => [
    `\`${setting.name}\`${setting.secret ? '<br>or `' + setting.name + '_FILE`' : ''}`,
    setting.default === null ? 'unset' : `\`${setting.default}\``,
    setting.description,
  ]);
  return `${generatedNote}

# Configuration

All settings are environment variables. A name that begins with \`VEREDUS_\` and is not listed here, or a value that
cannot be right, ends the start, with all problems printed at once.

A secret may stand in a file, whose path is then given in the same name with \`_FILE\`.

${table(['Setting', 'Default', 'Meaning'], rows)}
`;
}
