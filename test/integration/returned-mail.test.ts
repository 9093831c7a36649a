// What comes back: notifications, complaints, and what forged ones change.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addressHash } from '#/domain/suppression.ts';
import { encodeId } from '#/domain/ids.ts';
import { domainAddress } from '#/mail/incoming-address.ts';
import { keepHouse } from '#/maintenance/housekeeping.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { arf, autoReply, deliveredMail, dsn, pathOf, postbox } from '../support/returned-mail.ts';
import { type TestAccount, type World, world } from '../support/world.ts';

const BOUNCES = `query ($messageId: ID) { server { bounces(first: 20, filter: { messageId: $messageId }) { edges { node {
  type address smtpCode enhancedCode details inactive canReactivate source messageId } } } } }`;
const EVENTS = `query ($messageId: ID) { server { events(first: 20, filter: { messageId: $messageId }) { edges { node {
  type recipient ... on BouncedEvent { bounce { type } } ... on SpamComplaintEvent { bounce { type } }
  ... on SubscriptionChangedEvent { suppressed reason origin } } } } } }`;

let clock: FakeClock;
let w: World;
let a: TestAccount;
let box: ReturnType<typeof postbox>;
let feedback: string;

beforeAll(async () => {
  clock = new FakeClock(new Date('2026-03-02T12:00:00Z'));
  w = await world({ clock });
  a = await w.account();
  box = postbox(w);
  feedback = domainAddress('feedback', `vr-bounces.${a.domain}`, w.deps.returnPathSecret);
});
afterAll(() => w[Symbol.asyncDispose]());

async function bouncesOf(messageId: string, account = a) {
  const { data, errors } = await w.execute(BOUNCES, { messageId }, account.token());
  expect(errors).toEqual([]);
  return data.server.bounces.edges.map(({ node }: { node: object }) => node);
}

async function eventsOf(messageId: string, account = a) {
  const { data } = await w.execute(EVENTS, { messageId }, account.token());
  const all = data.server.events.edges.map(({ node }: { node: { type: string } }) => node);
  return all.filter(({ type }: { type: string }) => type !== 'ACCEPTED');
}

async function statusesOf(uuid: string) {
  const rows = await w.db
    .selectFrom('recipients')
    .select('status')
    .where('messageId', '=', uuid)
    .orderBy('ordinal')
    .execute();
  return rows.map(({ status }) => status);
}

async function rowCounts() {
  const tables = ['bounces', 'returnedMails', 'suppressions', 'events', 'inboundMessages', 'dmarcReports'] as const;
  return Promise.all(
    tables.map(async (table) => {
      const { rows } = await w.db
        .selectFrom(table)
        .select(({ fn }) => fn.countAll<number>().as('rows'))
        .executeTakeFirstOrThrow();
      return [table, rows] as const;
    }),
  );
}

