// Our own SMTP client (RFC 5321, 1870, 2034, 2920, 3207, 4954, 6152, 6531) over node's sockets: no library tells exactly
// whether the final dot had left, which is what decides between trying again and making a duplicate.

import type { Clock, SmtpClient, SmtpTimeouts } from './ports.ts';
import { connect } from './smtp-client/connect.ts';
import { type Trust, usualTrust } from './trust.ts';

/** Timeouts are real time, measured by `clock.monotonic`; they also come true under a test's clock that stands still. */
export function createSmtpClient({
  clock,
  trust = usualTrust,
  timeouts,
}: {
  readonly clock: Clock;
  readonly trust?: Trust;
  /** Other than the usual ones; a call may name others again. */
  readonly timeouts?: Partial<SmtpTimeouts>;
}): SmtpClient {
  return {
    connect: (target, options) =>
      connect(target, { ...options, timeouts: { ...timeouts, ...options.timeouts } }, { clock, trust }),
  };
}
