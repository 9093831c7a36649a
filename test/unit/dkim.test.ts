// Our DKIM signer against the examples of RFC 6376 and RFC 8463, and against a slow, plain reading of the rules.
import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hashBody } from '#/mail/dkim/body-hash.ts';
import { canonicalField, readFields, signedText } from '#/mail/dkim/header-fields.ts';
import { generateDkimKeys, readPrivateKey, recordOf } from '#/mail/dkim/keys.ts';
import { type SigningKey, signHeaders, signMessage } from '#/mail/dkim/sign.ts';

const sha256 = (text: string) => createHash('sha256').update(text, 'latin1').digest('base64');
const bodyHashOf = (body: string) => hashBody(Buffer.from(`A: b\r\n\r\n${body}`, 'latin1'), 8);
const lines = (...all: string[]) => all.map((line) => `${line}\r\n`).join('');

/** §3.4.4, one rule after the other. */
function relaxedBody(body: string): string {
  const reduced = body
    .replace(/[ \t]+/g, ' ')
    .replace(/ (?=\r\n)/g, '')
    .replace(/ $/, '');
  const cut = reduced.replace(/(?:\r\n)+$/, '');
  return cut === '' ? '' : `${cut}\r\n`;
}

const NOW = new Date('2026-03-01T12:00:00.900Z');
const generated = await generateDkimKeys();
const keys: readonly SigningKey[] = [
  {
    domain: 'b.example',
    selector: 'r1',
    algorithm: 'rsa-sha256',
    privateKey: readPrivateKey(generated.rsa.privateKey),
  },
  {
    domain: 'b.example',
    selector: 'e1',
    algorithm: 'ed25519-sha256',
    privateKey: readPrivateKey(generated.ed25519.privateKey),
  },
];

/** Each signature of a block with its tags, white space taken out of all. */
function readSignatures(block: Buffer) {
  return readFields(block).map(({ name, line }) => {
    expect(name).toBe('dkim-signature');
    const text = line.slice(line.indexOf(':') + 1);
    const tags = text.split(';').map((tag) => /^\s*(\w+)\s*=([^]*)$/.exec(tag) ?? []);
    return {
      tags: new Map(tags.map(([, tag = '', value = '']) => [tag, value.replace(/\s/g, '')])),
      unsigned: { name, line: line.replace(/(;\s*b=)[^;]*/, '$1') },
    };
  });
}

/** What a verifier does (§6.1.3), by node:crypto and our canonical header. */
function isValid(header: Buffer, signature: ReturnType<typeof readSignatures>[number], key: KeyObject): boolean {
  const { tags, unsigned } = signature;
  const text = signedText(readFields(header), tags.get('h')?.split(':') ?? [], unsigned);
  const value = Buffer.from(tags.get('b') ?? '', 'base64');
  return tags.get('a') === 'rsa-sha256'
    ? verify('sha256', text, key, value)
    : verify(null, createHash('sha256').update(text).digest(), key, value);
}

