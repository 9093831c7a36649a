// SMTP submission: who may, what is refused and with which words, what becomes of a message that is accepted.
import { execFileSync } from 'node:child_process';
import { createTransport } from 'nodemailer';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { scopeOfAccount, writeInSystemScope } from '#/db/scope.ts';
import { insertPause } from '#/db/sending-pauses.ts';
import { insertSuppressions } from '#/db/suppressions.ts';
import { addressHash } from '#/domain/suppression.ts';
import { decodeIdOf } from '#/domain/ids.ts';
import { pauseSending } from '#/resolvers/sending/pause-sending.ts';
import { resumeSending } from '#/resolvers/sending/resume-sending.ts';
import { Dialogue, plainAuth } from '../support/smtp-dialogue.ts';
import { callerOf } from '../support/world.ts';
import { type SubmissionWorld, submissionWorld } from '../support/submission-world.ts';
import { atMost } from '../support/time-taken.ts';

let s: SubmissionWorld;
let secret: string;
let from: string;

beforeAll(async () => {
  s = await submissionWorld({ limits: { authDelayMs: 1 } });
  secret = await s.token();
  from = `shop@${s.account.domain}`;
});
afterAll(() => s[Symbol.asyncDispose]());

const MESSAGE = `query ($id: ID!) { message(id: $id) {
  from subject tag metadata htmlBody textBody source sandboxed stream { slug }
  attachments { name contentType size } recipients { address kind status }
} }`;

async function read(id: string) {
  const { data, errors } = await s.world.execute(MESSAGE, { id }, s.account.token());
  expect(errors).toEqual([]);
  return data.message;
}

/** The id in the reply. */
async function submit(source: string, options: { to?: readonly string[]; sender?: string } = {}): Promise<string> {
  using session = await s.signedIn(secret);
  const { code, text } = await tell(session, source, options);
  expect(`${code} ${text}`).toMatch(/^250 2\.0\.0 Accepted as msg_[0-9a-z]{26}$/);
  return text.slice(text.lastIndexOf(' ') + 1);
}

async function tell(
  session: Dialogue,
  source: string,
  { to = ['ann@recipient.example'], sender = from }: { to?: readonly string[]; sender?: string } = {},
) {
  await session.envelope(sender, to);
  session.write(Buffer.from(`${source}\r\n.\r\n`));
  return session.reply();
}

async function refusal(source: string, options: { to?: readonly string[]; sender?: string } = {}): Promise<string> {
  using session = await s.signedIn(secret);
  const { code, text } = await tell(session, source, options);
  return `${code} ${text}`;
}

const mail = (fields: string, body = 'Hi') =>
  `From: Shop <${from}>\r\nTo: ann@recipient.example\r\n${fields}\r\n\r\n${body}`;

