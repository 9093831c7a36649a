// Emails to send: text and HTML as shops and products write them, no two bodies alike, the same ones on every run.

/** Digits stand here in each email sent: the load generator writes a number of its own over it. */
export const MARKER = '#########';

export const DOMAIN = 'bench.example';

const WORDS = (
  'account address again amount answer arrive balance before below between button cancel card change charge check click ' +
  'code confirm contact copy customer date delivery details device discount download due email ends enter expires extra ' +
  'first follow free gift hello help here hours if invoice item keep last link list login manage message minutes month ' +
  'need new next note notice number offer once online open order our package page paid parcel password payment plan ' +
  'please price profile question quick ready receipt receive refund remember reply request reset return review safe save ' +
  'secure see send service settings ship shop sign soon start status store subscription support team thank the their ' +
  'this ticket time today total track transfer travel until update use valid view visit wait week welcome when with you your'
).split(' ');

export interface Letter {
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

/** Text and HTML together have about `bytes`. */
export function writeLetter(seed: number, bytes: number): Letter {
  const random = mulberry32(seed);
  const subject = `Receipt ${MARKER}`;
  const textBytes = Math.floor(bytes * 0.35);
  let text = `Hello,\n\nthank you for your order ${MARKER}.\n\n`;
  while (text.length < textBytes - 40) text += `${sentence(random)}\n`;
  text += '\nKind regards,\nThe shop\n';
  let html =
    '<!doctype html><html><head><meta charset="utf-8"><title>Receipt</title></head>' +
    '<body style="margin:0;font-family:Helvetica,Arial,sans-serif;color:#1f2933">' +
    `<h1 style="font-size:20px">Thank you for your order ${MARKER}</h1>`;
  const end = '<p style="color:#7b8794">Kind regards, the shop</p></body></html>';
  while (html.length + text.length + end.length < bytes - 120) {
    const path = Math.floor(random() * 0xffff_ffff).toString(36);
    html += `<p style="line-height:1.5">${sentence(random)} <a href="https://shop.example/o/${path}">${word(random)}</a></p>\n`;
  }
  return { subject, text, html: html + end };
}

/** The `input` of sendEmail. `run` keeps idempotency keys of different runs apart. */
export function emailInput(letter: Letter, run: string) {
  return {
    from: `Shop <orders@${DOMAIN}>`,
    to: [`customer-${MARKER}@mail.example`],
    ...letter,
    tag: 'receipt',
    metadata: { order: MARKER },
    idempotencyKey: `${run}-${MARKER}`,
  };
}

export function sendEmailBody(letter: Letter, run: string): string {
  return JSON.stringify({
    query:
      'mutation Send($input: SendEmailInput!) { sendEmail(input: $input) { __typename ... on Message { id } ... on Error { message } } }',
    variables: { input: emailInput(letter, run) },
  });
}

export function sendEmailsBody(letters: readonly Letter[], run: string): string {
  return JSON.stringify({
    query:
      'mutation Batch($input: SendEmailsInput!) { sendEmails(input: $input) { __typename ... on Message { id } ... on Error { message } } }',
    variables: { input: { messages: letters.map((letter) => emailInput(letter, run)) } },
  });
}

/** How the answer tells an accepted email. */
export const ACCEPTED = '"__typename":"Message"';

function sentence(random: () => number): string {
  const words = Array.from({ length: 8 + Math.floor(random() * 8) }, () => word(random));
  const text = words.join(' ');
  return `${text.charAt(0).toUpperCase()}${text.slice(1)} ${Math.floor(random() * 1_000_000)}.`;
}

function word(random: () => number): string {
  return WORDS[Math.floor(random() * WORDS.length)] ?? 'order';
}

/** Small and good enough; seeded, so that every run sends the same. */
export function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