describe('forged', () => {
  test('reverse-paths and feedback addresses are refused, ten thousand of them without a look at the database', async () => {
    const { paths } = await deliveredMail(w, a, ['ann@r.example']);
    const path = paths[0] ?? '';
    const before = await rowCounts();
    const { queries } = w;
    for (let index = 0; index < 5_000; index++) {
      const other = encodeId('message', w.deps.ids.nextInBucket(index));
      const mac = index
        .toString(36)
        .padStart(16, '0')
        .replace(/[ilou]/g, 'x');
      expect(await box.post(path.replace(/^msg_\w+/, other), dsn({ to: path, address: 'ann@r.example' }))).toBe(false);
      expect(await box.post(`fbl-${mac}@vr-bounces.${a.domain}`, '')).toBe(false);
    }
    // Neither has a form that is looked up: what is left is asked for as an inbound domain, and remembered.
    expect(w.queries - queries).toBeLessThan(10);
    expect(await rowCounts()).toEqual(before);
  });

  test('complaints at a right address change nothing', async () => {
    const { id, paths } = await deliveredMail(w, a, ['ann@r.example', 'bea@r.example']);
    const other = await w.account();
    const theirs = await deliveredMail(w, other, ['cy@r.example']);
    const before = await rowCounts();
    const [path = ''] = paths;
    for (let index = 0; index < 200; index++) {
      const forged = path.replace(/^msg_\w+/, encodeId('message', w.deps.ids.nextInBucket(index)));
      await box.post(feedback, arf([`Return-Path: <${forged}>`, 'To: ann@r.example']));
    }
    const unknown = encodeId('message', w.deps.ids.next());
    for (const source of [
      arf([`Message-ID: <${unknown}@${a.domain}>`, 'To: ann@r.example']),
      // Of a message to two, naming neither.
      arf([`Message-ID: <${id}@${a.domain}>`, 'To: eve@r.example']),
      // Another domain's Message-ID, and mail of another account.
      arf([`Message-ID: <${id}@elsewhere.example>`, 'To: ann@r.example']),
      arf([`Return-Path: <${theirs.paths[0]}>`, 'To: cy@r.example']),
      arf([`Message-ID: <${theirs.id}@${other.domain}>`, 'To: cy@r.example']),
      arf([`Return-Path: <${path}>`], [], 'not-spam'),
      dsn({ to: path, address: 'ann@r.example' }),
      'nothing',
      '',
    ]) {
      await box.post(feedback, source, 'fbl@provider.example');
    }
    expect(await rowCounts()).toEqual(before);
  });

  test('a notification about somebody else is about whom the path names', async () => {
    const { id, paths } = await deliveredMail(w, a, ['dan@r.example', 'eve@r.example']);
    await box.post(paths[0] ?? '', dsn({ to: paths[0] ?? '', address: 'eve@r.example' }));
    expect((await bouncesOf(id)).map(({ address }: { address: string }) => address)).toEqual(['dan@r.example']);
  });

  test('the path of a domain that is another account’s now is nobody’s', async () => {
    const { uuid, paths } = await deliveredMail(w, a, ['fay@r.example']);
    const stream = await w.db
      .selectFrom('messages')
      .select('streamId')
      .where('id', '=', uuid)
      .executeTakeFirstOrThrow();
    const other = await w.account();
    const about = { messageId: uuid, streamId: stream.streamId, ordinal: 0, address: 'fay@r.example' };
    const before = await rowCounts();
    await box.post(
      pathOf(w, about, `vr-bounces.${other.domain}`),
      dsn({ to: paths[0] ?? '', address: 'fay@r.example' }),
    );
    expect(await rowCounts()).toEqual(before);
  });
});