describe('signing in', () => {
  test('is neither shown nor possible before TLS', async () => {
    using session = await Dialogue.open(s.port);
    const { text } = await session.command('EHLO app.example', 250);
    expect(text.split('\n')).toEqual([
      'mail.veredus.example',
      'PIPELINING',
      '8BITMIME',
      'SMTPUTF8',
      'ENHANCEDSTATUSCODES',
      'STARTTLS',
      `SIZE ${10 * 1024 * 1024}`,
    ]);
    expect(await session.command(plainAuth(secret, secret))).toMatchObject({ code: 538 });
    expect((await session.command(`MAIL FROM:<${from}>`)).code).toBe(530);
  });

  test('is shown under TLS, either way', async () => {
    using session = await Dialogue.open(s.port);
    await session.command('EHLO app.example', 250);
    await session.startTls();
    expect((await session.command('EHLO app.example', 250)).text).toContain('AUTH PLAIN LOGIN');
    await session.command(plainAuth(secret, secret), 235);
    using other = await Dialogue.open(s.tlsPort, { tls: true });
    expect((await other.command('EHLO app.example', 250)).text).toContain('AUTH PLAIN LOGIN');
  });

  test('by AUTH LOGIN with the user token', async () => {
    using session = await Dialogue.open(s.tlsPort, { tls: true });
    await session.command('EHLO app.example', 250);
    await session.command('AUTH LOGIN', 334);
    await session.command(Buffer.from('token').toString('base64'), 334);
    await session.command(Buffer.from(secret).toString('base64'), 235);
  });

  test('with something that is no token, another user, or from elsewhere is answered alike', async () => {
    const elsewhere = await s.token(['MESSAGES_SEND'], { from: '203.0.113.0/24' });
    const altered = secret.slice(0, -1) + (secret.endsWith('a') ? 'b' : 'a');
    const answers = new Set<string>();
    for (const [user, password] of [
      [altered, altered],
      ['somebody', secret],
      ['', ''],
      [elsewhere, elsewhere],
      ['token', 'password'],
    ] as const) {
      using session = await Dialogue.open(s.tlsPort, { tls: true });
      await session.command('EHLO app.example', 250);
      const { code, text } = await session.command(plainAuth(user, password));
      answers.add(`${code} ${text}`);
    }
    expect(answers.size).toBe(1);
    expect([...answers][0]).toMatch(/^535 5\.7\.8 Not a valid server token/);
  });

  test('with a token that may not send is refused then, not at DATA', async () => {
    const reader = await s.token(['MESSAGES_READ']);
    const account = await s.token([], { accountWide: true });
    for (const [token, words] of [
      [reader, 'MESSAGES_SEND'],
      [account, 'token of a server'],
    ] as const) {
      using session = await Dialogue.open(s.tlsPort, { tls: true });
      await session.command('EHLO app.example', 250);
      const { code, text } = await session.command(plainAuth(token, token));
      expect(code).toBe(535);
      expect(text).toContain(words);
    }
  });

  test('ends the session after five wrong tries', async () => {
    using session = await Dialogue.open(s.tlsPort, { tls: true });
    await session.command('EHLO app.example', 250);
    for (let attempt = 0; attempt < 5; attempt++) await session.command(plainAuth('token', 'wrong'), 535);
    await session.closed();
  });

  test('ends within two seconds of the end of the token', async () => {
    await using own = await submissionWorld();
    using session = await own.signedIn();
    const before = performance.now();
    await own.revoke();
    expect((await session.reply()).code).toBe(421);
    await session.closed();
    expect(performance.now() - before).toBeLessThan(atMost(2_000));
  });

  test('makes wrong ones wait longer each time, and right ones never', async () => {
    await using own = await submissionWorld({ limits: { authDelayMs: 100 } });
    using session = await Dialogue.open(own.tlsPort, { tls: true });
    await session.command('EHLO app.example', 250);
    const waits: number[] = [];
    for (let attempt = 0; attempt < 4; attempt++) {
      const before = performance.now();
      await session.command(plainAuth('token', 'wrong'), 535);
      waits.push(performance.now() - before);
    }
    expect(waits.map((wait, index) => wait >= 95 * 2 ** index)).toEqual([true, true, true, true]);
    const before = performance.now();
    using right = await own.signedIn();
    expect(performance.now() - before).toBeLessThan(atMost(500));
    expect(right.ended).toBe(false);
  });
});

