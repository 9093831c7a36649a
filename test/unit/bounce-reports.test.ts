// Reading what comes back: reports by the book, notices of the world's mail systems in their own words, complaints, answers.
import { describe, expect, test } from 'vitest';
import { readReturned } from '#/mail/bounce/read-report.ts';
import type { Bounce, Complaint } from '#/mail/bounce/returned.ts';

const ORIGINAL = [
  'Received: from shop.example by mx.b.example',
  'Return-Path: <msg_01k7-0-abc@bounces.shop.example>',
  'From: Shop <sender@shop.example>',
  'To: anna@b.example',
  'Subject: Your order',
  'Message-ID: <1@shop.example>',
  '',
  'Thank you.',
].join('\n');

const head = (from: string, subject: string, ...more: string[]) =>
  [`Return-Path: <>`, `From: ${from}`, 'To: sender@shop.example', `Subject: ${subject}`, ...more, '', ''].join('\n');
const read = (text: string) => readReturned(Buffer.from(text, 'utf8'));

function report(status: string, notice = 'It could not be delivered.'): string {
  const type = 'Content-Type: multipart/report; report-type=delivery-status; boundary="q"';
  return [
    head('Mail Delivery System <MAILER-DAEMON@b.example>', 'Undelivered Mail Returned to Sender', type),
    '--q',
    'Content-Type: text/plain; charset=utf-8',
    '',
    notice,
    '--q',
    'Content-Type: message/delivery-status',
    '',
    status,
    '--q',
    'Content-Type: message/rfc822',
    '',
    ORIGINAL,
    '--q--',
    '',
  ].join('\n');
}

function bounceOf(text: string): Bounce {
  const returned = read(text);
  if (returned.kind !== 'bounce') throw new Error(`it is ${returned.kind}`);
  return returned;
}

describe('reports of RFC 3464', () => {
  const several = report(
    [
      'Reporting-MTA: dns; mx.b.example',
      'Original-Envelope-Id: env-1',
      '',
      'Final-Recipient: rfc822; anna@b.example',
      'Action: failed',
      'Status: 5.1.1',
      'Diagnostic-Code: smtp; 550 5.1.1 <anna@b.example>: Recipient address',
      '  rejected: User unknown',
      '',
      'Final-Recipient: rfc822; full@b.example',
      'Action: failed',
      'Status: 5.2.2 (mailbox full)',
      '',
      'Original-Recipient: rfc822; old@b.example',
      'Final-Recipient: rfc822; new@c.example',
      'Action: delayed',
      'Status: 4.4.1',
      '',
      'Final-Recipient: rfc822; list@b.example',
      'Action: expanded',
      'Status: 2.0.0',
      '',
    ].join('\n'),
  );

  test('each recipient with its own status, action and type', () => {
    const { recipients, type, reportingMta, envelopeId, originalMessageId, original } = bounceOf(several);
    expect(
      recipients.map(({ address, finalRecipient, action, status, smtpCode, type: own, temporary }) => [
        address,
        finalRecipient,
        action,
        status,
        smtpCode,
        own,
        temporary,
      ]),
    ).toEqual([
      ['anna@b.example', null, 'failed', '5.1.1', 550, 'HARD_BOUNCE', false],
      ['full@b.example', null, 'failed', '5.2.2', null, 'SOFT_BOUNCE', false],
      ['old@b.example', 'new@c.example', 'delayed', '4.4.1', null, 'TRANSIENT', true],
      ['list@b.example', null, 'expanded', '2.0.0', null, null, false],
    ]);
    expect({ type, reportingMta, envelopeId, originalMessageId }).toEqual({
      type: 'HARD_BOUNCE',
      reportingMta: 'mx.b.example',
      envelopeId: 'env-1',
      originalMessageId: '<1@shop.example>',
    });
    expect(original?.returnPath).toBe('msg_01k7-0-abc@bounces.shop.example');
    expect(original?.fields.find(({ name }) => name === 'subject')?.value).toBe('Your order');
  });

  test.each(['\r\n', '\r'])('the same with line ends %j', (end) => {
    expect(read(several.replaceAll('\n', end))).toEqual(read(several));
  });

  test('success is no bounce', () => {
    const delivered = report(
      'Reporting-MTA: dns; x\n\nFinal-Recipient: rfc822; anna@b.example\nAction: delivered\nStatus: 2.0.0\n',
    );
    expect(read(delivered)).toMatchObject({
      kind: 'delivered',
      recipients: [{ address: 'anna@b.example', type: null }],
    });
  });

  test('without its boundary, its type or its end', () => {
    const status = 'Final-Recipient: rfc822; anna@b.example\nAction: failed\nStatus: 5.2.2\n';
    const whole = report(status);
    const expected = [expect.objectContaining({ address: 'anna@b.example', type: 'SOFT_BOUNCE', status: '5.2.2' })];
    expect(bounceOf(whole.replace('; boundary="q"', '')).recipients).toEqual(expected);
    expect(bounceOf(whole.replace(/^Content-Type: multipart.*\n/m, '')).recipients).toEqual(expected);
    expect(bounceOf(whole.slice(0, whole.indexOf('Content-Type: message/rfc822'))).recipients).toEqual(expected);
    expect(bounceOf(whole.replace('message/delivery-status', 'text/plain')).recipients).toEqual(expected);
  });

  test('a report that a gateway has wrapped in a message of its own', () => {
    const inner = report('Final-Recipient: rfc822; anna@b.example\nAction: failed\nStatus: 5.1.1\n')
      .replaceAll('--q', '--r')
      .replace('"q"', '"r"');
    const outer = `${head('postmaster@b.example', 'Undeliverable', 'Content-Type: multipart/mixed; boundary=q')}--q\n\nSee below.\n--q\nContent-Type: message/rfc822\n\n${inner}\n--q--\n`;
    expect(bounceOf(outer).recipients).toMatchObject([{ address: 'anna@b.example', type: 'HARD_BOUNCE' }]);
  });

  test('the diagnostic speaks before the status, the notice before a silent diagnostic', () => {
    const dmarc = report(
      'Final-Recipient: rfc822; anna@b.example\nAction: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 550 5.7.1 rejected by DMARC policy\n',
    );
    expect(bounceOf(dmarc).type).toBe('DMARC_POLICY');
    const silent = report(
      'Final-Recipient: rfc822; anna@b.example\nAction: failed\nStatus: 5.0.0\n',
      '<anna@b.example>: host mx.b.example[192.0.2.1] said: 552 mailbox is over quota',
    );
    expect(bounceOf(silent).recipients).toMatchObject([{ type: 'SOFT_BOUNCE', smtpCode: 552 }]);
  });

  test('"user unknown" after DATA condemns nobody', () => {
    const status =
      'Final-Recipient: rfc822; anna@b.example\nAction: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 550 User unknown\n';
    const said = (step: string) =>
      `<anna@b.example>: host mx.b.example[192.0.2.1] said: 550 User unknown (in reply to ${step} command)`;
    expect(bounceOf(report(status, said('RCPT TO'))).type).toBe('HARD_BOUNCE');
    expect(bounceOf(report(status, said('end of DATA'))).type).toBe('BLOCKED');
  });
});