describe('a notification', () => {
  test('of failure suppresses, is told, and is kept with its source for 30 days', async () => {
    const { id, uuid, paths } = await deliveredMail(w, a, ['Gus@r.example', 'hal@r.example']);
    const source = dsn({ to: paths[0] ?? '', address: 'gus@r.example' });
    await box.post(paths[0] ?? '', source);
    const bounce = {
      type: 'HARD_BOUNCE',
      address: 'Gus@r.example',
      smtpCode: 550,
      enhancedCode: '5.1.1',
      details: expect.stringContaining('User unknown'),
      inactive: true,
      canReactivate: true,
      messageId: id,
    };
    expect(await bouncesOf(id)).toEqual([{ ...bounce, source }]);
    expect(await statusesOf(uuid)).toEqual(['BOUNCED', 'DELIVERED']);
    expect(await eventsOf(id)).toEqual([
      { type: 'BOUNCED', recipient: 'Gus@r.example', bounce: { type: 'HARD_BOUNCE' } },
      {
        type: 'SUBSCRIPTION_CHANGED',
        recipient: 'Gus@r.example',
        suppressed: true,
        reason: 'HARD_BOUNCE',
        origin: 'RECIPIENT',
      },
    ]);
    // A token without CONTENT_READ sees all but what the mail held.
    const blind = await w.execute(BOUNCES, { messageId: id }, a.token(['EVENTS_READ']));
    expect(blind.errors[0]?.code).toBe('FORBIDDEN');
    await clock.advance(31 * 86_400_000);
    await keepHouse(w.deps);
    expect(await bouncesOf(id)).toEqual([{ ...bounce, source: null }]);
  });

  test('is recorded once, however often it comes, also at once', async () => {
    const { id, paths } = await deliveredMail(w, a, ['ida@r.example']);
    const [path = ''] = paths;
    const same = dsn({ to: path, address: 'ida@r.example' });
    await Promise.all(Array.from({ length: 8 }, () => box.post(path, same)));
    for (let index = 0; index < 20; index++) await box.post(path, dsn({ to: path, address: 'ida@r.example' }));
    expect(await bouncesOf(id)).toHaveLength(1);
    expect(await eventsOf(id)).toHaveLength(2);
  });

  test('of delay, of a full mailbox, of us: recorded, and the address stays', async () => {
    const cases = [
      [{ action: 'delayed', status: '4.4.1', diagnostic: 'smtp; 451 4.4.1 try later' }, 'TRANSIENT', 'DELIVERED'],
      [{ status: '5.2.2', diagnostic: 'smtp; 552 5.2.2 Mailbox full' }, 'SOFT_BOUNCE', 'BOUNCED'],
      [{ status: '5.7.1', diagnostic: 'smtp; 550 5.7.1 Your IP is on a blocklist' }, 'BLOCKED', 'BOUNCED'],
    ] as const;
    for (const [index, [how, type, status]] of cases.entries()) {
      const address = `k${index}@r.example`;
      const { id, uuid, paths } = await deliveredMail(w, a, [address]);
      await box.post(paths[0] ?? '', dsn({ to: paths[0] ?? '', address, ...how }));
      expect(await bouncesOf(id)).toMatchObject([{ type, inactive: false }]);
      expect(await statusesOf(uuid)).toEqual([status]);
      expect((await eventsOf(id)).map(({ type: told }: { type: string }) => told)).toEqual(['BOUNCED']);
    }
  });

  test('of success is nothing', async () => {
    const { id, paths } = await deliveredMail(w, a, ['leo@r.example']);
    await box.post(
      paths[0] ?? '',
      dsn({
        to: paths[0] ?? '',
        address: 'leo@r.example',
        action: 'delivered',
        status: '2.0.0',
        diagnostic: 'smtp; 250 ok',
      }),
    );
    expect(await bouncesOf(id)).toEqual([]);
  });

  test('of a machine that answers is an AUTO_RESPONDER and suppresses nobody', async () => {
    const { id, uuid, paths } = await deliveredMail(w, a, ['mia@r.example']);
    await box.post(paths[0] ?? '', autoReply(paths[0] ?? '', 'mia@r.example'), 'mia@r.example');
    expect(await bouncesOf(id)).toMatchObject([{ type: 'AUTO_RESPONDER', inactive: false, address: 'mia@r.example' }]);
    expect(await statusesOf(uuid)).toEqual(['DELIVERED']);
  });

  test('that nobody can read is UNKNOWN when it comes from nobody, and nothing when from a person', async () => {
    const { id, paths } = await deliveredMail(w, a, ['ned@r.example']);
    await box.post(paths[0] ?? '', 'From: ned@r.example\r\nSubject: Re: Hello\r\n\r\nThanks!\r\n', 'ned@r.example');
    expect(await bouncesOf(id)).toEqual([]);
    await box.post(paths[0] ?? '', '\0\r\n\uffff');
    expect(await bouncesOf(id)).toMatchObject([{ type: 'UNKNOWN' }]);
  });

  test('with NUL, halves of characters and megabytes is stored as far as it can be', async () => {
    const { id, paths } = await deliveredMail(w, a, ['oz@r.example']);
    const diagnostic = `smtp; 550 5.1.1 \0 user unknown ${'x'.repeat(50_000)}`;
    await box.post(
      paths[0] ?? '',
      `${dsn({ to: paths[0] ?? '', address: 'oz@r.example', diagnostic })}${'y'.repeat(2_000_000)}`,
    );
    const [bounce] = await bouncesOf(id);
    expect(bounce.type).toBe('HARD_BOUNCE');
    expect(bounce.details.length).toBeLessThanOrEqual(2_000);
    expect(bounce.source).toHaveLength(512 * 1024);
  });
});

