// What has become of a request of the installation's staff, or of a compliance review.
import { minutesAfter, STAFF_REQUEST_DAYS } from './identity/rules.ts';

export type StaffAccessState = 'REQUESTED' | 'ACTIVE' | 'DENIED' | 'EXPIRED' | 'REVOKED' | 'COMPLIANCE_REVIEW';

export interface StaffAccessFacts {
  readonly complianceReview: boolean;
  readonly requestedAt: Date;
  /** Null: nobody has answered. */
  readonly granted: boolean | null;
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
}

export function staffAccessState(facts: StaffAccessFacts, now: Date): StaffAccessState {
  const { complianceReview, requestedAt, granted, expiresAt, revokedAt } = facts;
  if (revokedAt !== null) return 'REVOKED';
  if (granted === null) {
    return minutesAfter(requestedAt, STAFF_REQUEST_DAYS * 24 * 60) > now ? 'REQUESTED' : 'EXPIRED';
  }
  if (!granted) return 'DENIED';
  if (expiresAt === null || expiresAt <= now) return 'EXPIRED';
  return complianceReview ? 'COMPLIANCE_REVIEW' : 'ACTIVE';
}
