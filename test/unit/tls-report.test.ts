// TLS reports of RFC 8460, as such and in mail.
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { parseReport } from '#/mail/reports/read-report.ts';

const json = {
  'organization-name': 'Company-X',
  'date-range': { 'start-datetime': '2026-04-01T00:00:00Z', 'end-datetime': '2026-04-01T23:59:59Z' },
  'contact-info': 'sts-reporting@c.example',
  'report-id': '5065427c-23d3',
  policies: [
    {
      policy: {
        'policy-type': 'sts',
        'policy-string': ['version: STSv1', 'mode: testing'],
        'policy-domain': 'B.example',
        'mx-host': '*.mail.b.example',
      },
      summary: { 'total-successful-session-count': 5326, 'total-failure-session-count': '303' },
      'failure-details': [
        {
          'result-type': 'certificate-expired',
          'sending-mta-ip': '2001:db8::1',
          'receiving-mx-hostname': 'mx1.b.example',
          'failed-session-count': 100,
        },
        { 'result-type': 'validation-failure', 'failed-session-count': -1, 'failure-reason-code': 'X509' },
        'nonsense',
      ],
    },
    null,
  ],
};

const expected = {
  ok: true,
  kind: 'tls',
  report: {
    organization: 'Company-X',
    contact: 'sts-reporting@c.example',
    reportId: '5065427c-23d3',
    begin: new Date('2026-04-01T00:00:00Z'),
    policies: [
      {
        type: 'sts',
        domain: 'b.example',
        policy: ['version: STSv1', 'mode: testing'],
        mxHosts: ['*.mail.b.example'],
        successful: 5326,
        failed: 303,
        failures: [
          {
            type: 'certificate-expired',
            sendingIp: '2001:db8::1',
            receivingHost: 'mx1.b.example',
            sessions: 100,
            reason: null,
          },
          { type: 'validation-failure', sessions: 0, reason: 'X509' },
          { type: null },
        ],
      },
      { type: null, successful: 0, failures: [] },
    ],
  },
};

describe('a TLS report is read', () => {
  const packed = gzipSync(JSON.stringify(json));
  const mail = `From: noreply@c.example\nTLS-Report-Domain: b.example\nContent-Type: multipart/report; report-type="tlsrpt"; boundary=b\n\n--b\n\nThis is a report.\n--b\nContent-Type: application/tlsrpt+gzip\nContent-Transfer-Encoding: base64\n\n${packed.toString('base64')}\n--b--\n`;
  test.each<[string, string | Buffer]>([
    ['as JSON', JSON.stringify(json)],
    ['packed', packed],
    ['in a mail', mail],
    ['in a mail with CR LF', mail.replaceAll('\n', '\r\n')],
  ])('%s', async (_, source) => {
    expect(await parseReport(Buffer.from(source))).toMatchObject(expected);
  });
});

test.each([
  ['{', 'NO_REPORT'],
  ['{}', 'NO_REPORT'],
  ['{"policies":[]}', 'NO_REPORT'],
  [`${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`, 'NO_REPORT'],
  [JSON.stringify({ ...json, policies: Array.from({ length: 60_000 }, () => ({})) }), 'TOO_BIG'],
])('%.20s is refused', async (source, reason) => {
  expect(await parseReport(Buffer.from(source))).toMatchObject({ ok: false, reason });
});
