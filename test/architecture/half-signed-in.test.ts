// Made from the schema: whoever has shown the password and not the second factor may show that and nothing else, and whoever
// must set one up may do that and nothing else. A field that is added tomorrow is called by the tests of today.
import { isObjectType } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Person } from '#/domain/person.ts';
import { schema } from '#/schema/index.ts';
import { declaredBy, documentFor, type RootField, rootFieldsOf, variablesFor } from '../support/schema-calls.ts';
import { type Answer, type TestAccount, type World, world } from '../support/world.ts';

/** In the second step. What is for anybody (`public`) is for them too. */
const ofSecondStep = ['Mutation.verifyTwoFactor', 'Mutation.beginPasskeyVerification'];
/** For who must set up a second factor. */
const ofEnrolling = [
  'Mutation.stepUp',
  'Mutation.beginTotpEnrollment',
  'Mutation.confirmTotpEnrollment',
  'Mutation.beginPasskeyEnrollment',
  'Mutation.confirmPasskeyEnrollment',
  'Mutation.beginPasskeyVerification',
];
/** Those for anybody that take a password or a mailed link as the right to do it, or give nothing away. */
const forAnybody = [
  'Query.viewer',
  'Mutation.signIn',
  'Mutation.signOut',
  'Mutation.requestSignUp',
  'Mutation.completeSignUp',
  'Mutation.completeSetup',
  'Mutation.requestPasswordReset',
  'Mutation.resetPassword',
  'Mutation.confirmEmailChange',
  'Mutation.confirmEmergencyContact',
  'Mutation.acceptInvitation',
  'Query.invitation',
];

let w: World;
let account: TestAccount;
let half: Person;
let enrolling: Person;

beforeAll(async () => {
  w = await world();
  account = await w.account();
  const strict = await w.account();
  await w.db.updateTable('accounts').set({ twoFactorPolicy: 'REQUIRED' }).where('id', '=', strict.accountId).execute();
  half = await w.person({ account, role: 'OWNER', halfSignedIn: true, secondFactor: true });
  enrolling = await w.person({ account: strict, role: 'OWNER' });
});
afterAll(() => w[Symbol.asyncDispose]());

const rootFields = rootFieldsOf(schema);
const isPublic = ({ field }: RootField) => declaredBy(field).scopes.includes('public');
const guarded = (open: readonly string[]) =>
  rootFields.filter((root) => !isPublic(root) && !open.includes(root.name)).map((root) => [root.name, root] as const);

async function codesOf(root: RootField, who: Person, document: string): Promise<readonly string[]> {
  const variables = variablesFor(root, () => undefined);
  if (root.root !== 'subscription') {
    const { data, errors }: Answer = await w.execute(document, variables, who);
    expect(Object.values(data ?? {}).every((value) => value === null)).toBe(true);
    return errors.map(({ code }) => code);
  }
  try {
    await (await w.subscribe(document, variables, who)).end();
    return [];
  } catch (error) {
    return [error instanceof Error && 'code' in error ? String(error.code) : `INTERNAL: ${String(error)}`];
  }
}

