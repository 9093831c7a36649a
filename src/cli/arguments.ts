// Reading of command lines.
import { parseArgs, type ParseArgsConfig } from 'node:util';

/** Wrong use of a command: told in one line, exit code 64. */
export class UsageError extends Error {}

export function readArguments<const O extends NonNullable<ParseArgsConfig['options']>>(
  args: readonly string[],
  options: O,
) {
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

export function required(name: string, value: string | undefined): string {
  if (value === undefined || value === '') throw new UsageError(`--${name} is needed`);
  return value;
}
