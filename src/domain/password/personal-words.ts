// Words that an attacker tries first for this person and this product: parts of the address, names, what we are called.

/** All lower case, as `foldWord` leaves them. */
const PRODUCT_WORDS = [
  'veredus',
  'postmark',
  'postmarkapp',
  'transactional',
  'newsletter',
  'mailserver',
  'sendmail',
  'sendgrid',
  'mailgun',
  'email',
  'mail',
  'smtp',
];

/** A name can be as long as its owner likes, and each word is looked for at each place of the password. */
const MAX_TEXT = 320;
const MAX_WORD = 32;
const MAX_WORDS = 48;
const MIN_WORD = 3;

/** Case, accents and the several ways to write a letter do not make another word. */
export function foldWord(text: string): string {
  return text.normalize('NFKD').toLowerCase().replaceAll(/\p{M}/gu, '');
}

/** The likeliest first: the person's own, then the product's. `about`: addresses and names. */
export function personalWords(about: readonly string[]): readonly string[] {
  const words = new Set<string>();
  for (const text of about) {
    // An address is also tried without its domain, and its domain without its dots.
    const wholes = [text, ...text.split('@')].map((part) => foldWord(part.slice(0, MAX_TEXT)));
    for (const whole of wholes) {
      add(words, whole.replaceAll(/[^\p{L}\p{N}]+/gu, ''));
      for (const word of whole.split(/[^\p{L}\p{N}]+/u)) add(words, word);
    }
  }
  return [...[...words].slice(0, MAX_WORDS), ...PRODUCT_WORDS];
}

function add(words: Set<string>, word: string): void {
  if (word.length >= MIN_WORD) words.add(word.slice(0, MAX_WORD));
}