describe('refused', () => {
  test('an envelope sender that is not verified, at MAIL', async () => {
    using session = await s.signedIn(secret);
    const { code, text } = await session.command('MAIL FROM:<ceo@bank.example>');
    expect(code).toBe(550);
    expect(text).toContain('5.7.1 ceo@bank.example is neither a confirmed signature nor on a verified domain');
  });

  test.each([
    ['From of a domain that is not verified', 'From: ceo@bank.example\r\n\r\nHi', /^550 5\.7\.1 ceo@bank\.example/],
    ['no From', 'Subject: x\r\n\r\nHi', /^554 5\.6\.0 From/],
    ['two From', 'From: FROM\r\nFrom: ceo@bank.example\r\n\r\nHi', /^554 5\.6\.0 From: .*2 times/],
    ['two addresses in From', 'From: FROM, ceo@bank.example\r\n\r\nHi', /^554 5\.6\.0 From/],
    ['an address in brackets in its name', 'From: <ceo@bank.example> <FROM>\r\n\r\nHi', /^554 5\.6\.0 From/],
    ['a group in From', 'From: x: FROM;\r\n\r\nHi', /^554 5\.6\.0 From/],
    ['a line break in an encoded name', 'From: =?utf-8?q?a=0D=0ABcc:_x?= <FROM>\r\n\r\nHi', /^554 5\.6\.0 From: hides/],
    ['a Sender that is not verified', 'From: FROM\r\nSender: ceo@bank.example\r\n\r\nHi', /^550 5\.7\.1 ceo@bank/],
    [
      'a line break in an encoded subject',
      'From: FROM\r\nSubject: =?utf-8?q?a=0D=0Ab?=\r\n\r\nHi',
      /^554 5\.6\.0 Subject: hides/,
    ],
    ['two Subjects', 'From: FROM\r\nSubject: a\r\nSubject: b\r\n\r\nHi', /^554 5\.6\.0 Subject/],
    ['what is no header', 'hello there\r\n\r\nHi', /^554 5\.6\.0 line 1: is not a header field/],
    ['a NUL', 'From: FROM\r\n\r\nH\0i', /^554 5\.6\.0 message: holds a NUL/],
    ['a line that is too long', `From: FROM\r\n\r\n${'x'.repeat(999)}`, /^554 5\.6\.0 line 3: has 999 octets/],
    ['a file that would run', `From: FROM\r\nContent-Type: application/octet-stream; name="a.exe"\r\n\r\nHi`, /\.exe/],
    [
      'a stream that is not there',
      'From: FROM\r\nX-Veredus-Stream: nowhere\r\n\r\nHi',
      /^554 5\.6\.0 stream: .*"nowhere"/,
    ],
    ['a stream that receives', 'From: FROM\r\nX-PM-Message-Stream: inbound\r\n\r\nHi', /receives mail and cannot send/],
    ['a field of ours that is not known', 'From: FROM\r\nX-Veredus-Sream: x\r\n\r\nHi', /x-veredus-stream/],
    ['a mail loop', `From: FROM\r\n${'Received: by x\r\n'.repeat(51)}\r\nHi`, /loop/],
  ])('%s', async (_name, source, words) => {
    expect(await refusal(source.replaceAll('FROM', from))).toMatch(words);
  });

  test('for now while sending is paused: at MAIL, and where only a stream is paused after DATA', async () => {
    const { deps, system, db } = s.world;
    const { accountId, serverId } = s.account;
    const caller = callerOf({ kind: 'OPERATOR', accountId, label: 'operator' });
    await pauseSending(deps, caller, { serverId, note: null });
    using session = await s.signedIn(secret);
    expect(await session.command(`MAIL FROM:<${from}>`)).toEqual({
      code: 451,
      text: expect.stringMatching(/^4\.7\.1 Sending of this server is paused \(OPERATOR\)\. .*ask them/),
    });
    await resumeSending(deps, caller, { serverId, note: null });
    const { id: streamId } = await db
      .selectFrom('messageStreams')
      .select('id')
      .where('serverId', '=', serverId)
      .where('slug', '=', 'broadcast')
      .executeTakeFirstOrThrow();
    const pause = { id: deps.ids.next(), serverId, streamId, reason: 'BOUNCE_RATE', evidence: {}, note: null } as const;
    await writeInSystemScope(system, new Date(), (scope) => insertPause(scopeOfAccount(scope, accountId), pause));
    deps.channel.nudge('config');
    expect(await refusal(mail('X-Veredus-Stream: broadcast'))).toMatch(/^451 4\.7\.1 Sending of this stream is paused/);
    expect(await refusal(mail('Subject: x'), { sender: '' })).toMatch(/^250/);
    await resumeSending(deps, caller, { serverId, note: null });
    await submit(mail('X-Veredus-Stream: broadcast'));
  });

  test('a message for suppressed recipients only, naming them', async () => {
    const stream = await s.world.db
      .selectFrom('messageStreams')
      .select('id')
      .where('serverId', '=', s.account.serverId)
      .where('slug', '=', 'outbound')
      .executeTakeFirstOrThrow();
    const address = 'gone@recipient.example';
    await writeInSystemScope(s.world.system, new Date(), (scope) =>
      insertSuppressions(scope, [
        {
          accountId: s.account.accountId,
          streamId: stream.id,
          hash: addressHash(address),
          id: s.world.deps.ids.next(),
          address,
          reason: 'HARD_BOUNCE',
          origin: 'RECIPIENT',
        },
      ]),
    );
    expect(await refusal(mail('Subject: x'), { to: ['gone@recipient.example'] })).toMatch(
      /^550 5\.7\.1 .*gone@recipient\.example \(HARD_BOUNCE\)/,
    );
    const id = await submit(mail('Subject: x'), { to: ['gone@recipient.example', 'ann@recipient.example'] });
    expect((await read(id)).recipients).toEqual([
      { address: 'ann@recipient.example', kind: 'TO', status: expect.any(String) },
      { address: 'gone@recipient.example', kind: 'BCC', status: 'SUPPRESSED' },
    ]);
  });

  test('the 51st recipient, with words that tell what to do; the others stand', async () => {
    using session = await s.signedIn(secret);
    await session.command(`MAIL FROM:<${from}>`, 250);
    for (let index = 0; index < 50; index++) await session.command(`RCPT TO:<r${index}@recipient.example>`, 250);
    await session.command('RCPT TO:<R0@recipient.example>', 250);
    const { code, text } = await session.command('RCPT TO:<one.more@recipient.example>');
    expect(`${code} ${text}`).toMatch(/^552 5\.5\.3 At most 50 recipients/);
    await session.command('DATA', 354);
    session.write(`${mail('Subject: many')}\r\n.\r\n`);
    await session.reply(250);
  });

  test('an announced size that is too large, at MAIL; one that lies, at the end of DATA', async () => {
    using session = await s.signedIn(secret);
    expect(await session.command(`MAIL FROM:<${from}> SIZE=10485761`)).toMatchObject({ code: 552 });
    await session.command(`MAIL FROM:<${from}> SIZE=10`, 250);
    await session.command('RCPT TO:<ann@recipient.example>', 250);
    await session.command('DATA', 354);
    session.write(`From: ${from}\r\n\r\n`);
    const line = `${'x'.repeat(900)}\r\n`.repeat(1_000);
    for (let sent = 0; sent <= 10 * 1024 * 1024; sent += line.length) session.write(line);
    session.write('.\r\n');
    expect(await session.reply()).toMatchObject({ code: 552, text: expect.stringMatching(/^5\.3\.4/) });
    await session.command('NOOP', 250);
  });

  test('more messages than the token may send, for a while', async () => {
    await using own = await submissionWorld({ messagesPerSecond: 0.1 });
    using session = await own.signedIn();
    const sender = `shop@${own.account.domain}`;
    await session.command(`MAIL FROM:<${sender}>`, 250);
    await session.command('RSET', 250);
    expect(await session.command(`MAIL FROM:<${sender}>`)).toMatchObject({ code: 451 });
  });
});

