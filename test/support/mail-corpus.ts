// Stored contents of every kind that a sender can bring, for tests of what goes on the wire: shapes, encodings, names,
// addresses, headers, sizes; and the messages of the shared MIME corpus sent again, where that is there.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { simpleParser } from 'mailparser';
import { asciiDomain } from '#/domain/domain-name.ts';
import type { StoredAttachment, StoredContent } from '#/mail/content.ts';

export interface CorpusItem {
  readonly name: string;
  readonly content: StoredContent;
}

const SHARED = join(import.meta.dirname, '../../../shared/corpora/mime/files');
export const hasSharedCorpus = existsSync(SHARED);
export const fromDomains = ['b.example', 'news.b.example', idn('bücher.example')] as const;

function idn(name: string): string {
  const domain = asciiDomain(name);
  if (!domain.ok) throw new Error(domain.reason);
  return domain.name;
}

const BASE: StoredContent = {
  from: { name: 'Shop', address: 'shop@b.example' },
  to: [{ name: null, address: 'anna@c.example' }],
  cc: [],
  replyTo: [],
  subject: 'Hi',
  html: null,
  text: 'Hello',
  headers: [],
  attachments: [],
};

const texts: Readonly<Record<string, string | null>> = {
  'no text': null,
  'one word': 'Hello',
  'empty lines at the end': 'Hello\n\n\n  \n\t\n',
  'nothing but white space': ' \r\n \t\r\n',
  'white space everywhere': '  a \t b  \n\t\tc   \n   \n d\t\n',
  'lone dots and From': '.\n..\n.a\nFrom me\n>From you\n--\n-- \nx',
  'mixed line ends': 'a\rb\nc\r\nd\n\re',
  'lines of 76 and 77': `${'x'.repeat(76)}\n${'y'.repeat(77)}\n`,
  'one line of 5,000': 'word '.repeat(1_000),
  'no space in 3,000': 'z'.repeat(3_000),
  'some letters past ASCII': 'Grüße aus Köln, cafés à Paris\n'.repeat(30),
  'Cyrillic and emoji': 'Привет, мир 🎉 👩‍👩‍👧‍👦\n'.repeat(20),
  'control characters': 'a\x0bb\x0cc\x1bd\x7fe\n',
};

const htmls: Readonly<Record<string, string | null>> = {
  'no HTML': null,
  'small HTML': '<p>Hello</p>',
  'indented HTML': `<html>\n  <body>\n\t<table>\n${'      <tr>\t<td> =3D "é" </td>  </tr>  \n'.repeat(40)}  </body>\n</html>\n`,
  'HTML in one line': `<p>${'<b>x</b>'.repeat(2_000)}</p>`,
  'HTML in Chinese': `<p>${'你好，世界。'.repeat(500)}</p>`,
  'HTML with what looks like a boundary': '<p>\n--=_-abc\nContent-Type: text/plain\n\nx\n--=_-abc--\n</p>',
};

const subjects = [
  '',
  ' leading and trailing ',
  'two  spaces\tand a tab',
  'Grüße 🎉 aus Köln',
  '件名'.repeat(60),
  '=?utf-8?q?not_encoded?=',
  'a, "b"; <c> (d) \\e: f@g',
  'long '.repeat(100).trim(),
  'x'.repeat(950),
  'à\u00a0é',
];

const names = [
  'Anna',
  'Müller, "Jörg" <j>',
  '山田太郎',
  'x'.repeat(200),
  'O\u2019Brien (Ltd.)',
  '=?x?=',
  'Ünï '.repeat(50),
  '\\"',
];

const headerSets: StoredContent['headers'][] = [
  [
    { name: 'List-Unsubscribe', value: '<https://b.example/u/1>, <mailto:u@b.example?subject=u>' },
    { name: 'List-Unsubscribe-Post', value: 'List-Unsubscribe=One-Click' },
  ],
  [
    { name: 'LIST-ID', value: '"My list" <list.b.example>' },
    { name: 'List-Help', value: '<https://b.example/help>' },
    { name: 'List-Archive', value: '<https://b.example/a>' },
  ],
  [
    { name: 'In-Reply-To', value: '<1@b.example>' },
    { name: 'References', value: Array.from({ length: 30 }, (_, n) => `<id${n}@b.example>`).join(' ') },
  ],
  [
    { name: 'X-A', value: '1' },
    { name: 'X-A', value: '2' },
    { name: 'x-b', value: 'ü '.repeat(100).trim() },
    { name: 'Auto-Submitted', value: 'auto-generated' },
    { name: 'Precedence', value: 'bulk' },
  ],
];

const fileNames = [
  'a.pdf',
  'Übersicht "1".pdf',
  `${'lang'.repeat(60)}.txt`,
  '名前.png',
  "a'b*c%20.txt",
  'semi;colon=x.csv',
  'no extension',
  '🎉.zip',
];
const sizes = [0, 1, 56, 57, 58, 114, 1_000, 20_000, 10 * 1_024 * 1_024];
const types = [
  'application/octet-stream',
  'text/calendar; method=REQUEST; charset=utf-8',
  'image/png',
  'text/plain',
  'application/x-long; name="x"',
];

