// What is new in a reply: quotations and signatures in many languages, from many programs, as text and as HTML; and that
// no text takes long.
import { describe, expect, test } from 'vitest';
import { stripHtml, stripText } from '#/mail/reply/stripped-reply.ts';

const reply = (...lines: string[]) => stripText(lines.join('\n')).reply;
const ofHtml = (html: string) => stripHtml(html).reply.replace(/\s+/g, ' ');

describe('an announced quotation is cut', () => {
  test.each([
    'On Mon, Mar 2, 2026 at 9:05 AM Anna Berg <anna@b.example> wrote:',
    'On 02/03/2026 09:05, Anna Berg wrote:',
    'Am Mo., 2. März 2026 um 09:05 Uhr schrieb Anna Berg <anna@b.example>:',
    'Am 02.03.26 um 09:05 schrieb Anna Berg:',
    'Le lun. 2 mars 2026 à 09:05, Anna Berg <anna@b.example> a écrit :',
    'El lun, 2 mar 2026 a las 9:05, Anna Berg (<anna@b.example>) escribió:',
    'Em seg., 2 de mar. de 2026 às 09:05, Anna Berg <anna@b.example> escreveu:',
    'Il giorno lun 2 mar 2026 alle ore 09:05 Anna Berg <anna@b.example> ha scritto:',
    'Op ma 2 mrt 2026 om 09:05 schreef Anna Berg <anna@b.example>:',
    'Den mån 2 mars 2026 kl 09:05 skrev Anna Berg <anna@b.example>:',
    'man. 2. mars 2026 kl. 09:05 skrev Anna Berg <anna@b.example>:',
    'ma 2. maalisk. 2026 klo 9.05 Anna Berg (anna@b.example) kirjoitti:',
    'pon., 2 mar 2026 o 09:05 Anna Berg <anna@b.example> napisał(a):',
    'po 2. 3. 2026 v 9:05 odesílatel Anna Berg <anna@b.example> napsal:',
    'пн, 2 мар. 2026 г. в 09:05, Anna Berg <anna@b.example>:',
    'Понедельник, 2 марта 2026, 9:05 +03:00 от Anna Berg <anna@b.example>:',
    'Anna Berg <anna@b.example>, 2 Mar 2026 Pzt, 09:05 tarihinde şunu yazdı:',
    'Anna Berg <anna@b.example> ezt írta (időpont: 2026. márc. 2., H, 9:05):',
    '2026年3月2日(月) 9:05 Anna Berg <anna@b.example>:',
    'Anna Berg <anna@b.example> 于2026年3月2日周一 09:05写道：',
    '2026년 3월 2일 (월) 오전 9:05, Anna Berg <anna@b.example>님이 작성:',
    'În lun., 2 mar. 2026 la 09:05, Anna Berg <anna@b.example> a scris:',
    'Στις Δευ 2 Μαρ 2026 στις 9:05 π.μ., ο χρήστης Anna Berg <anna@b.example> έγραψε:',
    'Vào Th 2, 2 thg 3, 2026 vào lúc 09:05 Anna Berg <anna@b.example> đã viết:',
    '\u202bבתאריך יום ב׳, 2 במרץ 2026 ב-9:05 מאת \u202aAnna Berg\u202c\u200f <\u202aanna@b.example\u202c\u200f>:\u200f',
    'في الاثنين، 2 مارس 2026 في 9:05 ص تمت كتابة ما يلي بواسطة Anna <anna@b.example>:',
    'Anna Berg <anna@b.example> wrote:',
    '---- On Mon, 02 Mar 2026 09:05:00 +0100 Anna Berg <anna@b.example> wrote ----',
    '-----Original Message-----',
    '-------- Ursprüngliche Nachricht --------',
    '----- Mensaje original -----',
    "-----Message d'origine-----",
  ])('%s', (line) => {
    expect(reply('Yes, gladly.', '', line, '', '> Shall we?', '> Anna')).toBe('Yes, gladly.');
    expect(reply('Yes, gladly.', '', line, '', 'Shall we?')).toBe('Yes, gladly.');
  });

  test('over several lines, and behind text', () => {
    expect(
      reply(
        'Yes.',
        '',
        'On Mon, Mar 2, 2026 at 9:05 AM Anna Berg with a long name',
        '<anna@b.example>',
        'wrote:',
        '',
        'old',
      ),
    ).toBe('Yes.');
    expect(reply('Yes. On Mon, Mar 2, 2026 at 9:05 AM, anna@b.example wrote:', '> old')).toBe('Yes.');
  });
});