describe('accepted', () => {
  test('keeps the bytes of the sender, and takes out what is for us or for nobody', async () => {
    const signed = `From: "Shop" <${from}>\r\nX-Veredus-Tag: welcome\r\nDKIM-Signature: v=1; a=b;\r\n\tc=d\r\n`;
    const rest =
      'subject:  =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n two\r\nTo: ann@recipient.example\r\nMessage-ID: <own@shop.example>\r\nDate: Sat, 21 Nov 2026 10:00:00 +0100\r\n';
    const body = '\r\n--x\r\nContent-Type: text/plain\r\n\r\n..dots\r\n.\tand more\r\n--x--\r\n';
    const source = `Return-Path: <x@y.example>\r\n${signed}Bcc: secret@recipient.example\r\n${rest}Content-Type: multipart/mixed; boundary=x\r\n${body}`;
    using session = await s.signedIn(secret);
    await session.envelope(from, ['ann@recipient.example', 'secret@recipient.example']);
    session.write(source.replace(/^\./gm, '..'));
    session.write('.\r\n');
    const { text } = await session.reply(250);
    const message = await read(text.slice(text.lastIndexOf(' ') + 1));
    const kept = `${signed.replace('X-Veredus-Tag: welcome\r\n', '')}${rest}Content-Type: multipart/mixed; boundary=x\r\n${body}`;
    expect(message.source.replace(/^Feedback-ID: .*\r\n/, '')).toBe(kept);
    expect(message).toMatchObject({
      from,
      subject: 'Grüße two',
      tag: 'welcome',
      textBody: '..dots\n.\tand more',
      recipients: [
        { address: 'ann@recipient.example', kind: 'TO' },
        { address: 'secret@recipient.example', kind: 'BCC' },
      ],
    });
  });

  test('gets Date and Message-ID where it has none, and mended line ends', async () => {
    const id = await submit(`From: ${from}\nSubject: x\n\none\ntwo\rthree\r\r\nfour`);
    const { source } = await read(id);
    expect(source).toMatch(/\r\nMessage-ID: <msg_[0-9a-z]{26}@/);
    expect(source).toMatch(/\r\nDate: \w{3}, \d\d \w{3} \d{4} [\d:]{8} \+0000\r\n/);
    expect(source).toMatch(/\r\n\r\none\r\ntwo\r\nthree\r\nfour\r\n$/);
    expect(source.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/);
  });

  test('reads our fields and Postmark’s; ours count where both stand', async () => {
    const ours = await read(
      await submit(
        mail(
          'X-Veredus-Tag: ours\r\nX-PM-Tag: theirs\r\nX-PM-Metadata-Order: 7\r\nx-veredus-metadata-color: =?utf-8?q?gr=C3=BCn?=',
        ),
      ),
    );
    expect(ours).toMatchObject({ tag: 'ours', metadata: { Order: '7', color: 'grün' }, stream: { slug: 'outbound' } });
    expect(ours.source).not.toMatch(/X-PM|X-Veredus/i);
    const theirs = await read(
      await submit(
        mail(
          'X-PM-Message-Stream: broadcast\r\nX-PM-Tag: t\r\nX-PM-TrackOpens: true\r\nX-PM-TrackLinks: HtmlAndText\r\nX-PM-KeepID: true',
        ),
      ),
    );
    expect(theirs).toMatchObject({ tag: 't', stream: { slug: 'broadcast' } });
  });

  test('is answered again for the same idempotency key, also with new boundaries and another Message-ID', async () => {
    const body = (boundary: string, text: string) =>
      mail(
        `X-Veredus-Idempotency-Key: k1\r\nMessage-ID: <${boundary}@a.example>\r\nContent-Type: multipart/mixed; boundary=${boundary}`,
        `--${boundary}\r\n\r\n${text}\r\n--${boundary}--`,
      );
    const first = await submit(body('b1', 'Hi'));
    expect(await submit(body('b2', 'Hi'))).toBe(first);
    expect(await refusal(body('b3', 'Other'))).toMatch(/^554 5\.5\.0/);
  });

  test('takes eight bits in the body, and in the header', async () => {
    using session = await s.signedIn(secret);
    await session.command(`MAIL FROM:<${from}> BODY=8BITMIME SMTPUTF8`, 250);
    await session.command('RCPT TO:<ann@recipient.example>', 250);
    await session.command('DATA', 354);
    session.write(
      Buffer.from(`From: Grüße <${from}>\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nÄpfel\r\n.\r\n`),
    );
    const { text } = await session.reply(250);
    expect(await read(text.slice(text.lastIndexOf(' ') + 1))).toMatchObject({ textBody: 'Äpfel\n' });
  });

  test('is there when 250 is answered', async () => {
    const id = await submit(mail('Subject: durable'));
    const row = await s.world.db
      .selectFrom('messages')
      .select('subject')
      .where('id', '=', decodeIdOf('message', id) ?? '')
      .executeTakeFirst();
    expect(row?.subject).toBe('durable');
  });

  test('many in one packet (PIPELINING) are answered in order', async () => {
    using session = await s.signedIn(secret);
    const one = `MAIL FROM:<${from}>\r\nRCPT TO:<ann@recipient.example>\r\nDATA\r\n`;
    session.write(one);
    await session.reply(250);
    await session.reply(250);
    await session.reply(354);
    session.write(`${mail('Subject: 1')}\r\n.\r\n${one}`);
    await session.reply(250);
    await session.reply(250);
    await session.reply(250);
    await session.reply(354);
  });
});