describe('notices in free text', () => {
  const exim = (reason: string) =>
    `This message was created automatically by mail delivery software.\n\nA message that you sent could not be delivered to one or more of its\nrecipients. This is a permanent error. The following address(es) failed:\n\n  anna@b.example\n    ${reason}\n\n------ This is a copy of the message, including all the headers. ------\n\n${ORIGINAL}`;
  const qmail = (reason: string) =>
    `Hi. This is the qmail-send program at b.example.\nI'm afraid I wasn't able to deliver your message to the following addresses.\nThis is a permanent error; I've given up. Sorry it didn't work out.\n\n<anna@b.example>:\n${reason}\n\n--- Below this line is a copy of the message.\n\n${ORIGINAL}`;
  const cases: readonly (readonly [string, string, string])[] = [
    [
      'Exim: no route',
      head('Mailer-Daemon@b.example', 'Mail delivery failed') + exim('Unrouteable address'),
      'HARD_BOUNCE',
    ],
    [
      'Exim: full',
      head('Mailer-Daemon@b.example', 'Mail delivery failed') + exim('mailbox is full: retry timeout exceeded'),
      'SOFT_BOUNCE',
    ],
    [
      'qmail: unknown',
      head('MAILER-DAEMON@b.example', 'failure notice') + qmail('Sorry, no mailbox here by that name. (#5.1.1)'),
      'HARD_BOUNCE',
    ],
    [
      'qmail: too long in the queue',
      head('MAILER-DAEMON@b.example', 'failure notice') +
        qmail(
          "Sorry, I wasn't able to establish an SMTP connection. (#4.4.1)\nI'm not going to try again; this message has been in the queue too long.",
        ),
      'TRANSIENT',
    ],
    [
      'Domino',
      `${head('Postmaster@b.example', 'DELIVERY FAILURE')}Your message\n\n  Subject: Hi\n\nwas not delivered to:\n\n  anna@b.example\n\nbecause:\n\n  User anna (anna@b.example) not listed in Domino Directory\n`,
      'HARD_BOUNCE',
    ],
    [
      'Exchange',
      `${head('System Administrator <postmaster@b.example>', 'Undeliverable: Hi')}Your message\n\n  To:      anna@b.example\n  Subject: Hi\n\ndid not reach the following recipient(s):\n\nanna@b.example on Thu, 29 Apr 2010 00:00:00 -0000\n    The recipient name is not recognized\n    MSEXCH:IMS:B:B:B 0 (000C05A6) Unknown Recipient\n`,
      'HARD_BOUNCE',
    ],
    [
      'Exchange in French',
      `${head('postmaster@b.example', 'Non remis : Hi')}Échec de la remise pour ces destinataires :\n\nanna@b.example\nL'adresse est introuvable.\n\n#550 5.1.1 RESOLVER.ADR.RecipNotFound; not found ##\n`,
      'HARD_BOUNCE',
    ],
    [
      'Google, delayed',
      `${head('Mail Delivery Subsystem <mailer-daemon@googlemail.com>', 'Delivery Status Notification (Delay)')}** Delivery incomplete **\n\nThere was a temporary problem delivering your message to anna@b.example. Gmail will retry for 46 more hours.\n`,
      'TRANSIENT',
    ],
    [
      'a carrier',
      `${head('no-reply@carrier.example', 'Mail Delivery Notice')}Your mail sent on: Thu\n    Could not be delivered to: <anna@b.example>\n    As their mailbox is full.\n`,
      'SOFT_BOUNCE',
    ],
    [
      'old Sendmail',
      `${head('Mail Delivery Subsystem <MAILER-DAEMON@b.example>', 'Returned mail: User unknown')}   ----- Transcript of session follows -----\nWhile talking to mx.b.example:\n>>> RCPT To:<anna@b.example>\n<<< 550 <anna@b.example>, User Unknown\n550 <anna@b.example>... User unknown\n\n   ----- Unsent message follows -----\n${ORIGINAL}`,
      'HARD_BOUNCE',
    ],
    [
      'HTML alone',
      `${head('postmaster@b.example', 'Undeliverable mail', 'Content-Type: text/html; charset=utf-8')}<html><body><p>Your message could not be delivered to<br>&lt;anna@b.example&gt;<p>552 Mailbox&nbsp;full</body></html>`,
      'SOFT_BOUNCE',
    ],
    [
      'base64',
      `${head('MAILER-DAEMON@b.example', 'failure notice', 'Content-Transfer-Encoding: base64')}${Buffer.from(qmail('user is over quota')).toString('base64')}`,
      'SOFT_BOUNCE',
    ],
  ];

  test.each(cases)('%s', (_, text, type) => {
    const { recipients } = bounceOf(text);
    expect(recipients.map(({ address }) => address)).toEqual(['anna@b.example']);
    expect(recipients[0]?.type).toBe(type);
  });

  test('several recipients, each with what is said of it; nobody else', () => {
    const text = `${head('MAILER-DAEMON@b.example', 'Delivery failure')}Message from b.example. For help, contact <support@b.example>.\nUnable to deliver message to the following address(es).\n\n<anna@b.example>:\n550 5.1.1 no such user\n\n<bert@b.example>:\n552 5.2.2 over quota\n\n--- Original message follows.\n\n${ORIGINAL}`;
    expect(bounceOf(text).recipients.map(({ address, type }) => [address, type])).toEqual([
      ['anna@b.example', 'HARD_BOUNCE'],
      ['bert@b.example', 'SOFT_BOUNCE'],
    ]);
  });

  test('Amazon SES by SNS', () => {
    const json =
      '{"notificationType":"Bounce","bounce":{"bounceType":"Permanent","bouncedRecipients":[{"emailAddress":"anna@b.example","action":"failed","status":"5.1.1","diagnosticCode":"smtp; 550 5.1.1 user unknown"}]},"mail":{"messageId":"01-2"}}';
    expect(bounceOf(`From: no-reply@sns.amazonaws.com\nSubject: AWS Notification Message\n\n${json}\n`)).toMatchObject({
      originalMessageId: '01-2',
      recipients: [{ address: 'anna@b.example', status: '5.1.1', smtpCode: 550, type: 'HARD_BOUNCE' }],
    });
  });
});

