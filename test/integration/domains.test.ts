// Domains from their adding to their end, with a DNS server that gives every kind of answer.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { decodeIdOf, encodeId } from '#/domain/ids.ts';
import { checkDueDomains } from '#/maintenance/domain-checks.ts';
import { resealSecrets } from '#/maintenance/reseal-secrets.ts';
import { createSenderKeys } from '#/resolvers/domains/signing-keys.ts';
import { createDns } from '#/runtime/dns.ts';
import { systemRandom } from '#/runtime/random.ts';
import { createSecretBox } from '#/runtime/secret-box.ts';
import { startDnsServer } from '../support/dns-server.ts';
import { domainsOf, ofPurpose, publish, type TestDomain, withdraw } from '../support/domains.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { testSecretKey } from '../support/secret-key.ts';
import { silentLog } from '../support/silent-log.ts';
import { type TestAccount, type World, world } from '../support/world.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

let w: World;
let a: TestAccount;
let b: TestAccount;
let clock: FakeClock;
let mine: ReturnType<typeof domainsOf>;
let theirs: ReturnType<typeof domainsOf>;
let serial = 0;
const server = await startDnsServer();

beforeAll(async () => {
  clock = new FakeClock();
  w = await world({ clock, dns: createDns({ servers: [server.address], timeoutMs: 100, clock }) });
  a = await w.account();
  b = await w.account();
  mine = domainsOf(w, a);
  theirs = domainsOf(w, b);
});
afterAll(async () => {
  await w[Symbol.asyncDispose]();
  await server.close();
});

let name: string;
beforeEach(() => {
  name = `d${++serial}.example`;
});

/** Runs what is due now, until nothing is. */
async function check(): Promise<void> {
  while ((await checkDueDomains({ system: w.system, deps: w.deps })) > 0);
}

async function verified(): Promise<TestDomain> {
  const added = await mine.add(name);
  publish(server, added.records);
  const domain = await mine.verify(added.id);
  expect(domain.verified).toBe(true);
  return domain;
}

async function selectors(account = a): Promise<readonly string[]> {
  const keys = createSenderKeys({ ...w.deps, db: w.db });
  return ((await keys.keysFor(account.accountId, name)) ?? []).map(({ selector }) => selector).sort();
}

const selectorsIn = (domain: TestDomain, purpose: string) =>
  ofPurpose(domain, purpose)
    .map(({ host }) => host.slice(0, host.indexOf('.')))
    .sort();
const uuid = (domain: TestDomain) => decodeIdOf('domain', domain.id) ?? '';

describe('refused', () => {
  test('for a server token, and for nobody', async () => {
    const document = 'mutation ($input: AddDomainInput!) { addDomain(input: $input) { __typename } }';
    const input = { accountId: encodeId('account', a.accountId), name };
    expect((await w.execute(document, { input }, a.token())).errors[0]?.code).toBe('FORBIDDEN');
    expect((await w.execute(document, { input }, null)).errors[0]?.code).toBe('UNAUTHENTICATED');
    const list = '{ account { domains(first: 1) { edges { cursor } } } }';
    expect((await w.execute(list, {}, a.token())).errors[0]?.code).toBe('FORBIDDEN');
  });

  test.each([
    'gmail.com',
    'yahoo.fr',
    'co.uk',
    'github.io',
    'acme',
    '',
    'post@acme.example',
    '192.0.2.1',
    'a b.example',
  ])('the name %j', async (wrong) => {
    expect(await mine.add(wrong)).toMatchObject({ __typename: 'InvalidInput', issues: [{ path: ['name'] }] });
  });

  test('a return path that is not a subdomain', async () => {
    const issues = [{ path: ['returnPath'] }];
    expect(await mine.add(name, { returnPath: 'bounces.other.example' })).toMatchObject({ issues });
    expect(await mine.add(name, { returnPath: name })).toMatchObject({ issues });
  });

  test('a domain that the account has, in whatever spelling', async () => {
    await mine.add(`bücher-${name}`);
    expect(await mine.add(`BÜCHER-${name}.`)).toMatchObject({ code: 'CONFLICT' });
  });

  test('to another account, like what is not there', async () => {
    const { id } = await mine.add(name);
    const notFound = { code: 'NOT_FOUND' };
    expect(await theirs.verify(id)).toMatchObject(notFound);
    expect(await theirs.rotate(id)).toMatchObject(notFound);
    expect(await theirs.remove(id)).toMatchObject(notFound);
    expect(await theirs.read(id)).toBeNull();
    const document = 'mutation ($input: AddDomainInput!) { addDomain(input: $input) { ... on Error { code } } }';
    const input = { accountId: encodeId('account', a.accountId), name: `x.${name}` };
    expect((await w.execute(document, { input }, b.manager)).data.addDomain).toEqual(notFound);
  });

  test('a rotation before a key is in use, and a second one during the first', async () => {
    const added = await mine.add(name);
    expect(await mine.rotate(added.id)).toMatchObject({
      code: 'CONFLICT',
      message: expect.stringMatching(/in use yet/),
    });
    publish(server, added.records);
    await mine.verify(added.id);
    expect((await mine.rotate(added.id)).__typename).toBe('Domain');
    expect(await mine.rotate(added.id)).toMatchObject({
      code: 'CONFLICT',
      message: expect.stringMatching(/under way/),
    });
  });
});