describe('a complaint', () => {
  const proofs: readonly [string, (sent: { id: string; paths: readonly string[] }) => readonly string[]][] = [
    ['the reverse-path', ({ paths }) => [`Return-Path: <${paths[0]}>`]],
    ['the Message-ID', ({ id }) => [`Message-ID: <${id}@${a.domain}>`, 'To: undisclosed']],
    ['the envelope in a field of the provider', ({ paths }) => [`X-Original-Sender: ${paths[0]}`]],
  ];
  test.each(proofs)('that proves its message by %s suppresses for good', async (how, original) => {
    const address = `p${how.length}@r.example`;
    const sent = await deliveredMail(w, a, [address]);
    await box.post(feedback, arf(original(sent)), 'fbl@provider.example');
    expect(await bouncesOf(sent.id)).toMatchObject([
      { type: 'SPAM_COMPLAINT', address, inactive: true, canReactivate: false },
    ]);
    expect(await eventsOf(sent.id)).toMatchObject([
      { type: 'SPAM_COMPLAINT', recipient: address, bounce: { type: 'SPAM_COMPLAINT' } },
      { type: 'SUBSCRIPTION_CHANGED', suppressed: true, reason: 'SPAM_COMPLAINT', origin: 'RECIPIENT' },
    ]);
    expect(await statusesOf(sent.uuid)).toEqual(['DELIVERED']);
  });

  test('about a message with a Message-ID of the customer’s own needs its recipient besides', async () => {
    const own = { headers: [{ name: 'Message-ID', value: '<order-7@shop.example>' }] };
    const older = await deliveredMail(w, a, ['rae@r.example'], own);
    const newer = await deliveredMail(w, a, ['sam@r.example', 'tom@r.example'], own);
    const other = await w.account();
    const theirs = domainAddress('feedback', `vr-bounces.${other.domain}`, w.deps.returnPathSecret);
    const told = ['Message-ID: <order-7@shop.example>'];
    const before = await rowCounts();
    await box.post(feedback, arf(told), 'fbl@provider.example');
    await box.post(feedback, arf([...told, 'To: eve@r.example']), 'fbl@provider.example');
    await box.post(feedback, arf(['Message-ID: <order-8@shop.example>', 'To: rae@r.example']), 'fbl@provider.example');
    await box.post(theirs, arf([...told, 'To: rae@r.example']), 'fbl@provider.example');
    expect(await rowCounts()).toEqual(before);
    for (const [address, sent] of [
      ['rae@r.example', older],
      ['tom@r.example', newer],
    ] as const) {
      await box.post(feedback, arf(told, [`Original-Rcpt-To: ${address}`]), 'fbl@provider.example');
      expect(await bouncesOf(sent.id)).toMatchObject([{ type: 'SPAM_COMPLAINT', address, inactive: true }]);
    }
  });

  test('at the reverse-path itself counts too, and one that opts out is an UNSUBSCRIBE', async () => {
    const { id, paths } = await deliveredMail(w, a, ['quin@r.example']);
    await box.post(paths[0] ?? '', arf([], [], 'opt-out'), 'fbl@provider.example');
    expect(await bouncesOf(id)).toMatchObject([{ type: 'UNSUBSCRIBE', inactive: true, canReactivate: true }]);
  });
});

describe('after retention has removed the message', () => {
  test('what names the address that the path proves counts, and nothing else', async () => {
    const { id, uuid, paths } = await deliveredMail(w, a, ['rex@r.example']);
    await clock.advance(70 * 86_400_000);
    await keepHouse(w.deps);
    expect(await statusesOf(uuid)).toEqual([]);
    const [path = ''] = paths;
    const before = await rowCounts();
    await box.post(path, dsn({ to: path, address: 'victim@r.example' }));
    await box.post(path, 'nothing');
    expect(await rowCounts()).toEqual(before);
    await box.post(path, dsn({ to: path, address: 'rex@r.example' }));
    expect(await bouncesOf(id)).toMatchObject([{ type: 'HARD_BOUNCE', address: 'rex@r.example', inactive: true }]);
    const row = await w.db
      .selectFrom('suppressions')
      .select('reason')
      .where('addressHash', '=', addressHash('rex@r.example'))
      .executeTakeFirst();
    expect(row?.reason).toBe('HARD_BOUNCE');
    const { data } = await w.execute(
      '{ server { events(first: 20, filter: { recipient: "rex@r.example" }) { edges { node { type messageId message { id } } } } } }',
      {},
      a.token(),
    );
    expect(data.server.events.edges.map(({ node }: { node: object }) => node)).toEqual([
      { type: 'BOUNCED', messageId: id, message: null },
      { type: 'SUBSCRIPTION_CHANGED', messageId: id, message: null },
    ]);
  });
});

