// The first start, its one-time link, and the commands around it.
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bootstrap } from '#/resolvers/installation/bootstrap.ts';
import { makeFirstAccount } from '#/resolvers/installation/first-account.ts';
import { renewSetupLink } from '#/resolvers/installation/renew-setup-link.ts';
import { createDatabase } from '../support/postgres.ts';
import { bootstrapProgram, environment, startProgram } from '../support/program.ts';
import { auditOf, typesOf } from '../support/visitors.ts';
import { type World, world } from '../support/world.ts';

const PASSWORD = 'correct horse battery staple';
const COMPLETE = `mutation ($input: CompleteSetupInput!) { completeSetup(input: $input) {
  __typename ... on SignedIn { token user { email } } ... on Error { code } ... on InvalidInput { issues { path message } } } }`;

let w: World;
let token: string;
let accountId: string;

beforeAll(async () => {
  w = await world();
  const made = await makeFirstAccount(w.deps, 'sandbox.example');
  token = made?.setupSecret ?? '';
  accountId = made?.accountId ?? '';
});
afterAll(() => w[Symbol.asyncDispose]());

const complete = async (secret: string, more: Readonly<Record<string, string>> = {}) => {
  const input = { token: secret, email: 'ann@acme.example', name: 'Ann', password: PASSWORD, ...more };
  const { data, errors } = await w.execute(COMPLETE, { input });
  return errors[0] ?? data.completeSetup;
};
const owners = () =>
  w.db.selectFrom('memberships').select(['userId', 'role']).where('accountId', '=', accountId).execute();

describe('the owner of the first account', () => {
  test('is nobody at first, and the account is made once', async () => {
    expect(token).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(await owners()).toEqual([]);
    expect(await w.db.selectFrom('users').select('id').execute()).toEqual([]);
    expect(await makeFirstAccount(w.deps, 'sandbox.example')).toBeNull();
    const { rows } = { rows: await w.db.selectFrom('installation').select('setupHash').execute() };
    expect(rows[0]?.setupHash?.toString()).not.toContain(token);
  });

  test('is not made with another link, a weak password, or what is no address', async () => {
    expect(await complete('A'.repeat(43))).toMatchObject({ code: 'INVALID_CODE' });
    expect(await complete(token, { password: 'password1' })).toMatchObject({ __typename: 'WeakPassword' });
    expect(await complete(token, { email: 'x', name: '' })).toMatchObject({
      issues: [{ path: ['email'] }, { path: ['name'] }],
    });
  });

  test('is not made of somebody who signs in here already', async () => {
    const known = await w.person();
    expect(await complete(token, { email: known.email })).toMatchObject({
      __typename: 'InvalidInput',
      issues: [{ path: ['email'], message: expect.stringContaining('already') }],
    });
  });

  test('is not made with a link that another took the place of', async () => {
    const before = token;
    token = await renewSetupLink(w.deps);
    expect(await complete(before)).toMatchObject({ code: 'INVALID_CODE' });
  });

  test('is made once, whoever races, and the record has no secret', async () => {
    const answers = await Promise.all(
      ['ann', 'bob', 'eve'].map((name) => complete(token, { email: `${name}@acme.example` })),
    );
    expect(typesOf(answers)).toEqual(['InvalidCode', 'InvalidCode', 'SignedIn']);
    expect(await owners()).toMatchObject([{ role: 'OWNER' }]);
    expect(await complete(token)).toMatchObject({ code: 'INVALID_CODE' });
    await expect(renewSetupLink(w.deps)).rejects.toMatchObject({ code: 'CONFLICT' });
    const record = await auditOf(w, accountId);
    expect(record.map(({ action }) => action)).toEqual([
      'installation.firstStart',
      'installation.renewSetupLink',
      'installation.setUp',
    ]);
    expect(JSON.stringify(record)).not.toContain(token);
  });
});