describe('a new domain', () => {
  test('has all its records to publish, two keys that are not used, and sends nothing', async () => {
    const domain = await mine.add(name, { returnPath: `bounces.${name}` });
    expect(domain.verified).toBe(false);
    expect(domain.records.map(({ purpose, type }) => `${purpose} ${type}`)).toEqual([
      'DKIM TXT',
      'DKIM TXT',
      'RETURN_PATH CNAME',
      'DMARC TXT',
      'SPF TXT',
    ]);
    const [rsa, ed25519, returnPath] = domain.records;
    expect(rsa).toMatchObject({ state: 'UNKNOWN', found: [], checkedAt: null, removableAt: null });
    expect(rsa?.host).toMatch(new RegExp(`^vr202601[a-z]{4}\\._domainkey\\.${name}$`));
    expect(rsa?.value).toMatch(/^v=DKIM1; k=rsa; p=[A-Za-z0-9+/]{300,}=*$/);
    expect(ed25519?.value).toMatch(/^v=DKIM1; k=ed25519; p=[A-Za-z0-9+/]{43}=$/);
    expect(rsa?.host).not.toBe(ed25519?.host);
    expect(returnPath).toMatchObject({ host: `bounces.${name}`, value: 'mail.veredus.example' });
    expect(await selectors()).toEqual([]);
    expect(await mine.send(`x@${name}`)).toBe('SenderNotVerified');
  });

  test('keeps its private keys sealed', async () => {
    const domain = await mine.add(name);
    const rows = await w.db.selectFrom('dkimKeys').selectAll().where('domainId', '=', uuid(domain)).execute();
    expect(rows).toHaveLength(2);
    for (const { privateKeyEncrypted } of rows)
      expect(w.deps.secrets.isCurrent(privateKeyEncrypted ?? Buffer.of())).toBe(true);
  });

  test('stands in the list of its account alone', async () => {
    const { id } = await mine.add(name);
    const list = '{ account { domains(first: 100) { edges { node { id } } } } }';
    const ids = async (account: TestAccount) =>
      (await w.execute(list, {}, account.manager)).data.account.domains.edges.map(
        (edge: { node: { id: string } }) => edge.node.id,
      );
    expect(await ids(a)).toContain(id);
    expect(await ids(b)).not.toContain(id);
  });
});

