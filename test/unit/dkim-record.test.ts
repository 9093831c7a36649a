// DKIM key records: made, read with a verifier's tolerance, and compared in words.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { generateDkimKeys, readPrivateKey, recordOf } from '#/mail/dkim/keys.ts';
import { dkimRecordFlaw, parseDkimRecord } from '#/mail/dkim/record.ts';

const { rsa, ed25519 } = await generateDkimKeys();
const keyOf = (record: string) => record.slice(record.indexOf('p=') + 2);

describe('new keys', () => {
  test('are RSA-2048 and Ed25519, and come back from their stored form', () => {
    expect([rsa.algorithm, ed25519.algorithm]).toEqual(['rsa-sha256', 'ed25519-sha256']);
    const key = readPrivateKey(rsa.privateKey);
    expect([key.asymmetricKeyType, key.asymmetricKeyDetails?.modulusLength]).toEqual(['rsa', 2048]);
    expect(readPrivateKey(ed25519.privateKey).asymmetricKeyType).toBe('ed25519');
    expect([recordOf(key), recordOf(readPrivateKey(ed25519.privateKey))]).toEqual([rsa.record, ed25519.record]);
  });

  test('have records of the form that verifiers want', () => {
    expect(rsa.record).toMatch(/^v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQ[A-Za-z0-9+/]+={0,2}$/);
    expect(ed25519.record).toMatch(/^v=DKIM1; k=ed25519; p=[A-Za-z0-9+/]{43}=$/);
  });
});

describe('a record', () => {
  test('is read from several strings, in any order of its tags, with spaces anywhere', () => {
    const key = keyOf(rsa.record);
    const forms: (string | string[])[] = [
      [rsa.record.slice(0, 255), rsa.record.slice(255)],
      `p=${key};k=rsa;v=DKIM1`,
      `v = DKIM1 ;\tk = RSA ;  p = ${key.slice(0, 70)} ${key.slice(70, 140)}\r\n ${key.slice(140)} ; `,
      `p=${key}`,
      `v=DKIM1; t=y:s; s=email; h=sha1:sha256; n=a note; x_new=1; p=${key}`,
    ];
    for (const form of forms) expect(dkimRecordFlaw(form, rsa.record)).toBeNull();
    expect(parseDkimRecord('v=DKIM1; t=y : s; p=')).toEqual({
      ok: true,
      record: { keyType: 'rsa', publicKey: '', hashes: null, services: ['*'], flags: ['y', 's'] },
    });
  });

  test.each([
    ['has no tag p=', ''],
    ['says v=spf1', 'v=spf1 include:x.example -all'],
    ['has no tag p=', 'v=DKIM1; k=rsa'],
    ['is not a list of tags', 'hello'],
    ['has the tag p= twice', 'v=DKIM1; p=AAAA; p=BBBB'],
    ['no base64', 'v=DKIM1; p=???'],
    ['quotation marks', '"v=DKIM1; p=AAAA"'],
    ['backslashes', 'v=DKIM1\\; p=AAAA'],
    ['revoked', 'v=DKIM1; p='],
    ['of the kind ed25519, not rsa', ed25519.record],
    ['only the beginning', 'v=DKIM1; k=rsa; p=MIIBIjANBg'],
    ['another key', 'v=DKIM1; k=rsa; p=AAAA'],
    ['SHA-256', `v=DKIM1; h=sha1; p=${keyOf(rsa.record)}`],
    ['not for email', `v=DKIM1; s=tlsrpt; p=${keyOf(rsa.record)}`],
  ])('that %s, it says', (words, found) => {
    expect(dkimRecordFlaw(found, rsa.record)).toContain(words);
  });

  test('of any text is read in time or refused in words', () => {
    const part = fc.constantFrom('v=DKIM1', 'p=', 'AAAA', ';', '=', ' ', '"', 'k=rsa', '\\', ':', 'ä', 't=y');
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(part).map((all) => all.join('')),
        ),
        (text) => {
          const parsed = parseDkimRecord(text);
          expect(parsed.ok || /^\w/.test(parsed.reason)).toBe(true);
        },
      ),
    );
  });
});