/** Octets of every value, the same at each run. */
function octets(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0, state = length + 1; at < length; at++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

function file(over: Partial<StoredAttachment>): StoredAttachment {
  return { name: 'a.pdf', contentType: 'application/pdf', contentId: null, content: octets(300), ...over };
}

/** At least 200, the same at each run. */
export function madeItems(): readonly CorpusItem[] {
  const items: CorpusItem[] = [];
  const add = (name: string, over: Partial<StoredContent>) => {
    const domain = fromDomains[items.length % fromDomains.length] ?? 'b.example';
    items.push({ name, content: { ...BASE, from: { name: 'Shop', address: `shop@${domain}` }, ...over } });
  };
  for (const [textName, text] of Object.entries(texts)) {
    for (const [htmlName, html] of Object.entries(htmls)) add(`${textName}, ${htmlName}`, { text, html });
  }
  const image = file({ name: 'logo.png', contentType: 'image/png', contentId: 'logo' });
  const shapes: [string, Partial<StoredContent>][] = [
    ['text', {}],
    ['HTML', { text: null, html: '<img src="cid:logo">' }],
    ['both', { html: '<img src="cid:logo">' }],
  ];
  const attached: [string, StoredAttachment[]][] = [
    ['an inline image', [image]],
    ['two inline images', [image, { ...image, contentId: 'other' }]],
    ['a file', [file({})]],
    ['an image and a file', [file({}), image]],
    ['a message', [file({ name: 'm.eml', contentType: 'message/rfc822', content: Buffer.from('A: b\n\nc\n') })]],
    ['an 8-bit message', [file({ name: 'm.eml', contentType: 'message/rfc822', content: Buffer.from('A: b\n\nü\n') })]],
    ['twenty files', Array.from({ length: 20 }, (_, index) => file({ name: `${index}.bin`, content: octets(index) }))],
  ];
  for (const [shape, over] of shapes) {
    for (const [kind, attachments] of attached) add(`${shape} with ${kind}`, { ...over, attachments });
  }
  for (const subject of subjects) {
    add(`subject ${JSON.stringify(subject.slice(0, 30))}`, { subject });
    add(`the same with HTML ${JSON.stringify(subject.slice(0, 30))}`, {
      subject,
      html: '<p>x</p>',
      headers: headerSets[3] ?? [],
    });
  }
  for (const name of names) {
    const mailbox = { name, address: `r@${idn('größe.example')}` };
    add(`recipient called ${name.slice(0, 30)}`, {
      to: [mailbox],
      cc: [mailbox, { name: null, address: 'x@c.example' }],
      replyTo: [mailbox],
    });
    add(`fifty called ${name.slice(0, 30)}`, {
      to: Array.from({ length: 50 }, (_, n) => ({ name: `${name} ${n}`, address: `r${n}@c.example` })),
    });
    add(`sender called ${name.slice(0, 30)}`, { from: { name, address: `shop@${fromDomains[2]}` } });
  }
  add('a quoted local part', { to: [{ name: null, address: '"a b, c"@c.example' }] });
  add('no To at all', { to: [], cc: [] });
  for (const headers of headerSets) {
    add(`headers ${headers[0]?.name}`, { headers });
    add(`headers ${headers[0]?.name} with a file`, { headers, attachments: [file({})], html: '<p>' });
  }
  for (const name of fileNames) add(`file called ${name.slice(0, 20)}`, { attachments: [file({ name })] });
  for (const size of sizes) add(`file of ${size} octets`, { attachments: [file({ content: octets(size) })] });
  for (const contentType of types) {
    for (const size of [10, 3_000])
      add(`file of ${size} as ${contentType}`, { attachments: [file({ contentType, content: octets(size) })] });
  }
  for (let index = 0; index < 20; index++) {
    const bytes = octets(500 + index * 97);
    add(`random text ${index}`, {
      text: bytes.toString('latin1').replaceAll('\0', ''),
      html: index % 2 === 0 ? null : bytes.toString('base64'),
      subject: `n ${index}`,
    });
  }
  return items;
}

/** With addresses that only UTF-8 can carry: these need SMTPUTF8. */
export function utf8Items(): readonly CorpusItem[] {
  return [
    { name: 'a local part past ASCII', content: { ...BASE, to: [{ name: 'Jörg', address: 'jörg@c.example' }] } },
    {
      name: 'the same at the sender',
      content: { ...BASE, from: { name: null, address: 'büro@b.example' }, html: '<p>ü</p>' },
    },
    {
      name: 'an à, whose second octet looks like a space',
      content: { ...BASE, replyTo: [{ name: 'à', address: 'à@c.example' }] },
    },
  ];
}

/** Each file of the shared corpus twice: its parts as a new message, and itself attached. */
export async function sharedItems(): Promise<readonly CorpusItem[]> {
  const items: CorpusItem[] = [];
  for (const [index, name] of readdirSync(SHARED).sort().entries()) {
    const raw = readFileSync(join(SHARED, name));
    const parsed = await simpleParser(raw, { skipTextToHtml: true, skipImageLinks: true, skipHtmlToText: true });
    const domain = fromDomains[index % fromDomains.length] ?? 'b.example';
    const from = { name: null, address: `resent@${domain}` };
    const attachments = parsed.attachments.map((one) =>
      file({
        name: clean(one.filename ?? 'unnamed') || 'unnamed',
        contentType: /^[\w.+-]+\/[\w.+-]+$/.test(one.contentType) ? one.contentType : 'application/octet-stream',
        contentId: /^[\w.@-]+$/.test(one.cid ?? '') ? (one.cid ?? null) : null,
        content: one.content,
      }),
    );
    const html = typeof parsed.html === 'string' ? parsed.html.replaceAll('\0', '') : null;
    const text = parsed.text?.replaceAll('\0', '') ?? null;
    items.push({
      name: `${name} again`,
      content: { ...BASE, from, subject: clean(parsed.subject ?? ''), html, text, attachments },
    });
    const itself = file({ name, contentType: 'message/rfc822', content: raw });
    items.push({ name: `${name} attached`, content: { ...BASE, from, attachments: [itself] } });
  }
  return items;
}

function clean(text: string): string {
  return text
    .toWellFormed()
    .replace(/\p{Cc}|\p{Zl}|\p{Zp}/gu, '')
    .slice(0, 200)
    .toWellFormed();
}
