// Postmark's names of bounce types, which whoever comes from there knows: `HardBounce`, `DMARCPolicy`.
import type { BounceType } from '#/domain/bounce-types.ts';

/** Spelled otherwise than their words would be. */
const SPECIAL: Partial<Record<BounceType, string>> = { SMTP_API_ERROR: 'SMTPApiError', DMARC_POLICY: 'DMARCPolicy' };

export function postmarkName(type: BounceType): string {
  return (
    SPECIAL[type] ??
    type
      .split('_')
      .map((word) => word.charAt(0) + word.slice(1).toLowerCase())
      .join('')
  );
}
