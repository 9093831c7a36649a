// Transports as the staff of the installation makes, chooses and sees them.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { resealSecrets } from '#/maintenance/reseal-secrets.ts';
import { viasOf } from '#/delivery/vias.ts';
import { listTransports } from '#/db/transports.ts';
import { encodeId } from '#/domain/ids.ts';
import type { Person } from '#/domain/person.ts';
import { createSecretBox } from '#/runtime/secret-box.ts';
import { systemRandom } from '#/runtime/random.ts';
import { silentLog } from '../support/silent-log.ts';
import { testSecretKey } from '../support/secret-key.ts';
import { type TestAccount, type World, world } from '../support/world.ts';

const PASSWORD = 'correct horse battery staple';
const LIST = `{ transports { name kind isOut recipientsPerTransaction connections changedAt
  relays { host port tls authenticates priority weight health { state cause since nextLookAt failedLooks } }
  sources { ipv4 ipv6 heloName weight health { state cause } }
  choices(first: 10) { serverId streamId accountId } } }`;
const SET = `mutation ($input: SetTransportInput!) { setTransport(input: $input) { __typename
  ... on InvalidInput { issues { path } } ... on Transport { name isOut relays { host authenticates } } ... on Conflict { message } } }`;
const DELETE =
  'mutation ($name: String!) { deleteTransport(name: $name) { __typename ... on DeletedTransport { name } } }';
const CHOOSE = `mutation ($input: ChooseTransportInput!) { chooseTransport(input: $input) { __typename
  ... on TransportChoice { transport } } }`;

let w: World;
let staff: Person;
let account: TestAccount;
let streamId: string;

const relay = (changes: object = {}) => ({ host: 'relay.example', port: 587, tls: 'REQUIRED', ...changes });
const smart = (changes: object = {}) => ({ name: 'smart', kind: 'RELAY', relays: [relay()], ...changes });
const set = async (input: object, asker: unknown = staff) => {
  const answer = await w.execute(SET, { input }, asker as Person);
  return answer.errors[0]?.code ?? answer.data.setTransport;
};
const choose = async (input: object, asker: unknown = staff) => {
  const answer = await w.execute(CHOOSE, { input }, asker as Person);
  return answer.errors[0]?.code ?? answer.data.chooseTransport.__typename;
};
const remove = async (name: string) => (await w.execute(DELETE, { name }, staff)).data.deleteTransport.__typename;
const listed = async () => (await w.execute(LIST, {}, staff)).data.transports;

beforeAll(async () => {
  w = await world();
  staff = await w.person({ staff: true, secondFactor: true });
  account = await w.account();
  const { data } = await w.execute('{ server { streams { id } } }', {}, account.token());
  streamId = data.server.streams[0].id;
});
afterAll(() => w[Symbol.asyncDispose]());

describe('nobody but the staff', () => {
  test('sees transports, makes, deletes or chooses them', async () => {
    const member = await w.person({ account, role: 'OWNER', secondFactor: true });
    const serverId = encodeId('server', account.serverId);
    for (const asker of [member, account.manager, account.token()]) {
      expect((await w.execute(LIST, {}, asker)).errors[0]?.code).toBe('FORBIDDEN');
      expect(await set(smart(), asker)).toBe('FORBIDDEN');
      expect((await w.execute(DELETE, { name: 'smart' }, asker)).errors[0]?.code).toBe('FORBIDDEN');
      // Not even of one's own server.
      expect(await choose({ serverId, transport: null }, asker)).toBe('FORBIDDEN');
    }
    expect((await w.execute(LIST)).errors[0]?.code).toBe('UNAUTHENTICATED');
  });

  test('and they with a fresh proof alone', async () => {
    const tired = await w.person({ staff: true, secondFactor: true, proved: false });
    const serverId = encodeId('server', account.serverId);
    expect(await set(smart(), tired)).toBe('STEP_UP_REQUIRED');
    expect(await choose({ serverId }, tired)).toBe('STEP_UP_REQUIRED');
    expect((await w.execute(DELETE, { name: 'x' }, tired)).errors[0]?.code).toBe('STEP_UP_REQUIRED');
  });
});