describe('canonical form', () => {
  test('is that of the example in RFC 6376 §3.4.5', () => {
    const fields = readFields(Buffer.from('A: X\r\nB : Y\t\r\n\tZ  \r\n\r\n'));
    expect(fields).toEqual([
      { name: 'a', line: 'a:X' },
      { name: 'b', line: 'b:Y Z' },
    ]);
    expect(bodyHashOf(' C \r\nD \t E\r\n\r\n\r\n')).toBe(sha256(' C\r\nD E\r\n'));
  });

  test('of an empty body is the hash of nothing (§3.4.4)', () => {
    for (const body of ['', '\r\n', '\r\n\r\n', ' \t\r\n \r\n']) {
      expect(bodyHashOf(body)).toBe('47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=');
    }
  });

  test.each([
    ['a body without a line end', 'a', 'a\r\n'],
    ['white space before line ends', 'a \t \r\n\t\r\nb\t\r\n', 'a\r\n\r\nb\r\n'],
    ['white space at the beginning of a line', '  a\r\n\tb\r\n', ' a\r\n b\r\n'],
    ['a lone CR or LF, which ends no line', 'a \rb \nc\r\n', 'a \rb \nc\r\n'],
    ['octets past ASCII', 'gr\xc3\xbc\xc3\x9fe\xa0 \r\n', 'gr\xc3\xbc\xc3\x9fe\xa0\r\n'],
  ])('of %s', (_name, body, canonical) => {
    expect(bodyHashOf(body)).toBe(sha256(canonical));
  });

  test('of a field keeps octets past ASCII, among them those that look like spaces in latin1', () => {
    const [field] = readFields(Buffer.from('Subject:  à à\r\n', 'utf8'));
    expect(field?.line).toBe(`subject:${Buffer.from('à à').toString('latin1')}`);
    expect(readFields(Buffer.from('X:  \xa0x\xa0 \r\n', 'latin1'))[0]?.line).toBe('x:\xa0x\xa0');
  });

  test('of any body is what the rules say one after the other', () => {
    const piece = fc.constantFrom(
      ' ',
      '\t',
      '  ',
      '\r\n',
      '\r\n\r\n',
      'a',
      'word',
      '.',
      '\xa0',
      '\r',
      '\n',
      'x'.repeat(1_500),
      'y'.repeat(17_000),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        const body = pieces.join('');
        expect(bodyHashOf(body)).toBe(sha256(relaxedBody(body)));
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('the example of RFC 8463, appendix A', () => {
  const header = lines(
    'From: Joe SixPack <joe@football.example.com>',
    'To: Suzie Q <suzie@shopping.example.net>',
    'Subject: Is dinner ready?',
    'Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)',
    'Message-ID: <20030712040037.46341.5F8J@football.example.com>',
  );
  const body = lines('Hi.', '', 'We lost the game.  Are you hungry yet?', '', 'Joe.');
  const names = ['from', 'to', 'subject', 'date', 'message-id', 'from', 'subject', 'date'];
  const unsigned = (algorithm: string, selector: string, nameLines: string) =>
    canonicalField(
      'DKIM-Signature',
      ` v=1; a=${algorithm}; c=relaxed/relaxed;\r\n d=football.example.com; i=@football.example.com;\r\n q=dns/txt; s=${selector};` +
        ` t=1528637909; h=${nameLines}\r\n bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n b=`,
    );

  test('has its body hash', () => {
    const source = Buffer.from(`${header}\r\n${body}`);
    expect(hashBody(source, header.length + 2)).toBe('2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=');
  });

  test('has its Ed25519 signature', () => {
    // PKCS #8 around the secret key, which is that of RFC 8032 §7.1, test 1.
    const secret = Buffer.from('nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=', 'base64');
    const key = readPrivateKey(Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), secret]));
    expect(recordOf(key)).toBe('v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=');
    const text = signedText(
      readFields(Buffer.from(header)),
      names,
      unsigned('ed25519-sha256', 'brisbane', 'from : to :\r\n subject : date : message-id : from : subject : date;'),
    );
    expect(sign(null, createHash('sha256').update(text).digest(), key).toString('base64')).toBe(
      '/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==',
    );
  });

  test('has its RSA signature', () => {
    const key = createPrivateKey(RSA_OF_RFC_8463);
    const text = signedText(
      readFields(Buffer.from(header)),
      names,
      unsigned('rsa-sha256', 'test', 'from : to : subject :\r\n date : message-id : from : subject : date;'),
    );
    expect(sign('sha256', text, key).toString('base64')).toBe(
      'F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2JzdA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=',
    );
  });
});

describe('a signature', () => {
  const header = lines(
    'From: a@b.example',
    'To: c@d.example',
    'List-Unsubscribe: <https://b.example/u>',
    'X-Other: not signed',
    'List-Id: <l.b.example>',
    'Date: Sun, 01 Mar 2026 12:00:00 +0000',
  );
  const source = Buffer.from(`${header}\r\nHello\r\n`);
  const bodyStart = header.length + 2;

  test('is made with each key, in order, with the tags it needs and no l=', async () => {
    const block = await signMessage(source, bodyStart, keys, NOW);
    const signatures = readSignatures(block);
    expect(signatures.map(({ tags }) => [...tags.keys()].join(' '))).toEqual([
      'v a c d s t h bh b',
      'v a c d s t h bh b',
    ]);
    expect(signatures.map(({ tags }) => [tags.get('a'), tags.get('d'), tags.get('s'), tags.get('t')])).toEqual([
      ['rsa-sha256', 'b.example', 'r1', '1772366400'],
      ['ed25519-sha256', 'b.example', 'e1', '1772366400'],
    ]);
    for (const { tags } of signatures) expect(tags.get('bh')).toBe(sha256('Hello\r\n'));
    signatures.forEach((signature, index) => {
      expect(isValid(Buffer.from(header), signature, createPublicKey(keys[index]?.privateKey ?? ''))).toBe(true);
    });
  });

  test('names what is there, and once more what nobody may add', async () => {
    const [signature] = readSignatures(await signMessage(source, bodyStart, keys.slice(1), NOW));
    const names = signature?.tags.get('h')?.split(':') ?? [];
    const counts = Object.fromEntries([...Map.groupBy(names, (name) => name)].map(([name, all]) => [name, all.length]));
    expect(counts).toEqual({
      from: 2,
      to: 2,
      subject: 1,
      date: 2,
      'reply-to': 1,
      'message-id': 1,
      'content-type': 1,
      'list-unsubscribe': 2,
      'list-id': 1,
    });
  });

  test.each([
    ['a second From', 'From: evil@b.example\r\n', true],
    ['a Subject where none was', 'Subject: Your invoice\r\n', true],
    ['a Reply-To where none was', 'Reply-To: evil@x.example\r\n', true],
    ['a second List-Unsubscribe', 'List-Unsubscribe: <https://x.example>\r\n', true],
    ['a second Content-Type', 'Content-Type: text/html\r\n', true],
    ['a trace field', 'Received: from x by y; Sun, 01 Mar 2026 12:00:00 +0000\r\n', false],
    ['the List-Post of a mailing list', 'List-Post: <mailto:l@x.example>\r\n', false],
  ])('and %s on the way', async (_name, added, breaks) => {
    const [signature] = readSignatures(await signMessage(source, bodyStart, keys.slice(1), NOW));
    if (signature === undefined) throw new Error('no signature');
    const publicKey = createPublicKey(keys[1]?.privateKey ?? '');
    for (const changed of [added + header, header + added]) {
      expect(isValid(Buffer.from(changed), signature, publicKey)).toBe(!breaks);
    }
  });

  test('survives new white space, folding and case of names', async () => {
    const [signature] = readSignatures(await signMessage(source, bodyStart, keys.slice(1), NOW));
    if (signature === undefined) throw new Error('no signature');
    const changed = header
      .replace('From: ', 'FROM:\r\n\t ')
      .replace('To: c', 'to :   c')
      .replace('Sun, 01', 'Sun,\r\n  01\t');
    expect(isValid(Buffer.from(changed), signature, createPublicKey(keys[1]?.privateKey ?? ''))).toBe(true);
  });

  test('of a header with more in front needs no second look at the body', async () => {
    const bodyHash = hashBody(source, bodyStart);
    const extra = 'List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nFeedback-ID: a:b:c:sender\r\n';
    const whole = Buffer.from(extra + header);
    const [signature] = readSignatures(await signHeaders(whole, bodyHash, keys.slice(1), NOW));
    if (signature === undefined) throw new Error('no signature');
    expect(signature.tags.get('h')).toMatch(/feedback-id:.*list-unsubscribe-post:list-unsubscribe-post/);
    expect(signature.tags.get('bh')).toBe(bodyHash);
    expect(isValid(whole, signature, createPublicKey(keys[1]?.privateKey ?? ''))).toBe(true);
    expect(isValid(Buffer.from(header), signature, createPublicKey(keys[1]?.privateKey ?? ''))).toBe(false);
  });

  test('keeps its lines short, whatever the names are', async () => {
    const label = 'a'.repeat(60);
    const long = keys.map((key) => ({
      ...key,
      domain: `${label}.${label}.${label}.example`,
      selector: 'v20260301rsa',
    }));
    const block = (await signMessage(source, bodyStart, long, NOW)).toString('latin1');
    const [first = '', ...rest] = block.split('\r\n');
    expect(first).toMatch(/^DKIM-Signature: v=1; a=rsa-sha256;/);
    for (const line of rest) {
      expect(line).toMatch(/^(?:$|[ ]+\S|DKIM-Signature: )/);
      expect(line.includes(label) ? 0 : line.length).toBeLessThanOrEqual(78);
    }
  });

  test('is not made for a name that is not in ASCII form', async () => {
    for (const [domain, selector] of [
      ['bücher.example', 's'],
      ['b.example', 's; l=0'],
      ['b.example\r\nX: y', 's'],
      ['', 's'],
    ]) {
      const key = { ...keys[1], domain, selector } as SigningKey;
      await expect(signMessage(source, bodyStart, [key], NOW)).rejects.toThrow(RangeError);
    }
  });

  test('of any header and body is valid', async () => {
    const text = fc
      .array(fc.constantFrom('a', 'b ', ' ', '\t', 'é', '\r\n ', 'x'.repeat(90)), { maxLength: 12 })
      .map((all) => all.join(''));
    const name = fc.constantFrom('From', 'To', 'SUBJECT', 'Cc', 'X-A', 'List-Help', 'Reply-To', 'Feedback-ID');
    const publicKey = createPublicKey(keys[1]?.privateKey ?? '');
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(name, text), { maxLength: 12 }), text, async (fields, content) => {
        const head = Buffer.from(fields.map(([field, value]) => `${field}: ${value}\r\n`).join(''));
        const whole = Buffer.concat([head, Buffer.from(`\r\n${content}`)]);
        const [signature] = readSignatures(await signMessage(whole, head.length + 2, keys.slice(1), NOW));
        expect(signature !== undefined && isValid(head, signature, publicKey)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});

const RSA_OF_RFC_8463 = `-----BEGIN RSA PRIVATE KEY-----
MIICXQIBAAKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQi
Y/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqM
KrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB
AoGAH0cxOhFZDgzXWhDhnAJDw5s4roOXN4OhjiXa8W7Y3rhX3FJqmJSPuC8N9vQm
6SVbaLAE4SG5mLMueHlh4KXffEpuLEiNp9Ss3O4YfLiQpbRqE7Tm5SxKjvvQoZZe
zHorimOaChRL2it47iuWxzxSiRMv4c+j70GiWdxXnxe4UoECQQDzJB/0U58W7RZy
6enGVj2kWF732CoWFZWzi1FicudrBFoy63QwcowpoCazKtvZGMNlPWnC7x/6o8Gc
uSe0ga2xAkEA8C7PipPm1/1fTRQvj1o/dDmZp243044ZNyxjg+/OPN0oWCbXIGxy
WvmZbXriOWoSALJTjExEgraHEgnXssuk7QJBALl5ICsYMu6hMxO73gnfNayNgPxd
WFV6Z7ULnKyV7HSVYF0hgYOHjeYe9gaMtiJYoo0zGN+L3AAtNP9huqkWlzECQE1a
licIeVlo1e+qJ6Mgqr0Q7Aa7falZ448ccbSFYEPD6oFxiOl9Y9se9iYHZKKfIcst
o7DUw1/hz2Ck4N5JrgUCQQCyKveNvjzkkd8HjYs0SwM0fPjK16//5qDZ2UiDGnOe
uEzxBDAr518Z8VFbR41in3W4Y3yCDgQlLlcETrS+zYcL
-----END RSA PRIVATE KEY-----`;
