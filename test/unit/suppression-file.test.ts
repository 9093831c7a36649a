// CSV as it is written and as it is broken, and what rows of suppressions mean.
import { describe, expect, test } from 'vitest';
import { csvLine, MAX_RECORD_BYTES, readRecord, unguarded } from '#/domain/csv.ts';
import { IMPORT_BATCH, readBatch, readHeader, type ImportedRow, type Problem } from '#/domain/suppression-file.ts';

const bytes = (text: string) => Buffer.from(text, 'utf8');

function recordsOf(text: string) {
  const all = bytes(text);
  const records = [];
  for (let at = 0; at < all.length; ) {
    const read = readRecord(all, at, true);
    if (read.kind !== 'record') return [...records, read];
    records.push(read.flaw ?? read.fields);
    at = read.next;
  }
  return records;
}

/** The whole file, as if no more than `window` bytes of it were at hand at a time. */
function importOf(file: Buffer, window = file.length) {
  const header = readHeader(file);
  if (!header.ok) return { flaw: header.flaw, rows: [], problems: [], fault: null };
  const rows: ImportedRow[] = [];
  const problems: Problem[] = [];
  let place = { offset: header.next, line: 1 + header.lines };
  while (place.offset < file.length) {
    const base = place.offset;
    const end = Math.min(base + window, file.length);
    const part = { bytes: file.subarray(base, end), base, last: end === file.length };
    const batch = readBatch(part, place, header.columns);
    rows.push(...batch.rows);
    problems.push(...batch.problems);
    if (batch.fault !== null) return { flaw: null, rows, problems, fault: batch.fault };
    if (batch.next === place.offset) throw new Error('stuck');
    place = { offset: batch.next, line: batch.line };
  }
  return { flaw: null, rows, problems, fault: null };
}

describe('refused', () => {
  test.each([
    ['a"b,c\nd', 'has a quote inside a field that is not quoted'],
    ['"a"b,c\nd', 'has text after a quoted field'],
    ['"a" ,c\nd', 'has text after a quoted field'],
    [`${'x,'.repeat(64)}x\nd`, 'has more than 64 fields'],
  ])('%j, and what follows is read', (text, flaw) => {
    expect(recordsOf(text)).toEqual([flaw, ['d']]);
  });

  test.each([
    ['a\n"b,c\nd\n', 'a quoted field is never closed'],
    [`a\n"${'x'.repeat(MAX_RECORD_BYTES)}\n`, /longer than 16384 bytes/],
    [`a\n${'x'.repeat(MAX_RECORD_BYTES + 1)}\nd`, /longer than 16384 bytes/],
    [`a\n${'"x",'.repeat(MAX_RECORD_BYTES / 4)}x\nd`, /longer than 16384 bytes/],
  ])('and nothing after it (%#)', (text, message) => {
    const [first, fault, ...more] = recordsOf(text);
    expect(first).toEqual(['a']);
    expect(fault).toEqual({ kind: 'fault', message: expect.stringMatching(message) });
    expect(more).toEqual([]);
  });

  test('what is not UTF-8', () => {
    const file = Buffer.concat([
      bytes('email\nann@r.example\n'),
      Buffer.from([0xfc]),
      bytes('@r.example\nbo@r.example\n'),
    ]);
    const { rows, problems } = importOf(file);
    expect(rows.map(({ mailbox }) => mailbox.address)).toEqual(['ann@r.example', 'bo@r.example']);
    expect(problems).toEqual([{ line: 3, message: 'is not UTF-8' }]);
    expect(importOf(Buffer.from('email\n', 'utf16le')).flaw).not.toBeNull();
  });

  test.each(['', 'ann@r.example\n', 'name;email\n', '"email\n', 'email"\n'])('a file that begins with %j', (text) => {
    expect(readHeader(bytes(text)).ok).toBe(false);
  });

  test('rows that say nothing usable, each with its line', () => {
    const file =
      'email,note\n"x@r.example","two\nlines"\n,only a note\nno address\n\n,\nann@r.example,a,b\nann@r.example\n';
    const { rows, problems } = importOf(bytes(file));
    expect(rows.map(({ mailbox, note }) => [mailbox.address, note])).toEqual([
      ['x@r.example', 'two lines'],
      ['ann@r.example', null],
    ]);
    expect(problems).toEqual([
      { line: 4, message: 'the address is empty' },
      { line: 5, message: expect.stringMatching(/^the address /) },
      { line: 8, message: 'has 3 fields, more than the 2 of the header' },
    ]);
  });
});

