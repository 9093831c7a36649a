// Whose mail it is, as SPF, DKIM, DMARC and ARC prove it (RFC 7208, 6376, 7489, 8617): what is stored beside mail that
// came in.

/** `temperror`: it could not be found out in time. */
export type Verdict = 'pass' | 'fail' | 'softfail' | 'neutral' | 'none' | 'policy' | 'permerror' | 'temperror';

export interface AuthenticationResults {
  readonly spf: { readonly result: Verdict; readonly domain: string | null };
  readonly dkim: readonly {
    readonly result: Verdict;
    readonly domain: string;
    readonly selector: string;
    /** With the domain of From, as DMARC asks. */
    readonly aligned: boolean;
  }[];
  /** Null without a From that could be judged. `policy`: what the domain asks for where it fails. */
  readonly dmarc: { readonly result: Verdict; readonly domain: string; readonly policy: string } | null;
  readonly arc: { readonly result: Verdict };
}

export interface AuthenticatedMail {
  readonly source: Uint8Array;
  /** Of the envelope; empty for the null sender. */
  readonly sender: string;
  readonly peerAddress: string;
  readonly helo: string;
}

/** For mail that nobody could be asked about. */
export const UNKNOWN: AuthenticationResults = {
  spf: { result: 'temperror', domain: null },
  dkim: [],
  dmarc: null,
  arc: { result: 'temperror' },
};