describe('complaints', () => {
  const arf = (fields: string) =>
    `From: fbl@provider.example\nTo: abuse@shop.example\nSubject: FW: Your order\nContent-Type: multipart/report; report-type=feedback-report; boundary=q\n\n--q\n\nA complaint.\n--q\nContent-Type: message/feedback-report\n\n${fields}\n--q\nContent-Type: message/rfc822\n\n${ORIGINAL}\n--q--\n`;
  const complaintOf = (text: string) => read(text) as Complaint;

  test('as RFC 5965 wants them', () => {
    const fields =
      'Feedback-Type: abuse\nVersion: 1\nOriginal-Mail-From: <msg_01k7-0-abc@bounces.shop.example>\nOriginal-Rcpt-To: <anna@b.example>\nReported-Domain: shop.example\nSource-IP: 192.0.2.1\n';
    expect(complaintOf(arf(fields))).toMatchObject({
      kind: 'complaint',
      type: 'SPAM_COMPLAINT',
      feedbackType: 'abuse',
      recipients: ['anna@b.example'],
      sourceIp: '192.0.2.1',
      reportedDomains: ['shop.example'],
      originalMailFrom: 'msg_01k7-0-abc@bounces.shop.example',
      originalMessageId: '<1@shop.example>',
      original: { returnPath: 'msg_01k7-0-abc@bounces.shop.example' },
    });
  });

  test('redacted: whom the returned message went to, unless that is hidden too', () => {
    const fields = 'Feedback-Type: abuse\nRedacted-Address: redacted@\n';
    expect(complaintOf(arf(fields)).recipients).toEqual(['anna@b.example']);
    expect(complaintOf(arf(fields).replace('To: anna@b.example', 'To: redacted@b.example')).recipients).toEqual([]);
  });

  test.each([
    ['opt-out', 'complaint', 'UNSUBSCRIBE'],
    ['fraud', 'complaint', 'SPAM_COMPLAINT'],
    ['not-spam', 'complaint', null],
    ['auth-failure', 'authentication-failure', null],
  ])('feedback type %s', (feedbackType, kind, type) => {
    expect(complaintOf(arf(`Feedback-Type: ${feedbackType}\n`))).toMatchObject({ kind, type, feedbackType });
  });

  test("Hotmail's own form", () => {
    const text = `From: staff@hotmail.com\nSubject: complaint about message from 192.0.2.1\nContent-Type: multipart/mixed; boundary=q\n\n--q\nContent-Type: message/rfc822\n\nX-HmXmrOriginalRecipient: anna@hotmail.example\n${ORIGINAL}\n--q--\n`;
    expect(complaintOf(text)).toMatchObject({
      kind: 'complaint',
      recipients: ['anna@hotmail.example'],
      sourceIp: '192.0.2.1',
    });
  });
});