describe('the header of the quoted mail is cut', () => {
  test.each([
    ['From: Anna <a@b.example>', 'Sent: Monday, 2 March 2026 09:05', 'To: Ben', 'Subject: Lunch'],
    ['*From:* Anna <a@b.example>', '*Date:* Monday', '*To:* Ben', '*Subject:* Lunch'],
    ['Von: Anna <a@b.example>', 'Gesendet: Montag, 2. März 2026 09:05', 'An: Ben', 'Betreff: Essen'],
    ['De : Anna <a@b.example>', 'Envoyé : lundi 2 mars 2026 09:05', 'À : Ben', 'Objet : Déjeuner'],
    ['Van: Anna', 'Verzonden: maandag 2 maart 2026 09:05', 'Aan: Ben', 'Onderwerp: Lunch'],
    ['От: Anna <a@b.example>', 'Отправлено: 2 марта 2026 г. 9:05', 'Кому: Ben', 'Тема: Обед'],
    ['发件人: Anna', '发送时间: 2026年3月2日 9:05', '收件人: Ben', '主题: 午餐'],
    ['差出人: Anna', '送信日時: 2026年3月2日 9:05', '宛先: Ben', '件名: 昼食'],
    ['Ohh: Anna <a@b.example>', 'Zzz: 2. 3. 2026 9:05', 'Qqq: Ben', 'Rrr: Lunch'],
  ])('%s', (...header) => {
    expect(reply('Yes.', '', ...header, '', 'Shall we?')).toBe('Yes.');
    expect(reply('Yes.', '________________________________', ...header, '', 'Shall we?')).toBe('Yes.');
  });
});

describe('what is written by who replies is kept', () => {
  test.each([
    ['text below a quotation', ['On 2 Mar 2026, Anna wrote:', '> Shall we?', '', 'Yes.'], 'Yes.'],
    [
      'text around a quotation',
      ['Hi,', '', 'On 2 Mar 2026 at 9:05, Anna wrote:', '> Shall we?', '', 'Yes.'],
      'Hi,\n\nYes.',
    ],
    ['a lone quoted line', ['> Shall we?', 'Yes.'], '> Shall we?\nYes.'],
    ['a trip', ['From: Berlin', 'To: Munich', 'Fine?'], 'From: Berlin\nTo: Munich\nFine?'],
    ['a time', ['We meet at 10:30.', 'Bring this:', 'a pen'], 'We meet at 10:30.\nBring this:\na pen'],
    ['a story', ['In 2019 he wrote:', 'nothing.'], 'In 2019 he wrote:\nnothing.'],
    ['a heading', ['---- Agenda ----', 'one'], '---- Agenda ----\none'],
    [
      'a sentence at the end',
      ['Yes.', '', 'Sent from my desk, which is easier.'],
      'Yes.\n\nSent from my desk, which is easier.',
    ],
    [
      'the word sent',
      ['It was sent from my iPhone to all.', 'Sent from the main server, as always.'],
      'It was sent from my iPhone to all.\nSent from the main server, as always.',
    ],
  ])('%s', (_, lines, expected) => {
    expect(reply(...lines)).toBe(expected);
  });

  test('answers between quoted lines, with the lines', () => {
    const text = 'On 2 Mar 2026 at 9:05, Anna wrote:\n> One?\n\nYes.\n\n> Two?\n\nNo.\n\n> Three?\n\nPerhaps.';
    expect(reply(text)).toBe(text);
  });

  test('a message that is passed on', () => {
    const text =
      'FYI\n\n---------- Forwarded message ---------\nFrom: Anna <a@b.example>\nDate: Mon, Mar 2, 2026\nSubject: Lunch\nTo: Ben\n\nShall we?';
    expect(reply(text)).toBe(text);
  });
});

