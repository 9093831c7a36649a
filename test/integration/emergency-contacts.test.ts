// Emergency contacts: added, confirmed by a link, mailed with the owner.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { encodeId } from '#/domain/ids.ts';
import type { Person } from '#/domain/person.ts';
import {
  confirmEmergencyContact,
  findContactConfirmation,
} from '#/resolvers/emergency-contacts/confirm-emergency-contact.ts';
import { notifyOwnerAndContacts } from '#/resolvers/emergency-contacts/notify-owner-and-contacts.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { auditOf, mailsTo, secretFor, visitor } from '../support/visitors.ts';
import { type TestAccount, type World, world } from '../support/world.ts';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const FIELDS = '__typename ... on Error { code message } ... on EmergencyContact { id email confirmed }';
const ADD = `mutation ($input: AddEmergencyContactInput!) { addEmergencyContact(input: $input) { ${FIELDS}
  ... on InvalidInput { issues { path } } } }`;
const RESEND = `mutation ($id: ID!) { resendEmergencyContact(input: { id: $id }) { ${FIELDS} } }`;
const REMOVE = `mutation ($id: ID!) { removeEmergencyContact(input: { id: $id }) { __typename ... on Error { code }
  ... on Account { emergencyContacts { id } } } }`;
const LIST = 'query ($id: ID!) { account(id: $id) { emergencyContacts { id email confirmed } } }';

let w: World;
let clock: FakeClock;
let a: TestAccount;
let owner: Person;
let serial = 0;
let address: string;

beforeAll(async () => {
  clock = new FakeClock();
  w = await world({ clock });
});
beforeEach(async () => {
  a = await w.account();
  owner = await w.person({ account: a, role: 'OWNER' });
  address = `Night${++serial}@watch.example`;
});
afterAll(() => w[Symbol.asyncDispose]());

async function add(changes: object = {}, person: Person = owner) {
  const input = { accountId: encodeId('account', a.accountId), email: address, ...changes };
  const { data, errors } = await w.execute(ADD, { input }, person);
  return errors[0] ?? data.addEmergencyContact;
}
async function onId(document: string, field: string, id: string, person: Person = owner) {
  const { data, errors } = await w.execute(document, { id }, person);
  return errors[0] ?? data[field];
}
const resend = (id: string, person?: Person) => onId(RESEND, 'resendEmergencyContact', id, person);
const remove = (id: string, person?: Person) => onId(REMOVE, 'removeEmergencyContact', id, person);
const secret = () => secretFor(w, address, 'confirm-contact');
const list = async () =>
  (await w.execute(LIST, { id: encodeId('account', a.accountId) }, owner)).data.account.emergencyContacts;

describe('refused', () => {
  test('to members, programs and strangers', async () => {
    const { id } = await add();
    const member = await w.person({ account: a, grants: { [a.serverId]: 'ADMIN' } });
    const stranger = await w.person({ account: await w.account(), role: 'OWNER' });
    expect(await add({}, member)).toMatchObject({ code: 'FORBIDDEN' });
    expect(await add({}, stranger)).toMatchObject({ code: 'NOT_FOUND' });
    for (const act of [resend, remove]) {
      expect(await act(id, member)).toMatchObject({ code: 'FORBIDDEN' });
      expect(await act(id, stranger)).toMatchObject({ code: 'NOT_FOUND' });
    }
    expect((await w.execute('{ account { emergencyContacts { id } } }', {}, a.manager)).errors).toMatchObject([
      { code: 'FORBIDDEN' },
    ]);
  });

  test('for an address that is none, or is there already in whatever case', async () => {
    for (const email of ['nowhere', 'Ann <a@x.example>', 'a@x.example, b@x.example']) {
      expect(await add({ email })).toMatchObject({ issues: [{ path: ['email'] }] });
    }
    await add();
    expect(await add({ email: address.toUpperCase() })).toMatchObject({ issues: [{ path: ['email'] }] });
  });

  test('again and again to one address, by removing and adding anew', async () => {
    for (let mails = 0; mails < 4; mails++) await remove((await add()).id);
    expect(await add()).toMatchObject({ code: 'RATE_LIMITED' });
    expect(await list()).toEqual([]);
    await clock.advance(MINUTE);
    expect(await add()).toMatchObject({ confirmed: false });
  });

  test('beyond ten, also at once', async () => {
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, index) => add({ email: `c${index}@watch.example` })),
    );
    expect(answers.filter(({ __typename }) => __typename === 'LimitReached')).toHaveLength(2);
    expect(await list()).toHaveLength(10);
  });
});

describe('the link', () => {
  test('confirms the contact, once; opening it does not', async () => {
    const { id } = await add();
    const link = await secret();
    expect(await findContactConfirmation(w.deps, link)).toMatchObject({
      email: address,
      accountName: expect.any(String),
    });
    expect(await list()).toEqual([{ id, email: address, confirmed: false }]);
    await confirmEmergencyContact(w.deps, link, visitor());
    expect(await list()).toEqual([{ id, email: address, confirmed: true }]);
    await expect(confirmEmergencyContact(w.deps, link, visitor())).rejects.toMatchObject({ code: 'INVALID_CODE' });
    expect(await resend(id)).toMatchObject({ code: 'CONFLICT' });
  });

  test('is dead after a week, after a newer one, and with the contact', async () => {
    const { id } = await add();
    const first = await secret();
    expect(await resend(id)).toMatchObject({ code: 'CONFLICT' });
    await clock.advance(MINUTE);
    expect(await resend(id)).toMatchObject({ confirmed: false });
    expect(await findContactConfirmation(w.deps, first)).toBeNull();
    const second = await secret();
    expect(await findContactConfirmation(w.deps, second)).not.toBeNull();
    await clock.advance(7 * DAY);
    expect(await findContactConfirmation(w.deps, second)).toBeNull();
    owner = await w.person({ account: a, role: 'OWNER' });
    await resend(id);
    expect(await remove(id)).toEqual({ __typename: 'Account', emergencyContacts: [] });
    expect(await findContactConfirmation(w.deps, await secret())).toBeNull();
    expect(await remove(id)).toMatchObject({ code: 'NOT_FOUND' });
  });

  test('stands in the mail, and in no row and no record', async () => {
    await add();
    const link = await secret();
    const rows = await w.db.selectFrom('emergencyContacts').selectAll().execute();
    const log = await auditOf(w, a.accountId);
    expect(JSON.stringify([rows, log])).not.toContain(link);
    expect(log.map(({ action }) => action)).toContain('contact.add');
  });
});

test('in an emergency the owner and each confirmed contact are mailed, once each', async () => {
  const contact = await w.person({});
  for (const email of [owner.email.toUpperCase(), contact.email]) {
    const added = await add({ email });
    await confirmEmergencyContact(w.deps, await secretFor(w, added.email, 'confirm-contact'), visitor());
  }
  await add({ email: 'silent@watch.example' });
  const before = w.mails.length;
  const told = await notifyOwnerAndContacts(w.deps, a.accountId, { subject: 'Paused', paragraphs: ['Why.'] });
  expect(told).toEqual([owner.email, contact.email]);
  expect(w.mails.slice(before).map(({ to, subject }) => [to, subject])).toEqual([
    [owner.email, 'Paused'],
    [contact.email, 'Paused'],
  ]);
  expect((await mailsTo(w, 'silent@watch.example')).map(({ subject }) => subject)).not.toContain('Paused');
});
