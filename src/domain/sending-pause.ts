// Why sending of a server, or of one of its streams, is paused, who may resume it, and what its owner is told to do.

/** The most serious first: that is the one which is shown where there are several. */
export const pauseReasons = [
  'OPERATOR',
  'SPAMBOT_PATTERN',
  'SPAM_COMPLAINT_RATE',
  'BOUNCE_RATE',
  'SUDDEN_VOLUME',
  'MANUAL',
] as const;
export type PauseReason = (typeof pauseReasons)[number];

/** Characters of a note. */
export const MAX_PAUSE_NOTE = 500;

export interface SendingPause {
  /** Null: the whole server. */
  readonly streamId: string | null;
  readonly reason: PauseReason;
  readonly pausedAt: Date;
  readonly evidence: object;
  readonly note: string | null;
}

/** Whoever may change the server lifts what they paused themselves; the rest is for the operator of the installation. */
export function mayResume(reason: PauseReason, operator: boolean): boolean {
  return operator || reason === 'MANUAL';
}

const mend = 'tell the operator of this installation what you found and changed; they resume it.';
const instructions: Readonly<Record<PauseReason, string>> = {
  OPERATOR: 'The operator of this installation paused it: ask them why, and what they need to resume it.',
  SPAMBOT_PATTERN: `Somebody may be misusing a form that sends mail: close it or put a check before it, then ${mend}`,
  SPAM_COMPLAINT_RATE: `Recipients report the mail as spam: stop what they did not ask for, then ${mend}`,
  BOUNCE_RATE: `Too many addresses do not exist: remove them, find out where they came from, then ${mend}`,
  SUDDEN_VOLUME: `Far more was sent than is usual: look whether it was you, revoke tokens if not, then ${mend}`,
  MANUAL: 'It was paused by hand: whoever may change the server resumes it, with resumeSending.',
};

export function instructionsFor({ reason }: Pick<SendingPause, 'reason'>): string {
  return instructions[reason];
}

/** The figures, and what was said. */
export function evidenceOf({ evidence, note }: SendingPause): object {
  return note === null ? evidence : { ...evidence, note };
}

/** Of the whole server before that of a stream, the most serious first, the oldest first. Null: nothing is paused. */
export function foremost<T extends SendingPause>(pauses: readonly T[]): T | null {
  const rank = ({ streamId, reason }: T) =>
    (streamId === null ? 0 : pauseReasons.length) + pauseReasons.indexOf(reason);
  const [first = null] = pauses.toSorted(
    (one, other) => rank(one) - rank(other) || one.pausedAt.getTime() - other.pausedAt.getTime(),
  );
  return first;
}

/** Why nothing may be sent on the stream; without a stream: on any. */
export function pauseOf<T extends SendingPause>(pauses: readonly T[], streamId: string | null): T | null {
  return foremost(pauses.filter((pause) => pause.streamId === null || pause.streamId === streamId));
}