describe('what DNS says', () => {
  const dkim = async (change: (domain: TestDomain) => void) => {
    const domain = await mine.add(name);
    publish(server, ofPurpose(domain, 'RETURN_PATH'));
    change(domain);
    const after = await mine.verify(domain.id);
    return { after, record: after.records[0] };
  };

  test('nothing', async () => {
    const { after, record } = await dkim(() => {});
    expect(after.verified).toBe(false);
    expect(record).toMatchObject({
      state: 'MISSING',
      found: [],
      problem: expect.stringMatching(/There is no TXT record/),
    });
    expect(record?.checkedAt).toBe(clock.now().toISOString());
  });

  test('a name without a TXT record', async () => {
    const { record } = await dkim(({ records }) => server.set({ [records[0]?.host ?? '']: { A: ['192.0.2.1'] } }));
    expect(record?.state).toBe('MISSING');
  });

  test.each(['SERVFAIL', 'REFUSED', 'hang'] as const)('%s: unknown', async (answer) => {
    const { after, record } = await dkim(({ records }) => server.set({ [records[0]?.host ?? '']: answer }));
    expect(after.verified).toBe(false);
    expect(record).toMatchObject({ state: 'UNKNOWN', problem: expect.stringMatching(/gave no answer/) });
  });

  test.each([
    ['another key', () => ['v=DKIM1; k=rsa; p=AAAA'], /holds another key/],
    ['a key that was cut off', (value: string) => [value.slice(0, 200)], /cut off/],
    ['a key that is revoked', () => ['v=DKIM1; p='], /revoked/],
    ['quotation marks', (value: string) => [`"${value}"`], /quotation marks/],
    ['two records', (value: string) => [value, 'v=DKIM1; p=AAAA'], /several TXT records/],
    ['something else', () => ['google-site-verification=x'], /./],
  ])('%s: wrong, and why', async (_what, texts, problem) => {
    const { after, record } = await dkim(({ records }) => {
      const [rsa] = records;
      server.set({ [rsa?.host ?? '']: { TXT: texts(rsa?.value ?? '') } });
    });
    expect(after.verified).toBe(false);
    expect(record).toMatchObject({ state: 'WRONG', problem: expect.stringMatching(problem) });
    expect(record?.found.length).toBeGreaterThan(0);
  });

  test('a record whose name holds the domain twice', async () => {
    const { record } = await dkim(({ records }) => {
      const [rsa] = records;
      server.set({ [`${rsa?.host}.${name}`]: { TXT: [rsa?.value ?? ''] } });
    });
    expect(record).toMatchObject({ state: 'MISSING', problem: expect.stringMatching(/stands there twice/) });
  });

  test('a CNAME to the record, spaces in it, and a lack of v=', async () => {
    const { after } = await dkim(({ records }) => {
      const [rsa] = records;
      const text = (rsa?.value ?? '')
        .replace('v=DKIM1; ', '')
        .replace('p=', 'p= ')
        .replace(/(.{100})/, '$1 ');
      server.set({ [rsa?.host ?? '']: { CNAME: `key.${name}` }, [`key.${name}`]: { TXT: [text] } });
    });
    expect(after.records[0]).toMatchObject({ state: 'OK', problem: null });
    expect(after.verified).toBe(true);
  });

  test('one key of two: verified, and that one signs alone', async () => {
    const { after } = await dkim(({ records }) => publish(server, records.slice(0, 1)));
    expect(after.verified).toBe(true);
    expect(await selectors()).toEqual([after.records[0]?.host.split('.')[0]]);
    expect(await mine.send(`x@${name}`)).toBe('Message');
    publish(server, after.records);
    const both = await mine.verify(after.id);
    expect(await selectors()).toEqual(selectorsIn(both, 'DKIM'));
  });

  test('the return path, DMARC and SPF', async () => {
    const sub = `news.${name}`;
    const { id, records } = await mine.add(sub);
    const state = async (purpose: string) => ofPurpose(await mine.verify(id), purpose)[0];
    expect(await state('RETURN_PATH')).toMatchObject({ state: 'MISSING' });
    expect(await state('SPF')).toMatchObject({ state: 'MISSING' });
    server.set({ [`vr-bounces.${sub}`]: { CNAME: 'elsewhere.example' }, [sub]: { TXT: ['v=spf1 mx -all'] } });
    expect(await state('RETURN_PATH')).toMatchObject({ state: 'WRONG', found: ['elsewhere.example'] });
    expect(await state('SPF')).toMatchObject({ state: 'WRONG', problem: expect.stringMatching(/add include:mail/) });
    publish(
      server,
      records.filter(({ purpose }) => purpose === 'RETURN_PATH'),
    );
    expect(await state('RETURN_PATH')).toMatchObject({ state: 'OK', problem: null });
    expect(await state('SPF')).toMatchObject({ state: 'OK' });
    expect(await state('DMARC')).toMatchObject({
      state: 'MISSING',
      problem: expect.stringMatching(/not needed to send/),
    });
    server.set({ [`_dmarc.${name}`]: { TXT: ['v=DMARC1; p=reject; rua=mailto:x@y.example'] } });
    expect(await state('DMARC')).toMatchObject({ state: 'OK' });
    server.set({ [`_dmarc.${sub}`]: { TXT: ['v=DMARC1; rua=mailto:x@y.example'] } });
    expect(await state('DMARC')).toMatchObject({ state: 'WRONG', problem: expect.stringMatching(/no policy/) });
  });

  test('is looked at by itself, soon after the domain is added', async () => {
    const added = await mine.add(name);
    await check();
    expect((await mine.read(added.id)).verified).toBe(false);
    publish(server, added.records);
    await clock.advance(61_000);
    await check();
    expect((await mine.read(added.id)).verified).toBe(true);
    expect(await mine.send(`x@${name}`)).toBe('Message');
    expect(await mine.send(`x@sub.${name}`)).toBe('SenderNotVerified');
    expect(await theirs.send(`x@${name}`)).toBe('SenderNotVerified');
  });

  test('is asked by one node at a time', async () => {
    await check();
    await mine.add(name);
    const both = { system: w.system, deps: w.deps };
    const counts = await Promise.all([checkDueDomains(both), checkDueDomains(both), checkDueDomains(both)]);
    expect(counts.reduce((sum, count) => sum + count)).toBe(1);
  });
});