describe('read', () => {
  test.each(['\r\n', '\n', '\r'])('with line ends %j, the last one or not', (end) => {
    const lines = ['a,"b ""x"", y",c', ',,', '"",é,'];
    const expected = [
      ['a', 'b "x", y', 'c'],
      ['', '', ''],
      ['', 'é', ''],
    ];
    expect(recordsOf(lines.join(end))).toEqual(expected);
    expect(recordsOf(lines.join(end) + end)).toEqual(expected);
  });

  test.each([
    [
      'Postmark',
      'EmailAddress,SuppressionReason,Origin,CreatedAt\nann@r.example,HardBounce,Recipient,2026-01-01',
      'HARD_BOUNCE',
    ],
    [
      'SendGrid',
      '\ufeffstatus,reason,email,created\n5.1.1,"550 5.1.1, no such user",ann@r.example,1700000000',
      'MANUAL',
    ],
    ['Mailgun', 'address,tags,created_at\nann@r.example,"[""*""]",2026-01-01', 'MANUAL'],
    ['SES', '"EmailAddress","Reason","LastUpdateTime"\r\n"ann@r.example","BOUNCE","2026-01-01"\r\n', 'HARD_BOUNCE'],
    ['ours', 'address,reason,origin,created_at,note\nann@r.example,UNSUBSCRIBE,RECIPIENT,2026-01-01,', 'UNSUBSCRIBE'],
    ['complaints', 'Email Address,Reason\nann@r.example,SPAM_COMPLAINT', 'MANUAL'],
  ])('exports of %s', (_whose, file, reason) => {
    const { rows, problems } = importOf(bytes(file));
    expect(problems).toEqual([]);
    expect(rows.map((row) => [row.mailbox.address, row.reason])).toEqual([['ann@r.example', reason]]);
  });

  test('in pieces as in one', () => {
    const odd = ['"a,b"', 'x@r.example', '"é""@r.example"', 'a"b', '""', '=x@r.example', "'+y@r.example", '"q"z'];
    const ends = ['\r\n', '\n', '\r'];
    for (let seed = 1; seed <= 60; seed++) {
      let state = seed;
      const draw = (most: number) => (state = (state * 48_271) % 0x7fff_ffff) % most;
      const lines = Array.from({ length: 40 }, () => {
        const fields = Array.from({ length: 1 + draw(3) }, () => odd[draw(odd.length)]).join(',');
        return fields + ends[draw(3)];
      });
      const file = bytes(`email,reason,note\n${lines.join('')}`);
      const whole = importOf(file);
      expect(whole.rows.length).toBeGreaterThan(0);
      for (const window of [80, 97, 256]) expect(importOf(file, window)).toEqual(whole);
    }
  });

  test('a batch ends after some rows, empty ones included', () => {
    const file = bytes(`email\n${'\n'.repeat(IMPORT_BATCH + 1)}a@r.example\n`);
    const header = readHeader(file);
    if (!header.ok) throw new Error(header.flaw);
    const batch = readBatch({ bytes: file, base: 0, last: true }, { offset: header.next, line: 2 }, header.columns);
    expect(batch).toMatchObject({ read: 0, next: header.next + IMPORT_BATCH, line: 2 + IMPORT_BATCH });
  });
});

test('what a spreadsheet would run is text, and comes back as it was', () => {
  const texts = ['=1+1', '+x@r.example', '-x', '@x', '\tx', "'=x", "''-x", "'x", 'x', '', 'a "b", c', ' x '];
  const [read] = recordsOf(csvLine(texts));
  if (!Array.isArray(read)) throw new Error('not read');
  for (const text of read) expect(text).not.toMatch(/^[=+\-@\t\r]/);
  expect(read.map((text) => unguarded(text))).toEqual(texts);
});