describe('a transport', () => {
  test('is refused with what is wrong', async () => {
    const answer = await set(smart({ name: 'a b', relays: [relay({ port: 70_000 })], connections: 0 }));
    expect(answer.__typename).toBe('InvalidInput');
    expect(answer.issues.map(({ path }: { path: string[] }) => path.join('.'))).toEqual([
      'name',
      'relays.0.port',
      'connections',
    ]);
  });

  test('keeps its credentials to itself, in every answer, row and record', async () => {
    const credentials = { user: 'acme-user', password: PASSWORD };
    const made = await set(smart({ relays: [relay({ credentials }), relay({ host: 'b.example' })] }));
    expect(made).toEqual({
      __typename: 'Transport',
      name: 'smart',
      isOut: false,
      relays: [
        { host: 'relay.example', authenticates: true },
        { host: 'b.example', authenticates: false },
      ],
    });
    const kept = JSON.stringify([
      await listed(),
      await w.db.selectFrom('transportRelays').selectAll().execute(),
      await w.db.selectFrom('auditLog').selectAll().execute(),
      await set(smart({ name: '!', relays: [relay({ credentials })] })),
    ]);
    for (const secret of [PASSWORD, 'acme-user', Buffer.from(PASSWORD).toString('base64')]) {
      expect(kept).not.toContain(secret);
    }
    const [rows] = await listTransports(w.db);
    const [first] = viasOf(rows ?? never(), { secrets: w.deps.secrets, log: silentLog });
    expect(first).toMatchObject({ relay: { auth: credentials, tls: 'required' } });
  });

  test('keeps them when it is changed without, and not when another host is named', async () => {
    const changed = await set(smart({ relays: [relay({ weight: 5 }), relay({ host: 'elsewhere.example' })] }));
    expect(changed.relays).toEqual([
      { host: 'relay.example', authenticates: true },
      { host: 'elsewhere.example', authenticates: false },
    ]);
    // The port is part of it: who listens there may be somebody else.
    expect((await set(smart({ relays: [relay({ port: 25 })] }))).relays).toEqual([
      { host: 'relay.example', authenticates: false },
    ]);
    await set(smart({ relays: [relay({ credentials: { user: 'u', password: PASSWORD } })] }));
    expect((await set(smart({ relays: [relay({ credentials: null })] }))).relays).toEqual([
      { host: 'relay.example', authenticates: false },
    ]);
  });

  test('stays of its kind', async () => {
    const pool = { name: 'smart', kind: 'MX', sources: [{ ipv4: '192.0.2.1', heloName: 'out.example' }] };
    expect((await set(pool)).__typename).toBe('Conflict');
    expect((await set({ ...pool, name: 'pool' })).__typename).toBe('Transport');
  });

  test('shows what is known of its parts, until somebody changes it', async () => {
    const now = w.deps.clock.now();
    const subject = 'relay:smart/relay.example:587';
    const row = { subject, outSince: now, lookAt: now, level: 3, cause: '535 no', changedAt: now };
    await w.db.insertInto('transportHealth').values(row).execute();
    const shown = (await listed()).find(({ name }: { name: string }) => name === 'smart');
    expect(shown).toMatchObject({
      isOut: true,
      relays: [{ health: { state: 'OUT', cause: '535 no', failedLooks: 3, since: now.toISOString() } }],
    });
    expect((await listed()).find(({ name }: { name: string }) => name === 'pool')).toMatchObject({
      isOut: true,
      sources: [{ health: { state: 'ABSENT', cause: null } }],
    });
    await set(smart());
    expect((await listed()).find(({ name }: { name: string }) => name === 'smart').isOut).toBe(false);
  });

  test('is audited without its credentials', async () => {
    const member = await w.person({ account, staff: true, secondFactor: true });
    await set(smart({ relays: [relay({ credentials: { user: 'u-of-relay', password: PASSWORD } })] }), member);
    const rows = await w.db.selectFrom('auditLog').selectAll().where('action', '=', 'transport.set').execute();
    expect(rows).toHaveLength(1);
    const text = JSON.stringify(rows);
    expect(text).toContain('relay.example');
    expect(text).toContain('"credentials":"set"');
    expect(text).not.toContain(PASSWORD);
    expect(text).not.toContain('u-of-relay');
  });

  test('is sealed anew when the first key has changed', async () => {
    const key = 'another key of thirty-two characters';
    const both = createSecretBox([key, testSecretKey], systemRandom);
    expect(await resealSecrets({ system: w.system, secrets: both, log: silentLog })).toBeGreaterThan(0);
    const newOnly = createSecretBox([key], systemRandom);
    const rows = (await listTransports(w.db)).find(({ transport }) => transport.name === 'smart') ?? never();
    expect(viasOf(rows, { secrets: newOnly, log: silentLog })).toMatchObject([
      { relay: { auth: { user: 'u-of-relay', password: PASSWORD } } },
    ]);
    // Without its key a relay is left out: nobody is sent to it without credentials.
    expect(viasOf(rows, { secrets: w.deps.secrets, log: silentLog })).toEqual([]);
  });
});

describe('a choice', () => {
  test('is of what is there', async () => {
    const serverId = encodeId('server', account.serverId);
    const elsewhere = encodeId('server', await account.server('Another'));
    const never = encodeId('server', w.deps.ids.next());
    expect(await choose({ serverId: never, transport: 'smart' })).toBe('NotFound');
    expect(await choose({ serverId: 'nonsense', transport: 'smart' })).toBe('NotFound');
    expect(await choose({ serverId, transport: 'no-such' })).toBe('NotFound');
    expect(await choose({ serverId: elsewhere, streamId, transport: 'smart' })).toBe('NotFound');
  });

  test('keeps its transport from being deleted, and is ended by another or none', async () => {
    const serverId = encodeId('server', account.serverId);
    expect(await choose({ serverId, transport: 'pool' })).toBe('TransportChoice');
    expect(await choose({ serverId, transport: 'smart' })).toBe('TransportChoice');
    expect(await choose({ serverId, streamId, transport: 'smart' })).toBe('TransportChoice');
    const shown = (await listed()).find(({ name }: { name: string }) => name === 'smart');
    expect(shown.choices).toEqual([
      { serverId, streamId: null, accountId: encodeId('account', account.accountId) },
      { serverId, streamId, accountId: encodeId('account', account.accountId) },
    ]);
    expect(await remove('smart')).toBe('Conflict');
    expect(await remove('pool')).toBe('DeletedTransport');
    expect(await choose({ serverId })).toBe('TransportChoice');
    expect(await choose({ serverId, streamId })).toBe('TransportChoice');
    expect(await remove('smart')).toBe('DeletedTransport');
    expect(await remove('smart')).toBe('NotFound');
    expect(await listed()).toEqual([]);
    expect(await w.db.selectFrom('transportRelays').selectAll().execute()).toEqual([]);
    expect(await w.db.selectFrom('transportHealth').selectAll().execute()).toEqual([]);
  });
});

function never(): never {
  throw new Error('there is none');
}