describe('a signature', () => {
  test.each([
    ['-- ', 'Ben'],
    ['--', 'Ben', 'b.example'],
    ['Sent from my iPhone'],
    ['Gesendet von meinem iPhone'],
    ['Envoyé de mon iPhone'],
    ['Get Outlook for Android'],
  ])('%s', (...lines) => {
    expect(stripText(`Yes.\n\n${lines.join('\n')}\n`)).toEqual({
      reply: 'Yes.',
      signature: lines.map((line) => line.trim()).join('\n'),
    });
  });

  test('stays above a quotation, and is told', () => {
    expect(stripText('Yes.\n\n-- \nBen\n\nOn 2 Mar 2026 at 9:05, Anna wrote:\n> Shall we?')).toEqual({
      reply: 'Yes.\n\n--\nBen',
      signature: '--\nBen',
    });
  });
});

describe('HTML', () => {
  test.each([
    [
      'Gmail',
      '<div dir="ltr">Yes &amp; no.</div><br><div class="gmail_quote"><div class="gmail_attr">On …</div><blockquote>old</blockquote></div>',
    ],
    [
      'Apple',
      '<div>Yes &amp; no.</div><div><blockquote type="cite">On Mar 2, 2026, at 9:05, Anna wrote:<br><p>old</p></blockquote></div>',
    ],
    [
      'Thunderbird',
      '<p>Yes &amp; no.</p><div class="moz-cite-prefix">Am 02.03.26 um 09:05 schrieb Anna:<br></div><blockquote type="cite">old</blockquote>',
    ],
    [
      'Outlook',
      '<style>p {}</style><p>Yes &amp; no.</p><div style="border-top:solid"><p><b>From:</b> Anna &lt;a@b.example&gt;<br><b>Sent:</b> Monday, March 2, 2026 9:05 AM<br><b>To:</b> Ben<br><b>Subject:</b> x</p></div><p>old</p>',
    ],
    ['Outlook on the web', '<div>Yes &amp; no.</div><hr><div id="divRplyFwdMsg"><b>Von:</b> Anna</div><div>old</div>'],
    ['Yahoo', '<div>Yes &amp; no.</div><div id="ydp1yahoo_quoted_1" class="yahoo_quoted">old</div>'],
  ])('of %s', (_, html) => {
    expect(ofHtml(html)).toBe('Yes & no.');
  });

  test('keeps what is passed on', () => {
    const html =
      '<div>FYI</div><div class="gmail_quote"><div>---------- Forwarded message ---------<br>From: A<br></div>new</div>';
    expect(ofHtml(html)).toContain('new');
  });

  test('without a quotation is its text', () => {
    expect(
      ofHtml('<html><head><title>x</title></head><body>a <b>b</b><!-- c --> &#8364; 1 < 2 <script>d</script></body>'),
    ).toBe('a b € 1 < 2');
  });
});

describe('no text takes long', () => {
  const long = (unit: string, length = 300_000) => unit.repeat(Math.ceil(length / unit.length));
  const texts = [
    'x',
    ' ',
    '\n',
    '-',
    '_',
    '> ',
    '>\n',
    'On ',
    'On 5 Jan 2019 10:30\n',
    'From: a\n',
    'a: 2019\n',
    'wrote (\n',
    '10:30 a@b 1/1/2019\n',
    '> a\n\nb\n\n',
    `${'-'.repeat(480)}a\n`,
  ];
  const htmls = [
    '<',
    '<a',
    '<a b="',
    '<blockquote>',
    '<div>',
    '<!--',
    '&',
    '<style>',
    '<p class=a id=b>x',
    '<td>x',
    '<br>On 5 Jan 2019 wrote',
    '</p><p>',
  ];

  test.each([...texts.map((unit) => ['text', unit]), ...htmls.map((unit) => ['html', unit])])(
    '%s of %j',
    (kind, unit) => {
      const text = long(unit ?? '');
      let best = Number.POSITIVE_INFINITY;
      for (let tries = 0; tries < 3; tries++) {
        const start = process.cpuUsage();
        if (kind === 'text') stripText(text);
        else stripHtml(text);
        const { user, system } = process.cpuUsage(start);
        best = Math.min(best, (user + system) / 1_000);
      }
      expect(best).toBeLessThan(150);
    },
  );
});