describe('a return path', () => {
  test('is used while its CNAME stands, and through a silence of its name servers', async () => {
    const domain = await verified();
    const host = `vr-bounces.${name}`;
    const returnPath = () => createSenderKeys({ ...w.deps, db: w.db }).returnPathFor(a.accountId, name);
    expect(await returnPath()).toBe(host);
    server.set({ [host]: 'SERVFAIL' });
    await mine.verify(domain.id);
    expect(await returnPath()).toBe(host);
    server.set({ [host]: 'NXDOMAIN' });
    await mine.verify(domain.id);
    expect(await returnPath()).toBeNull();
  });
});

describe('two accounts', () => {
  test('may add one domain, and the first to show its key holds it', async () => {
    const one = await mine.add(name);
    const two = await theirs.add(name);
    publish(server, [...one.records, ...two.records.filter(({ purpose }) => purpose === 'DKIM')]);
    expect((await mine.verify(one.id)).verified).toBe(true);
    const lost = await theirs.verify(two.id);
    expect(lost.verified).toBe(false);
    expect(lost.records[0]).toMatchObject({ state: 'OK', problem: expect.stringMatching(/another account/) });
    expect(JSON.stringify(lost)).not.toContain(encodeId('account', a.accountId));
    expect(await selectors(b)).toEqual([]);
    expect(await theirs.send(`x@${name}`)).toBe('SenderNotVerified');

    await mine.remove(one.id);
    expect((await theirs.verify(two.id)).verified).toBe(true);
    expect(await theirs.send(`x@${name}`)).toBe('Message');
    expect(await mine.send(`x@${name}`)).toBe('SenderNotVerified');
  });

  test('that verify at the same moment: one of them', async () => {
    const one = await mine.add(name);
    const two = await theirs.add(name);
    publish(server, [...one.records, ...two.records]);
    const results = await Promise.all([mine.verify(one.id), theirs.verify(two.id)]);
    expect(results.filter(({ verified }) => verified)).toHaveLength(1);
  });

  test('of which one has the subdomain of the other: both', async () => {
    await verified();
    const sub = await theirs.add(`sub.${name}`);
    publish(server, sub.records);
    expect((await theirs.verify(sub.id)).verified).toBe(true);
  });
});

