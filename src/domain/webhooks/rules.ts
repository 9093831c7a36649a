// Numbers of webhooks.

/** On a server. Each is called for each of its events. */
export const MAX_WEBHOOKS = 20;
export const MAX_URL = 2_000;
export const MAX_OWN_HEADERS = 20;
/** As of emails. */
export const MAX_OWN_HEADER_NAME = 76;
export const MAX_OWN_HEADER_VALUE = 2_000;
export const MAX_BASIC_AUTH = 255;
/** Events of one replay: more is several replays, so that one slip of the pen does not call somebody a million times. */
export const MAX_REPLAY = 100_000;
/** Replays of one webhook that are under way. */
export const MAX_REPLAYS = 5;

/** In all, from the first lookup to the last byte (Standard Webhooks advises 15 to 30 s). */
export const CALL_TIMEOUT_MS = 15_000;
/** Of an answer; the rest is not read. */
export const MAX_ANSWER_BYTES = 64 * 1024;
/** Characters of an answer that are kept. */
export const MAX_ANSWER_HEAD = 1_000;

/** How long a delivery is tried. */
export const RETRY_HOURS = 24;
/** From so many failures in a row on an endpoint counts as failing. */
export const FAILURES_TO_FAIL = 5;
/** Of that many different deliveries: a single one may be what is wrong itself. */
export const DELIVERIES_TO_FAIL = 3;
/** Refusals (answers that no later try would change) in a row after which the owner is told. */
export const REFUSALS_TO_TELL = 20;

/** How long the secret before goes on signing beside the new one, unless said. */
export const ROTATION_HOURS = 24;
export const MAX_ROTATION_HOURS = 30 * 24;
