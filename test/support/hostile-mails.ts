// Mails that are made to keep their reader busy, each in the form that was found to be the worst of its kind; and large ones
// that mean no harm. With line ends LF, until onTheWire has written them.
import { gzipSync } from 'node:zlib';
import { zipOf } from './zip.ts';

const KB = 1024;
const MB = 1024 * KB;
const PERSON = 'From: Anna <a@b.example>\nTo: c@d.example\nSubject: Re: x\nIn-Reply-To: <1@b.example>\n';
const DAEMON = 'From: MAILER-DAEMON@x.example\nTo: a@b.example\nSubject: Undelivered Mail Returned to Sender\n';

const filled = (text: string, size: number) => text.repeat(Math.ceil(size / text.length)).slice(0, size);
const typed = (head: string, type: string, body: string) => `${head}Content-Type: ${type}\n\n${body}`;

/** In lines as SMTP has them; base64 that packs badly. */
function noise(size: number): string {
  const octets = Buffer.allocUnsafe(Math.ceil((size * 3) / 4));
  for (let at = 0, state = 1; at < octets.length; at++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    octets[at] = state >>> 24;
  }
  return octets.toString('base64').replace(/.{76}/g, '$&\n');
}

const files = (size: number, count: number) =>
  Array.from(
    { length: count },
    (_, n) =>
      `--b\nContent-Type: application/pdf; name="${n}.pdf"\nContent-Transfer-Encoding: base64\n\n${noise(size / count)}\n`,
  ).join('');

function nested(depth: number): string {
  const open = Array.from(
    { length: depth },
    (_, n) => `Content-Type: multipart/mixed; boundary=b${n}\n\n--b${n}\n`,
  ).join('');
  return `${PERSON}${open}\nthe innermost\n`;
}

const recipients = (count: number) =>
  Array.from(
    { length: count },
    (_, n) =>
      `Final-Recipient: rfc822; user${n}@x.example\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 <user${n}@x.example> user unknown\n`,
  ).join('\n');

const report = (count: number, notice: string) =>
  `${DAEMON}Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\n${notice}\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; x.example\n\n${recipients(count)}\n--b\nContent-Type: message/rfc822\n\n${PERSON}\n`;

/** Read in the event loop itself. */
const SMALL = 31 * KB;

/** Each is told the size that the largest have. */
export const hostileMails: Readonly<Record<string, (large: number) => string>> = {
  'a colon after the other in To': () => `From: a@b.example\nTo: @${filled('::', SMALL)}\n\nx`,
  'quotations of quoted-printable': () =>
    `${DAEMON}Content-Transfer-Encoding: quoted-printable\n\n${filled('*=C3=A4=C3=A4:', SMALL)}`,
  'announcements of quotations': () =>
    typed(
      PERSON,
      'text/plain; charset=utf-8',
      filled('\xff\xff;On 5 May 2019 wrote:\nx '.repeat(3) + 'x\xff'.repeat(170), SMALL),
    ),
  'addresses that never begin': () =>
    typed(
      DAEMON,
      'text/plain; charset=iso-2022-jp',
      filled(`Final-Recipient: rfc822; a@b.example\nStatus: 5.1.1\n\n+AGE-${'\xc3\xb0'.repeat(102)}\xc3\xbf`, SMALL),
    ),
  'words of rules': () =>
    `${DAEMON}\n${filled('your message to the sender host user mailbox could not be delivered ', SMALL)}`,
  'a text of one line': (large) => typed(PERSON, 'text/plain', filled('x', large)),
  'a text past ASCII': (large) => typed(PERSON, 'text/plain; charset=utf-8', filled('\xe3\x81\x82\n', large)),
  blanks: (large) => typed(PERSON, 'text/plain', filled(' ', large)),
  'line ends': (large) => typed(PERSON, 'text/plain', filled('\n', large)),
  'quoted-printable': (large) =>
    `${PERSON}Content-Transfer-Encoding: quoted-printable\n\n${filled(`=${' '.repeat(70)}`, large)}`,
  'base64 that is none': (large) => `${PERSON}Content-Transfer-Encoding: base64\n\n${filled('=?-_', large)}`,
  'HTML alone': (large) => typed(PERSON, 'text/html', `<p>${filled('<blockquote>&#x41;<b>\n', large)}`),
  'a file': (large) => `${PERSON}Content-Type: multipart/mixed; boundary=b\n\n--b\n\nHi\n${files(large, 1)}--b--\n`,
  'many files': (large) =>
    `${PERSON}Content-Type: multipart/mixed; boundary=b\n\n--b\n\nHi\n${files(large, 1_000)}--b--\n`,
  'parts without end': (large) => typed(PERSON, 'multipart/mixed; boundary=b', filled('--b\n\n', large)),
  'parts in parts': () => nested(20_000),
  'messages in messages': (large) => `${PERSON}${filled('Content-Type: message/rfc822\n\n', large)}`,
  'almost boundaries': (large) => typed(PERSON, 'multipart/mixed; boundary=b', filled('--bb\n', large)),
  fields: () => `${PERSON}${filled('X-Field: value\n', 2 * MB)}\n\nx`,
  'one field': () => `${PERSON}X-Field: ${filled('value\n ', 2 * MB)}\n\nx`,
  'a subject': () => `From: a@b.example\nSubject: ${filled('=?utf-8?q?a?= =?utf-8?b?YQ==?=\n ', 250 * KB)}\n\nx`,
  addresses: () =>
    `From: a@b.example\nTo: ${filled('Anna <a@b.example>,\n ', 250 * KB)}\nCc: ${filled('b@c.example,\n ', 250 * KB)}\n\nx`,
  signatures: () =>
    `${filled('DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=b.example; s=s; h=from; bh=eA==; b=eA==\n', 200 * KB)}${PERSON}\nx`,
  traces: () => `${filled('Received: from a by b; Mon, 2 Mar 2026 10:00:00 +0100\n', 1 * MB)}${PERSON}\nx`,
  'thousands of recipients': () => report(5_000, 'It failed.'),
  'a report with a large notice': (large) => report(10, filled('<user1@x.example>: user unknown\n', large)),
  feedback: (large) =>
    `${DAEMON}Content-Type: multipart/report; report-type=feedback-report; boundary=b\n\n--b\n\nspam\n--b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\n${filled('Original-Rcpt-To: a@b.example\n', large)}`,
  'an answer of a machine': (large) => `${PERSON}Auto-Submitted: auto-replied\n\n${filled('I am away until ', large)}`,
  'an invitation': (large) =>
    `${PERSON}Content-Type: text/calendar; method=REPLY\n\n${filled('BEGIN:VCALENDAR\nATTENDEE:a\n', large)}`,
  charsets: (large) =>
    typed(PERSON, 'text/plain; charset=iso-2022-jp', filled('\x1b$B$"\x1b(B', Math.min(large, 4 * MB))),
};

