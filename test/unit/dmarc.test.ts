// DMARC aggregate reports: read as they come, and refused where they could hurt.
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { REPORT_LIMITS } from '#/mail/reports/limits.ts';
import { parseReport } from '#/mail/reports/read-report.ts';
import { zipOf } from '../support/zip.ts';

const record = (ip: string, count = 2) =>
  `<record><row><source_ip>${ip}</source_ip><count>${count}</count><policy_evaluated><disposition>None</disposition><dkim>pass</dkim><spf>fail</spf><reason><type>forwarded</type><comment>a &lt; b</comment></reason></policy_evaluated></row><identifiers><header_from>B.example</header_from></identifiers><auth_results><dkim><domain>b.example</domain><selector>s1</selector><result>pass</result></dkim><spf><domain>c.example</domain><result>fail</result></spf></auth_results></record>`;
const xml = (records = record('192.0.2.1') + record('2001:db8::1', 3)) =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<feedback><report_metadata><org_name>C &amp; D</org_name><email>d@c.example</email><report_id> r-1 </report_id><date_range><begin>1700000000</begin><end>1700086399</end></date_range></report_metadata><policy_published><domain>b.example</domain><adkim>r</adkim><p>Reject</p><pct>100</pct></policy_published>${records}</feedback>`;

const read = (source: string | Buffer) => parseReport(Buffer.from(source));
const expected = {
  ok: true,
  kind: 'dmarc',
  report: {
    orgName: 'C & D',
    reportId: 'r-1',
    begin: 1_700_000_000,
    end: 1_700_086_399,
    policy: { domain: 'b.example', adkim: 'r', aspf: null, p: 'reject', sp: null, pct: 100 },
    records: [
      {
        sourceIp: '192.0.2.1',
        count: 2,
        disposition: 'none',
        dkim: 'pass',
        spf: 'fail',
        headerFrom: 'B.example',
        reasons: [{ type: 'forwarded', comment: 'a < b' }],
      },
      { sourceIp: '2001:db8::1', count: 3 },
    ],
  },
};

function inMail(content: Buffer, type: string): string {
  return `From: d@c.example\nSubject: Report domain: b.example\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html\n\n<!DOCTYPE html><p>A report</p>\n--b\nContent-Type: ${type}\nContent-Disposition: attachment; filename="c.example!b.example!1!2.xml"\nContent-Transfer-Encoding: base64\n\n${content.toString('base64')}\n--b--\n`;
}

describe('is read', () => {
  const packed = gzipSync(xml());
  const zipped = zipOf([{ name: 'c.example!b.example!1!2.xml', content: Buffer.from(xml()) }]);
  test.each<[string, string | Buffer]>([
    ['as XML', xml()],
    ['with a mark of the byte order', `\ufeff${xml()}`],
    ['in UTF-16', Buffer.from(`\ufeff${xml()}`, 'utf16le')],
    ['with junk before and behind it', `something\n${xml()}\nanything`],
    [
      'with a namespace',
      xml()
        .replaceAll(/<(\/?)(?=\w)/g, '<$1d:')
        .replace('<d:feedback', '<d:feedback xmlns:d="urn:ietf:params:xml:ns:dmarc-2.0"'),
    ],
    ['cut off behind the last record', xml().replace('</feedback>', '')],
    [
      'with closing tags that are missing',
      xml().replaceAll('</auth_results>', '').replaceAll('</count>', '</count></bogus>'),
    ],
    ['packed with gzip', packed],
    ['packed with zip', zipped],
    ['packed twice', zipOf([{ name: 'a.xml.gz', content: packed }])],
    [
      'beside what macOS adds',
      zipOf([
        { name: '__MACOSX/._a.xml', content: Buffer.from('x') },
        { name: 'a.xml', content: Buffer.from(xml()) },
      ]),
    ],
    ['in a mail', inMail(packed, 'application/gzip')],
    ['with a closing tag that is misspelt', xml().replace('</org_name>', '</orgname>')],
    [
      'in a mail that forgot to say base64',
      inMail(packed, 'application/gzip').replace('Content-Transfer-Encoding: base64\n', ''),
    ],
    ['in a mail, with a wrong type', inMail(zipped, 'text/plain')],
    [
      'with a default namespace',
      xml().replace(
        '<feedback>',
        '<feedback xmlns="urn:ietf:params:xml:ns:dmarc-2.0" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="a b">',
      ),
    ],
    ['with blanks before the declaration', `\n\n  ${xml()}`],
    ['with a declared charset that is another', xml().replace('UTF-8', 'windows-1251')],
    ['with a declaration in single quotes', xml().replaceAll('"', "'")],
    [
      'with names in capitals',
      xml().replace(
        /<(\/?)(report_metadata|org_name|record)>/g,
        (_, slash: string, name: string) => `<${slash}${name.toUpperCase()}>`,
      ),
    ],
    ['with dates', xml().replace('1700000000', '2023-11-14T22:13:20Z').replace('1700086399', '2023-11-15 22:13:19')],
    [
      'with dates as mail writes them',
      xml()
        .replace('1700000000', 'Tue, 14 Nov 2023 22:13:20 +0000')
        .replace('1700086399', 'Wed, 15 Nov 2023 22:13:19 +0000'),
    ],
    ['with fractions of seconds', xml().replace('1700000000', '1700000000.0').replace('1700086399', '1700086399.5')],
    ['with milliseconds', xml().replace('1700000000', '1700000000000').replace('1700086399', '1700086399000')],
    [
      'with values as CDATA, comments and instructions',
      xml().replace('C &amp; D', '<![CDATA[C & D]]>').replace('<record>', '<!-- one --><?x y?><record>'),
    ],
    ['with an ampersand that is none', xml().replace('C &amp; D', 'C & D')],
    ['with values broken over lines', xml().replace('>b.example<', '>\n   b.example\n  <').replace('>2<', '>\n2\n<')],
    [
      'with parts in another order',
      xml().replace(/(<report_metadata>.*<\/report_metadata>)(<policy_published>.*<\/policy_published>)/, '$2$1'),
    ],
    [
      'with more than is known',
      xml()
        .replace('<record>', '<generator>x</generator><extension><a><b/></a></extension><record>')
        .replace('<row>', '<row new="1"><more>1</more>'),
    ],
    [
      'without the policy',
      xml().replace(
        /<policy_published>.*<\/policy_published>/,
        '<policy_published><domain>b.example</domain><adkim>r</adkim><p>reject</p><pct>100</pct></policy_published>',
      ),
    ],
    ['packed with gzip, with something behind it', Buffer.concat([packed, Buffer.from('\0\0\0trailing')])],
    ['packed with gzip and called zip', inMail(packed, 'application/zip; name="a.zip"')],
    ['packed with zip and called gzip', inMail(zipped, 'application/gzip; name="a.gz"')],
    ['in a mail, as an octet stream', inMail(packed, 'application/octet-stream')],
    ['in a mail, as text', inMail(Buffer.from(xml()), 'text/xml')],
    [
      'in a mail of an attached mail',
      `From: a@b.example\nSubject: Fwd\nContent-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: text/plain\n\nsee below\n--o\nContent-Type: message/rfc822\n\n${inMail(packed, 'application/gzip')}\n--o--\n`,
    ],
    [
      'in a zip within folders',
      zipOf([
        { name: 'reports/', content: Buffer.alloc(0) },
        { name: 'reports/a.xml', content: Buffer.from(xml()) },
      ]),
    ],
    [
      'in a zip beside a text',
      zipOf([
        { name: 'readme.txt', content: Buffer.from('hello') },
        { name: 'a.xml', content: Buffer.from(xml()) },
      ]),
    ],
    [
      'in a mail that is nothing else',
      `Subject: x\nContent-Type: application/zip\nContent-Transfer-Encoding: base64\n\n${zipped.toString('base64')}`,
    ],
  ])('%s', async (_, source) => {
    expect(await read(source)).toMatchObject(expected);
  });
});

describe('is refused', () => {
  const reasonOf = async (source: string | Buffer) => {
    const result = await read(source);
    return result.ok ? 'read' : result.reason;
  };

  test.each<[string, string | Buffer]>([
    ['nothing', ''],
    ['text', 'a report'],
    ['other XML', '<?xml version="1.0"?><html><body/></html>'],
    ['feedback of another kind', '<feedback><stars>5</stars></feedback>'],
    ['packed text', gzipSync('a report')],
    ['ordinary mail', 'From: a@b.example\nSubject: x\n\nHi\n'],
  ])('%s holds no report', async (_, source) => {
    expect(await reasonOf(source)).toBe('NO_REPORT');
  });

  test.each([
    ['billion laughs', `<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>${xml().replace('C &amp; D', '&b;')}`],
    [
      'a file of the machine',
      `<!DOCTYPE feedback [<!ENTITY x SYSTEM "file:///etc/passwd">]>${xml().replace('C &amp; D', '&x;')}`,
    ],
    ['something from the network', `<?xml version="1.0"?><!DOCTYPE feedback SYSTEM "http://c.example/x.dtd">${xml()}`],
    ['a declaration inside of the document', xml().replace('<record>', '<!ENTITY a "b"><record>')],
  ])('%s', async (_, source) => {
    expect(await reasonOf(source)).toBe('FORBIDDEN_XML');
  });

  test('entities that nobody declared stay what they are', async () => {
    expect(await read(xml().replace('C &amp; D', '&xxe;'))).toMatchObject({ ok: true, report: { orgName: '&xxe;' } });
  });

  test('elements that are too deep or too many', async () => {
    expect(await reasonOf(xml('<a>'.repeat(100_000)))).toBe('TOO_BIG');
    const limits = { ...REPORT_LIMITS, maxElements: 1_000 };
    expect(await parseReport(Buffer.from(xml('<a/>'.repeat(2_000))), limits)).toMatchObject({ reason: 'TOO_BIG' });
    const few = { ...REPORT_LIMITS, maxRecords: 1 };
    expect(await parseReport(Buffer.from(xml()), few)).toMatchObject({ reason: 'TOO_BIG' });
  });

  test('bombs', async () => {
    const zeros = Buffer.alloc(100 * 1024 * 1024);
    const bomb = gzipSync(zeros);
    expect(bomb.length).toBeLessThan(200_000);
    expect(await reasonOf(bomb)).toBe('TOO_BIG');
    expect(await reasonOf(inMail(bomb, 'application/gzip'))).toBe('TOO_BIG');
    const zip = zipOf([{ name: 'a.xml', content: zeros }]);
    expect(await reasonOf(zip)).toBe('TOO_BIG');
    // The directory lies about what comes out.
    expect(await reasonOf(zipOf([{ name: 'a.xml', content: zeros, size: 100 }]))).not.toBe('read');
    const many = Array.from({ length: 50 }, (_, n) => ({ name: `${n}.txt`, content: Buffer.from('x') }));
    expect(await reasonOf(zipOf(many))).toBe('TOO_BIG');
    expect(await reasonOf(gzipSync(gzipSync(gzipSync(xml()))))).toBe('TOO_BIG');
  });

  test.each(['../a.xml', '/etc/a.xml', 'C:/a.xml', 'a\\b.xml', 'a/../../b.xml'])(
    'zip with the name %s',
    async (name) => {
      expect(await reasonOf(zipOf([{ name, content: Buffer.from(xml()) }]))).toBe('BAD_ARCHIVE');
    },
  );

  test('damaged archives', async () => {
    const packed = gzipSync(xml());
    expect(await reasonOf(packed.subarray(0, packed.length - 20))).toBe('BAD_ARCHIVE');
    const zip = zipOf([{ name: 'a.xml', content: Buffer.from(xml()) }]);
    expect(await reasonOf(zip.subarray(0, zip.length - 20))).toBe('BAD_ARCHIVE');
  });
});
