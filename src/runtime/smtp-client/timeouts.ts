// How long each phase may take.

import type { SmtpTimeouts } from '../ports.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** RFC 5321 §4.5.3.2 but for `connect`, of which it says nothing. */
export const defaultTimeouts: SmtpTimeouts = {
  // Also the TLS handshake. A kernel's own SYN retries go on for two minutes; a host silent for 30 s is better tried at
  // its next address.
  connect: 30 * SECOND,
  // §4.5.3.2.1: busy servers and tarpits hold the greeting back on purpose.
  greeting: 5 * MINUTE,
  // §4.5.3.2.2 and .3.
  command: 5 * MINUTE,
  // §4.5.3.2.4 asks 2 minutes up to the 354 and §4.5.3.2.5 3 minutes a block; one figure serves both.
  data: 3 * MINUTE,
  // §4.5.3.2.6. The peer may have the message already: giving up early makes duplicates.
  finalDot: 10 * MINUTE,
};

/** QUIT is a courtesy: its reply changes nothing any more. */
export const QUIT_TIMEOUT = 5 * SECOND;