describe('reports', () => {
  const rua = () => domainAddress('report', `vr-bounces.${a.domain}`, w.deps.returnPathSecret);
  const seconds = (from: number) => Math.floor(clock.now().getTime() / 1_000) + from;
  const dmarc = (
    domain: string,
    id = 'r1',
  ) => `From: noreply@google.example\r\nContent-Type: text/xml\r\n\r\n<?xml version="1.0"?>
    <feedback><report_metadata><org_name>google</org_name><report_id>${id}</report_id>
    <date_range><begin>${seconds(-86_400)}</begin><end>${seconds(0)}</end></date_range></report_metadata>
    <policy_published><domain>${domain}</domain><p>reject</p></policy_published>
    ${['192.0.2.1', '192.0.2.1', '192.0.2.2']
      .map(
        (ip, index) => `<record><row><source_ip>${ip}</source_ip><count>${index + 1}</count>
      <policy_evaluated><dkim>${index < 2 ? 'pass' : 'fail'}</dkim><spf>fail</spf></policy_evaluated></row>
      <auth_results><dkim><domain>d.example</domain><result>pass</result></dkim></auth_results></record>`,
      )
      .join('')}</feedback>`;
  const stored = async () =>
    (await w.db
      .selectFrom('dmarcReports')
      .select(['organization', 'policy', 'messages', 'aligned'])
      .execute()) as object[];

  test('about another domain, without a report, or of a bomb are not stored', async () => {
    for (const source of [
      dmarc('other.example'),
      'nothing',
      dmarc('x.test').replace('<feedback>', '<!DOCTYPE a [<!ENTITY b "c">]><feedback>'),
    ])
      expect(await box.post(rua(), source, 'x@google.example')).toBe(true);
    expect(await stored()).toEqual([]);
  });

  test('are stored once with their sources', async () => {
    for (let index = 0; index < 3; index++) await box.post(rua(), dmarc(a.domain), 'x@google.example');
    expect(await stored()).toEqual([{ organization: 'google', policy: 'reject', messages: 6, aligned: 3 }]);
    const sources = await w.db
      .selectFrom('dmarcReportSources')
      .select(['sourceIp', 'messages', 'dkimAligned', 'dkimDomains'])
      .orderBy('sourceIp')
      .execute();
    expect(sources).toEqual([
      { sourceIp: '192.0.2.1', messages: 3, dkimAligned: 3, dkimDomains: ['d.example'] },
      { sourceIp: '192.0.2.2', messages: 3, dkimAligned: 0, dkimDomains: ['d.example'] },
    ]);
  });

  test('are shown as who sends with the domain', async () => {
    const { data, errors } = await w.execute(
      `{ account { domains(first: 9) { edges { node { reportAddress feedbackAddress dmarc { policy reports messages alignedMessages
        sources(first: 9) { name ipAddresses messages dkimAligned spfAligned ours } } } } } } }`,
      {},
      a.manager,
    );
    expect(errors).toEqual([]);
    expect(data.account.domains.edges.map(({ node }: { node: object }) => node)).toEqual([
      {
        reportAddress: rua(),
        feedbackAddress: feedback,
        dmarc: {
          policy: 'reject',
          reports: 1,
          messages: 6,
          alignedMessages: 3,
          sources: [
            {
              name: 'd.example',
              ipAddresses: ['192.0.2.1', '192.0.2.2'],
              messages: 6,
              dkimAligned: 3,
              spfAligned: 0,
              ours: false,
            },
          ],
        },
      },
    ]);
  });

  test('of TLS are stored once', async () => {
    const tls = {
      'organization-name': 'Receiver',
      'report-id': 't1',
      'date-range': { 'start-datetime': '2026-03-01T00:00:00Z', 'end-datetime': '2026-03-01T23:59:59Z' },
      policies: [
        {
          policy: { 'policy-type': 'sts', 'policy-domain': a.domain },
          summary: { 'total-successful-session-count': 5, 'total-failure-session-count': 1 },
          'failure-details': [
            { 'result-type': 'certificate-expired', 'failed-session-count': 1, 'additional-information': 'a\u0000b' },
          ],
        },
      ],
    };
    const source = `From: x@r.example\r\nContent-Type: application/tlsrpt+json\r\n\r\n${JSON.stringify(tls)}`;
    for (let index = 0; index < 2; index++) await box.post(rua(), source, 'x@r.example');
    const rows = await w.db.selectFrom('tlsReports').select(['organization', 'successful', 'failed']).execute();
    expect(rows).toEqual([{ organization: 'Receiver', successful: 5, failed: 1 }]);
  });
});
