// Our own TLS reports, read by our own reader: nothing that is counted is lost on the way, and strangers' names break nothing.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { tlsFlaws } from '#/domain/delivery/tls.ts';
import { parseReport } from '#/mail/reports/read-report.ts';
import { packTlsReport, type ReportedCount, reportIdOf, tlsReportMail } from '#/mail/reports/write-tls-report.ts';

const count = (of: Partial<ReportedCount>): ReportedCount => ({
  policyType: 'sts',
  policyKey: 'k',
  policy: ['version: STSv1', 'mode: testing', 'mx: *.mx.example', 'max_age: 86400'],
  result: 'success',
  receivingHost: '',
  receivingIp: '',
  sessions: 1,
  ...of,
});
const report = (counts: readonly ReportedCount[]) => ({
  domain: 'receiver.example',
  day: '2026-11-22',
  submitter: 'mail.us.example',
  contact: 'postmaster@us.example',
  counts,
});
const mailOf = (counts: readonly ReportedCount[]) => {
  const packed = packTlsReport(report(counts));
  return tlsReportMail(report(counts), {
    from: 'tls@us.example',
    to: 'tls@receiver.example',
    controls: {},
    packed,
  });
};

describe('a report', () => {
  test('arrives as it was counted', async () => {
    const counts = [
      count({ sessions: 40 }),
      count({ result: 'certificate-expired', receivingHost: 'a.mx.example', receivingIp: '192.0.2.1', sessions: 2 }),
      count({ policyType: 'no-policy-found', policyKey: 'none', policy: [], sessions: 3 }),
    ];
    const read = await parseReport(mailOf(counts));
    if (!read.ok || read.kind !== 'tls') throw new Error('not read');
    expect(read.report).toMatchObject({
      organization: 'mail.us.example',
      contact: 'postmaster@us.example',
      reportId: '2026-11-22.receiver.example@mail.us.example',
      begin: new Date('2026-11-22T00:00:00Z'),
      end: new Date('2026-11-22T23:59:59Z'),
      policies: [
        {
          type: 'sts',
          domain: 'receiver.example',
          policy: ['version: STSv1', 'mode: testing', 'mx: *.mx.example', 'max_age: 86400'],
          mxHosts: ['*.mx.example'],
          successful: 40,
          failed: 2,
          failures: [
            { type: 'certificate-expired', receivingHost: 'a.mx.example', receivingIp: '192.0.2.1', sessions: 2 },
          ],
        },
        { type: 'no-policy-found', policy: [], successful: 3, failed: 0, failures: [] },
      ],
    });
  });

  test('is a mail as RFC 8460 §5.3 has it', () => {
    const mail = mailOf([count({})]).toString();
    expect(mail).toMatch(/^TLS-Report-Domain: receiver\.example\r$/m);
    expect(mail).toMatch(/^TLS-Report-Submitter: mail\.us\.example\r$/m);
    expect(mail).toContain('Content-Type: multipart/report; report-type="tlsrpt";');
    expect(mail).toContain('Content-Type: application/tlsrpt+gzip\r\n');
    expect(mail).toContain(`Report-ID: <${reportIdOf(report([]))}>`);
    expect(mail).not.toMatch(/(?<!\r)\n/);
    expect(Math.max(...mail.split('\r\n').map((line) => line.length))).toBeLessThan(998);
  });

  test('of any counts is read back with the same sums', async () => {
    const any = fc.record({
      policyType: fc.constantFrom('sts', 'tlsa', 'no-policy-found'),
      policyKey: fc.constantFrom('a', 'b'),
      policy: fc.array(
        fc.string({ minLength: 1 }).filter((text) => text.trim() === text && text !== ''),
        { maxLength: 3 },
      ),
      result: fc.constantFrom('success', ...tlsFlaws),
      receivingHost: fc.string(),
      receivingIp: fc.string(),
      sessions: fc.integer({ min: 1, max: 1e9 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(any, { minLength: 1, maxLength: 20 }), async (counts) => {
        const read = await parseReport(mailOf(counts));
        if (!read.ok || read.kind !== 'tls') throw new Error('not read');
        const { policies } = read.report;
        const sum = (of: readonly number[]) => of.reduce((total, one) => total + one, 0);
        expect(sum(policies.map(({ successful, failed }) => successful + failed))).toBe(
          sum(counts.map(({ sessions }) => sessions)),
        );
        expect(sum(policies.flatMap(({ failures }) => failures.map(({ sessions }) => sessions)))).toBe(
          sum(policies.map(({ failed }) => failed)),
        );
      }),
      { numRuns: 50 },
    );
  });
});