describe('a rotation', () => {
  test('uses a new key only when it is seen, and keeps the old record until nothing is in flight', async () => {
    const before = await verified();
    const old = selectorsIn(before, 'DKIM');
    const rotating = await mine.rotate(before.id);
    expect(selectorsIn(rotating, 'DKIM')).toEqual(old);
    const next = selectorsIn(rotating, 'DKIM_NEXT');
    expect(next).toHaveLength(2);
    expect(await selectors()).toEqual(old);
    await mine.verify(before.id);
    expect(await selectors()).toEqual(old);

    const nextRecords = ofPurpose(rotating, 'DKIM_NEXT');
    server.set(Object.fromEntries(nextRecords.map(({ host }) => [host, 'SERVFAIL'])));
    await mine.verify(before.id);
    expect(await selectors()).toEqual(old);

    publish(server, nextRecords);
    const rotated = await mine.verify(before.id);
    expect(await selectors()).toEqual(next);
    expect(selectorsIn(rotated, 'DKIM')).toEqual(next);
    const [retired] = ofPurpose(rotated, 'DKIM_RETIRED');
    expect(retired?.problem).toMatch(/Leave the record until/);
    expect(new Date(retired?.removableAt ?? 0).getTime()).toBe(clock.now().getTime() + 7 * DAY);
    const rows = await w.db.selectFrom('dkimKeys').selectAll().where('domainId', '=', uuid(before)).execute();
    for (const { state, privateKeyEncrypted } of rows) expect(privateKeyEncrypted === null).toBe(state === 'RETIRED');

    await clock.advance(8 * DAY);
    const later = await mine.verify(before.id);
    expect(ofPurpose(later, 'DKIM_RETIRED')[0]?.problem).toMatch(/may be removed/);
    withdraw(server, ofPurpose(later, 'DKIM_RETIRED'));
    const last = await mine.verify(before.id);
    expect(ofPurpose(last, 'DKIM_RETIRED')).toEqual([]);
    expect(last.verified).toBe(true);
  });

  test('whose new record is one of two: each algorithm goes its own way', async () => {
    const before = await verified();
    const rotating = await mine.rotate(before.id);
    publish(server, ofPurpose(rotating, 'DKIM_NEXT').slice(0, 1));
    const half = await mine.verify(before.id);
    expect([ofPurpose(half, 'DKIM').length, ofPurpose(half, 'DKIM_NEXT').length]).toEqual([2, 1]);
    expect(await selectors()).toEqual(selectorsIn(half, 'DKIM'));
  });
});

describe('a domain that loses its records', () => {
  test('warns once a day, sends for seven days, and then no more', async () => {
    // Those of other tests are not looked at.
    await w.db.updateTable('domains').set({ nextCheckAt: null }).execute();
    const domain = await verified();
    const mails = () => w.mails.filter(({ subject }) => subject.includes(name));
    withdraw(server, ofPurpose(domain, 'DKIM'));
    await clock.advance(25 * HOUR);
    await check();
    const lost = await mine.read(domain.id);
    expect(lost).toMatchObject({ verified: true, lostSince: clock.now().toISOString() });
    expect(mails()).toMatchObject([{ to: `owner@${a.domain}`, subject: `The DKIM records of ${name} are gone` }]);
    expect(await mine.send(`x@${name}`)).toBe('Message');
    expect(await selectors()).toHaveLength(2);

    for (let hour = 0; hour < 160; hour += 8) {
      await clock.advance(8 * HOUR);
      await check();
    }
    expect((await mine.read(domain.id)).verified).toBe(true);
    expect(mails()).toHaveLength(7);
    await clock.advance(9 * HOUR);
    await check();
    expect(await mine.read(domain.id)).toMatchObject({ verified: false, lostSince: null });
    expect(mails().at(-1)?.subject).toBe(`${name} can no longer be sent from`);
    expect(await selectors()).toEqual([]);

    // The name is free for whoever shows a key; the old keys must be seen anew.
    const other = await theirs.add(name);
    publish(server, other.records);
    expect((await theirs.verify(other.id)).verified).toBe(true);
    publish(server, ofPurpose(domain, 'DKIM'));
    expect((await mine.verify(domain.id)).verified).toBe(false);
    await theirs.remove(other.id);
    expect((await mine.verify(domain.id)).verified).toBe(true);
    expect(await selectors()).toEqual(selectorsIn(domain, 'DKIM'));
  });

  test('and has them back in time: as if nothing had been', async () => {
    const domain = await verified();
    withdraw(server, ofPurpose(domain, 'DKIM'));
    expect((await mine.verify(domain.id)).lostSince).not.toBeNull();
    await clock.advance(6 * DAY);
    publish(server, ofPurpose(domain, 'DKIM').slice(0, 1));
    expect(await mine.verify(domain.id)).toMatchObject({ verified: true, lostSince: null });
  });

  test.each(['SERVFAIL', 'REFUSED', 'hang'] as const)(
    'to %s, for however long: nothing is concluded',
    async (answer) => {
      const domain = await verified();
      const hosts = ofPurpose(domain, 'DKIM').map(({ host }) => host);
      server.set(Object.fromEntries(hosts.map((host) => [host, answer])));
      for (const pause of [DAY, 8 * DAY]) {
        await clock.advance(pause);
        expect(await mine.verify(domain.id)).toMatchObject({ verified: true, lostSince: null });
      }
      expect(w.mails.filter(({ subject }) => subject.includes(name))).toEqual([]);
    },
  );

  test('when the grace time ends during a silence: not before an answer', async () => {
    const domain = await verified();
    withdraw(server, ofPurpose(domain, 'DKIM'));
    await mine.verify(domain.id);
    server.set({ [ofPurpose(domain, 'DKIM')[0]?.host ?? '']: 'SERVFAIL' });
    await clock.advance(9 * DAY);
    expect((await mine.verify(domain.id)).verified).toBe(true);
    withdraw(server, ofPurpose(domain, 'DKIM'));
    expect((await mine.verify(domain.id)).verified).toBe(false);
  });

  test('on the operator’s word: stays', async () => {
    name = a.domain;
    expect(await selectors()).toHaveLength(2);
    const list = '{ account { domains(first: 100) { edges { node { id name } } } } }';
    const { data } = await w.execute(list, {}, a.manager);
    const { id } = data.account.domains.edges.find((edge: { node: { name: string } }) => edge.node.name === name).node;
    await mine.verify(id);
    await clock.advance(9 * DAY);
    expect(await mine.verify(id)).toMatchObject({ verified: true, lostSince: null });
  });
});