/** The same field by another name, and inside of fragments. */
function disguised(root: RootField): readonly string[] {
  const document = documentFor(
    root,
    variablesFor(root, () => undefined),
  );
  const [, head = '', body = ''] = /^([^{]*)\{([\s\S]*)\}$/.exec(document) ?? [];
  const type = `${root.root.charAt(0).toUpperCase()}${root.root.slice(1)}`;
  const aliased = body.replace(root.field.name, `viewer: ${root.field.name}`);
  return [
    document,
    `${head}{${aliased}}`,
    `${head}{ ... on ${type} {${body}} }`,
    `${head}{ ...F } fragment F on ${type} {${body}}`,
  ];
}

describe('anybody', () => {
  test('may call nothing but what is named here', () => {
    const open = rootFields.filter(isPublic).map(({ name }) => name);
    expect(open.filter((name) => !forAnybody.includes(name))).toEqual([]);
  });
});

describe('who has not shown the second factor', () => {
  test.each(guarded(ofSecondStep))('is refused %s', async (_name, root) => {
    for (const document of disguised(root)) {
      expect(await codesOf(root, half, document)).toEqual(['TWO_FACTOR_REQUIRED']);
    }
  });

  test('may call what is left', async () => {
    const wrong = 'mutation { verifyTwoFactor(input: { totpCode: "x" }) { __typename } }';
    expect((await w.execute(wrong, {}, half)).data).toEqual({ verifyTwoFactor: { __typename: 'InvalidCode' } });
    const options = 'mutation { beginPasskeyVerification { options } }';
    expect(await w.execute(options, {}, half)).toEqual({ data: { beginPasskeyVerification: null }, errors: [] });
  });

  test('is refused beside what they may call, in one document', async () => {
    const document = `mutation { a: verifyTwoFactor(input: { totpCode: "x" }) { __typename }
      b: revokeOtherSessions c: regenerateBackupCodes { codes } }`;
    const { data, errors } = await w.execute(document, {}, half);
    expect(data).toBeNull();
    expect(errors.map(({ code, path }) => ({ code, path }))).toContainEqual({ code: 'TWO_FACTOR_REQUIRED', path: 'b' });
  });

  const viewer = schema.getType('Viewer');
  const viewerFields = isObjectType(viewer) ? Object.values(viewer.getFields()) : [];
  const selectionOf = (name: string) => (['kind', 'requirement'].includes(name) ? name : `${name} { __typename }`);

  test.each(viewerFields.map(({ name }) => name))('sees of the viewer %s or not', async (name) => {
    const open = ['kind', 'requirement'].includes(name);
    for (const document of [
      `{ viewer { ${selectionOf(name)} } }`,
      `{ viewer { ... on Viewer { kind: ${selectionOf(name)} } } }`,
      `{ viewer { ...F } } fragment F on Viewer { ${selectionOf(name)} }`,
    ]) {
      const { data, errors } = await w.execute(document, {}, half);
      expect(errors.map(({ code }) => code)).toEqual(open ? [] : ['TWO_FACTOR_REQUIRED']);
      if (open) expect(data.viewer).not.toBeNull();
      else expect(JSON.stringify(data)).not.toContain('__typename');
    }
  });

  test('learns nothing by what a sign-in of theirs leads to', async () => {
    expect(half.actors).toEqual([]);
    const { data } = await w.execute('{ viewer { kind requirement } }', {}, half);
    expect(data).toEqual({ viewer: { kind: 'USER', requirement: 'VERIFY_TWO_FACTOR' } });
  });
});

describe('who must set up a second factor', () => {
  test.each(guarded(ofEnrolling))('is refused %s', async (_name, root) => {
    for (const document of disguised(root)) {
      expect(await codesOf(root, enrolling, document)).toEqual(['TWO_FACTOR_ENROLLMENT_REQUIRED']);
    }
  });

  test('may set it up, and see who they are, and no more', async () => {
    const begin = await w.execute('mutation { beginTotpEnrollment { secret } }', {}, enrolling);
    expect(begin.errors).toEqual([]);
    const stale = { ...enrolling, provedUntil: null };
    const refused = await w.execute('mutation { beginTotpEnrollment { secret } }', {}, stale);
    // Which is a matter of proof, and stepUp is open.
    expect(refused.errors[0]?.code).toBe('STEP_UP_REQUIRED');
    const codes = await w.execute('mutation { regenerateBackupCodes { codes } }', {}, stale);
    expect(codes.errors[0]?.code).toBe('TWO_FACTOR_ENROLLMENT_REQUIRED');
    const me = await w.execute('{ viewer { requirement user { email sessions { id } } } }', {}, enrolling);
    expect(me.data.viewer).toMatchObject({ requirement: 'ENROLL_TWO_FACTOR', user: { email: enrolling.email } });
    const accounts = await w.execute('{ viewer { memberships { role } } }', {}, enrolling);
    expect(accounts.errors.map(({ code }) => code)).toEqual(['TWO_FACTOR_ENROLLMENT_REQUIRED']);
  });
});