const row = (n: number) =>
  `<record><row><source_ip>10.${n >> 16}.${(n >> 8) & 255}.${n & 255}</source_ip><count>1</count><policy_evaluated><disposition>none</disposition><dkim>pass</dkim><spf>fail</spf></policy_evaluated></row><identifiers><header_from>DOMAIN</header_from></identifiers><auth_results><dkim><domain>d${n}.example</domain><selector>s</selector><result>pass</result></dkim></auth_results></record>`;

const dmarc = (domain: string, rows: number, id: string) =>
  `<?xml version="1.0"?><feedback><report_metadata><org_name>c</org_name><report_id>${id}</report_id><date_range><begin>1</begin><end>2</end></date_range></report_metadata><policy_published><domain>${domain}</domain><p>none</p></policy_published>${Array.from(
    { length: rows },
    (_, n) => row(n),
  )
    .join('')
    .replaceAll('DOMAIN', domain)}</feedback>`;

const attached = (type: string, name: string, content: Buffer) =>
  `From: r@c.example\nSubject: Report\nContent-Type: ${type}; name="${name}"\nContent-Transfer-Encoding: base64\n\n${content.toString('base64').replace(/.{76}/g, '$&\n')}\n`;

/** What comes to report addresses. */
export function hostileReports(domain: string, rows: number): Readonly<Record<string, () => string>> {
  return {
    'a DMARC report of many rows': () => attached('application/gzip', 'a.xml.gz', gzipSync(dmarc(domain, rows, '1'))),
    'the same zipped': () =>
      attached('application/zip', 'a.zip', zipOf([{ name: 'a.xml', content: Buffer.from(dmarc(domain, rows, '2')) }])),
    'a bomb': () => attached('application/gzip', 'b.xml.gz', gzipSync(Buffer.alloc(200 * MB, 'a'))),
    'a TLS report of many policies': () =>
      attached(
        'application/tlsrpt+gzip',
        't.json.gz',
        gzipSync(
          JSON.stringify({
            'organization-name': 'c',
            'report-id': '3',
            'date-range': { 'start-datetime': '2026-11-21T00:00:00Z', 'end-datetime': '2026-11-22T00:00:00Z' },
            policies: Array.from({ length: 2_000 }, () => ({
              policy: { 'policy-type': 'sts', 'policy-domain': domain },
              summary: { 'total-successful-session-count': 1, 'total-failure-session-count': 1 },
              'failure-details': Array.from({ length: 20 }, (_, n) => ({
                'result-type': 'certificate-expired',
                'failed-session-count': n,
              })),
            })),
          }),
        ),
      ),
  };
}

/** Line ends of the wire, no line longer than SMTP allows, dots doubled. */
export function onTheWire(mail: string): Buffer {
  return Buffer.from(mail.replace(/\r?\n/g, '\r\n').replace(/^\./gm, '..'), 'latin1');
}
