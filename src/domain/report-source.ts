// One address that sent in the name of a domain, as a DMARC report's rows of it add up: read, stored and shown in this form.
export interface ReportSource {
  readonly sourceIp: string;
  readonly messages: number;
  readonly dkimAligned: number;
  readonly spfAligned: number;
  /** Whose signatures were right. */
  readonly dkimDomains: readonly string[];
  /** Signed with a key that we have made. */
  readonly ours: boolean;
}
