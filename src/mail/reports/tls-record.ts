// The TXT record by which a domain asks for TLS reports, RFC 8460 §3.

/** More addressees than this are not served. */
const MAX_ADDRESSEES = 5;
const MAX_LENGTH = 2_048;
const MAILTO = /^mailto:([^\s@?,;!]+@[^\s@?,;!]+)$/i;

export type ReportAddressee =
  | { readonly kind: 'mail'; readonly uri: string; readonly address: string }
  | { readonly kind: 'https'; readonly uri: string };

/** Null: none is asked for. Several records mean none, as for MTA-STS. */
export function readReportRecord(texts: readonly string[]): readonly ReportAddressee[] | null {
  const [record, ...more] = texts.filter((text) => /^v=TLSRPTv1[ \t]*;/.test(text));
  if (record === undefined || more.length > 0 || record.length > MAX_LENGTH) return null;
  const field = record.split(';').find((part) => part.trim().startsWith('rua='));
  const uris = (field ?? '').trim().slice('rua='.length).split(',');
  const found = uris.flatMap((uri) => addresseeOf(uri.trim()) ?? []);
  const addressees = [...new Map(found.map((addressee) => [addressee.uri, addressee])).values()].slice(
    0,
    MAX_ADDRESSEES,
  );
  return addressees.length === 0 ? null : addressees;
}

function addresseeOf(uri: string): ReportAddressee | null {
  if (/^https:\/\//i.test(uri) && URL.canParse(uri)) return { kind: 'https', uri };
  let decoded: string;
  try {
    decoded = decodeURIComponent(uri);
  } catch {
    return null;
  }
  const address = MAILTO.exec(decoded)?.[1];
  return address === undefined ? null : { kind: 'mail', uri, address };
}