describe('what is no bounce', () => {
  const person = (subject: string, text: string, ...more: string[]) =>
    [`From: Bert <bert@b.example>`, 'To: sender@shop.example', `Subject: ${subject}`, ...more, '', text].join('\n');

  test.each([
    ['out of office', person('Out of Office: Your order', 'I am away.'), 'auto-reply'],
    [
      'RFC 3834',
      person('Re: Your order', 'I am on vacation until Monday.', 'Auto-Submitted: auto-replied'),
      'auto-reply',
    ],
    ['German', person('Abwesenheitsnotiz: Ihre Bestellung', 'Ich bin nicht im Haus.'), 'auto-reply'],
    [
      'a challenge',
      person(
        'Please confirm your message',
        'Your message is being held. To release it for delivery, click this link to verify that you are a person: https://b.example/c',
      ),
      'challenge',
    ],
    [
      'a challenge to an answer',
      person(
        'Re: Your order',
        'To control spam, I now allow messages only from senders I have approved. Fill out the form (see link below).',
      ),
      'challenge',
    ],
    [
      'an answer that says so itself',
      person('Re: Your order', "This is an autoresponder. I'll never see your message."),
      'auto-reply',
    ],
    [
      'a parcel',
      person('Undeliverable goods', 'It was returned to sender; user unknown, says kim@c.example'),
      'ordinary',
    ],
    ['a request', person('unsubscribe', ''), 'unsubscribe'],
    [
      'a person who writes of deliveries',
      person(
        'Re: your delivery',
        'The parcel could not be delivered to my address. What happened?',
        'References: <1@shop.example>',
      ),
      'ordinary',
    ],
    [
      'a person who complains',
      person('Delivery problem', 'The delivery failed, it said the address was not found. Please help.'),
      'ordinary',
    ],
  ])('%s', (_, text, kind) => {
    expect(read(text).kind).toBe(kind);
  });

  test('a receipt', () => {
    const text = `From: Bert <bert@b.example>\nSubject: Read: Your order\nContent-Type: multipart/report; report-type=disposition-notification; boundary=q\n\n--q\n\nIt was read.\n--q\nContent-Type: message/disposition-notification\n\nFinal-Recipient: rfc822; bert@b.example\nOriginal-Message-ID: <1@shop.example>\nDisposition: manual-action/MDN-sent-manually; displayed\n--q--\n`;
    expect(read(text)).toMatchObject({ kind: 'receipt', type: null, originalMessageId: '<1@shop.example>' });
  });
});