describe('a removed domain', () => {
  test('is gone with its keys', async () => {
    const domain = await verified();
    expect(await mine.remove(domain.id)).toEqual({ __typename: 'Deleted', id: domain.id });
    expect(await mine.read(domain.id)).toBeNull();
    expect(await mine.remove(domain.id)).toMatchObject({ code: 'NOT_FOUND' });
    expect(await selectors()).toEqual([]);
    expect(await mine.send(`x@${name}`)).toBe('SenderNotVerified');
    const again = await mine.add(name);
    expect(selectorsIn(again, 'DKIM')).not.toEqual(selectorsIn(domain, 'DKIM'));
  });
});

describe('a server', () => {
  const UPDATE = `mutation ($input: UpdateServerInput!) { updateServer(input: $input) { __typename ... on Error { code }
    ... on InvalidInput { issues { path } } ... on Server { domains { name } } } }`;
  const limit = async (serverId: string, domainIds: readonly string[] | null) =>
    (await w.execute(UPDATE, { input: { id: encodeId('server', serverId), domainIds } }, a.manager)).data.updateServer;

  test('can be limited to some domains, but not to none or to those of others', async () => {
    const domain = await verified();
    const serverId = await a.server(`Limited ${name}`);
    expect(await limit(serverId, [])).toMatchObject({ issues: [{ path: ['domainIds'] }] });
    const { id } = await theirs.add(name);
    expect(await limit(serverId, [domain.id, id])).toMatchObject({ code: 'NOT_FOUND' });
    expect(await mine.send(`x@${a.domain}`, serverId)).toBe('Message');
    expect(await limit(serverId, [domain.id])).toEqual({ __typename: 'Server', domains: [{ name }] });
    expect(await mine.send(`x@${name}`, serverId)).toBe('Message');
    expect(await mine.send(`x@${a.domain}`, serverId)).toBe('SenderNotVerified');
    expect(await mine.send(`x@${a.domain}`)).toBe('Message');

    await mine.remove(domain.id);
    expect(await mine.send(`x@${a.domain}`, serverId)).toBe('SenderNotVerified');
    expect(await limit(serverId, null)).toEqual({ __typename: 'Server', domains: null });
    const records = await w.db.selectFrom('auditLog').select('changes').where('action', '=', 'server.update').execute();
    expect(records.map(({ changes }) => changes)).toEqual([
      { domainIds: { before: null, after: [domain.id] } },
      { domainIds: { before: [], after: null } },
    ]);
    expect(await mine.send(`x@${a.domain}`, serverId)).toBe('Message');
  });
});

test('secrets are sealed anew when the first key has changed', async () => {
  await verified();
  const before = await selectors();
  const secrets = createSecretBox(['another key of thirty-two characters', testSecretKey], systemRandom);
  const reseal = () => resealSecrets({ system: w.system, secrets, log: silentLog });
  expect(await reseal()).toBeGreaterThan(0);
  expect(await reseal()).toBe(0);
  const newOnly = createSecretBox(['another key of thirty-two characters'], systemRandom);
  const keys = await createSenderKeys({ ...w.deps, db: w.db, secrets: newOnly }).keysFor(a.accountId, name);
  expect(keys?.map(({ selector }) => selector).sort()).toEqual(before);
});
