// Log lines as JSON on standard output. Whatever looks like a token is cut out of the finished line, wherever it came from:
// an error's text, a URL, a nested field.
import { type DestinationStream, type Logger, pino, stdTimeFunctions } from 'pino';
import type { Log } from './ports.ts';

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

/** `tokenPattern` of src/domain/token.ts, not anchored; a longer run of letters around it goes as well. And webhook secrets. */
const TOKEN = /vr[sta]_[0-9A-Za-z]{38,}|whsec_[0-9A-Za-z+/=]{30,}/g;

export interface LogOptions {
  readonly level: LogLevel;
  /** Standard output unless given. */
  readonly destination?: DestinationStream;
}

export function createLog(options: LogOptions): Log {
  return asLog(
    pino(
      {
        level: options.level,
        base: { pid: process.pid },
        timestamp: stdTimeFunctions.isoTime,
        formatters: { level: (label) => ({ level: label }) },
        serializers: { error: pino.stdSerializers.err },
        hooks: { streamWrite: (line) => line.replace(TOKEN, redacted) },
      },
      // Synchronous: the line that tells why the process ended must be out before it ends.
      options.destination ?? pino.destination({ dest: 1, sync: true }),
    ),
  );
}

function redacted(token: string): string {
  return `${token.slice(0, 4)}…`;
}

function asLog(logger: Logger): Log {
  return {
    debug: (fields, message) => logger.debug(fields, message),
    info: (fields, message) => logger.info(fields, message),
    warn: (fields, message) => logger.warn(fields, message),
    error: (fields, message) => logger.error(fields, message),
    child: (fields) => asLog(logger.child(fields)),
  };
}