describe('bootstrap', () => {
  const order = {
    ownerEmail: 'owner@one.example',
    ownerPasswordHash: null,
    server: 'Main',
    delivery: 'SANDBOX' as const,
    verifiedDomains: [],
  };

  test('gives the first account an owner where it has none, and the link is dead', async () => {
    await using fresh = await world();
    const made = await makeFirstAccount(fresh.deps, 'sandbox.example');
    const booted = await bootstrap(fresh.deps, { ...order, account: 'My account' });
    expect(booted.accountId).toBe(made?.accountId);
    const input = { token: made?.setupSecret, email: 'ann@acme.example', name: 'Ann', password: PASSWORD };
    expect((await fresh.execute(COMPLETE, { input })).data.completeSetup).toMatchObject({ code: 'INVALID_CODE' });
    await expect(renewSetupLink(fresh.deps)).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  test('makes nothing twice, and nothing in an account of the same name that is somebody else’s', async () => {
    const first = await bootstrap(w.deps, { ...order, account: 'One' });
    const again = await bootstrap(w.deps, { ...order, ownerEmail: 'OWNER@one.example', account: 'One' });
    expect(again).toMatchObject({ accountId: first.accountId, ownerId: first.ownerId, serverId: first.serverId });
    const stranger = bootstrap(w.deps, { ...order, ownerEmail: 'other@two.example', account: 'One' });
    await expect(stranger).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  test('leaves the password of an identity that is there as it is', async () => {
    const known = await w.person({ passwordHash: 'as it was' });
    await bootstrap(w.deps, { ...order, ownerEmail: known.email, ownerPasswordHash: 'another', account: 'Theirs' });
    const user = await w.db.selectFrom('users').select('passwordHash').where('id', '=', known.userId).execute();
    expect(user).toEqual([{ passwordHash: 'as it was' }]);
  });

  test('renewing the link needs an account that waits', async () => {
    await using fresh = await world();
    await expect(renewSetupLink(fresh.deps)).rejects.toMatchObject({ code: 'CONFLICT' });
  });
});

test('the program prints the link once, makes another on demand, and refuses bad passwords', {
  timeout: 60_000,
}, async () => {
  await using database = await createDatabase();
  const folder = await mkdtemp(join(tmpdir(), 'veredus-setup-'));
  const settings = {
    VEREDUS_DATABASE_URL: database.connectionString,
    VEREDUS_DATA_DIR: folder,
    VEREDUS_WORKERS: '1',
    VEREDUS_ROLES: 'api',
  };
  const program = join(import.meta.dirname, '../../bin/veredus');
  try {
    let printed: string;
    {
      await using first = await startProgram(settings);
      await expect.poll(first.output).toContain('Its token');
      printed = /http:\S+\/setup\/\S{43}/.exec(first.output())?.[0] ?? '';
      expect(printed).toMatch(new RegExp(`^${first.url}/setup/`));
      expect(first.output()).toMatch(/vrt_\w{38}/);
      expect((await fetch(printed)).status).toBe(200);
      const { stdout } = await promisify(execFile)(program, ['setup-link'], { env: environment(settings) });
      expect(stdout).toMatch(/^http:\/\/localhost:4000\/setup\/\S{43}\n$/);
      expect((await fetch(printed)).status).toBe(404);
    }
    {
      await using second = await startProgram(settings);
      await expect.poll(second.output).toContain('serves GraphQL');
      expect(second.output()).not.toMatch(/setup|vrt_/);
    }
    const file = join(folder, 'password');
    await writeFile(file, 'acme1234\n');
    const args = ['--account', 'Acme', '--owner-email', 'o@acme.example', '--server', 'One'];
    const refused = bootstrapProgram(settings, [...args, '--owner-password-file', file]);
    await expect(refused).rejects.toMatchObject({
      code: 64,
      stderr: expect.stringMatching(/--owner-password-file: the password .*\./),
    });
    await writeFile(file, `${PASSWORD}\n`);
    await bootstrapProgram(settings, [...args, '--owner-password-file', file]);
  } finally {
    await rm(folder, { recursive: true });
  }
});
