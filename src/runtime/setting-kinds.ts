// Kinds of settings by their text: switches, numbers, choices, and whatever a reader of setting-values.ts reads.
import { z } from 'zod';

export const flag = z.enum(['true', 'false'], 'must be true or false').transform((value) => value === 'true');

export function integer(min: number, max: number) {
  const message = `must be a whole number from ${min} to ${max}`;
  return z
    .string()
    .regex(/^\d{1,15}$/, message)
    .transform(Number)
    .refine((value) => value >= min && value <= max, message);
}

export const port = integer(0, 65_535);
export const realPort = integer(1, 65_535);

/** Turns what `read` throws into the problem's text. */
export function reading<T>(read: (value: string) => T) {
  return z.string().transform((value, context) => {
    try {
      return read(value);
    } catch (error) {
      context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : String(error) });
      return z.NEVER;
    }
  });
}

export function oneOf<const T extends string>(choices: readonly T[]) {
  return z.enum(choices, `must be one of ${choices.join(', ')}`);
}