describe('programs of others', () => {
  const found = (program: string): boolean => {
    try {
      execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  };

  test('nodemailer sends an HTML mail with a file, over both ports', async () => {
    for (const [port, secure] of [
      [s.port, false],
      [s.tlsPort, true],
    ] as const) {
      const transport = createTransport({
        host: 'localhost',
        port,
        secure,
        requireTLS: true,
        auth: { user: 'token', pass: secret },
        tls: { ca: s.certificate },
      });
      const { response } = await transport.sendMail({
        from: `Shop <${from}>`,
        to: 'Ann <ann@recipient.example>',
        cc: 'bob@recipient.example',
        bcc: 'eve@recipient.example',
        subject: 'Grüße',
        text: 'Hallo',
        html: '<p>Hallo</p>',
        headers: { 'X-Veredus-Metadata-order': '7' },
        attachments: [{ filename: 'Übersicht.txt', content: 'eins\nzwei\n' }],
      });
      transport.close();
      const message = await read(response.slice(response.lastIndexOf(' ') + 1));
      expect(message).toMatchObject({
        subject: 'Grüße',
        textBody: 'Hallo',
        htmlBody: '<p>Hallo</p>',
        // nodemailer writes field names in its own way.
        metadata: { Order: '7' },
        attachments: [{ name: 'Übersicht.txt', contentType: 'text/plain' }],
        recipients: [
          { address: 'ann@recipient.example', kind: 'TO' },
          { address: 'bob@recipient.example', kind: 'CC' },
          { address: 'eve@recipient.example', kind: 'BCC' },
        ],
      });
      expect(message.source).not.toContain('eve@');
    }
  });

  test.skipIf(!found('swaks'))('swaks', async () => {
    const said = await run('swaks', [
      ...['--server', '127.0.0.1', '--port', String(s.port), '--tls', '--auth', 'LOGIN'],
      ...['--auth-user', 'token', '--auth-password', secret, '--from', from, '--to', 'ann@recipient.example'],
      ...['--header', 'Subject: from swaks', '--attach-type', 'text/csv', '--attach-body', 'a;b'],
    ]);
    expect(said).toMatch(/250 2\.0\.0 Accepted as msg_/);
  });

  test.skipIf(!found('msmtp'))('msmtp', async () => {
    const said = await run(
      'msmtp',
      [
        ...['--host=127.0.0.1', `--port=${s.port}`, '--tls=on', '--tls-certcheck=off', '--auth=plain', '--user=token'],
        ...[`--passwordeval=printf %s ${secret}`, `--from=${from}`, '--debug', 'ann@recipient.example'],
      ],
      `From: ${from}\nTo: ann@recipient.example\nSubject: from msmtp\n\nHi\n`,
    );
    expect(said).toMatch(/250 2\.0\.0 Accepted as msg_/);
  });
});

async function run(program: string, args: readonly string[], input = ''): Promise<string> {
  const { spawn } = await import('node:child_process');
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  child.stdin.end(input);
  await new Promise((resolve) => child.once('close', resolve));
  return said;
}
