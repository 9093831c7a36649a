// How much of a report is unpacked and read. The largest seen in the world are some megabytes unpacked.

export interface ReportLimits {
  /** Octets after unpacking. */
  readonly maxUnpacked: number;
  /** Unpacked to packed. XML of a thousand alike rows packs to a fiftieth; a bomb to a thousandth. */
  readonly maxRatio: number;
  /** What is small may pack as well as it likes. */
  readonly freeUnpacked: number;
  readonly maxEntries: number;
  readonly maxDepth: number;
  readonly maxElements: number;
  readonly maxRecords: number;
}

export const REPORT_LIMITS: ReportLimits = {
  maxUnpacked: 25 * 1024 * 1024,
  maxRatio: 250,
  freeUnpacked: 1024 * 1024,
  maxEntries: 20,
  maxDepth: 40,
  maxElements: 1_500_000,
  maxRecords: 50_000,
};

export type RefusalReason = 'NO_REPORT' | 'TOO_BIG' | 'BAD_ARCHIVE' | 'FORBIDDEN_XML' | 'DAMAGED';

/** The content is none that we read; `reason` says why. */
export class ReportRefused extends Error {
  readonly reason: RefusalReason;

  constructor(reason: RefusalReason, message: string) {
    super(message);
    this.reason = reason;
  }
}
