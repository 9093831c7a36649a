// Words that an attacker tries first for this person and this product: parts of the address, names, what we are called.

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
/** "Password" and the first row of keys where the lists, which are of Latin letters, do not know them. */
const ELSEWHERE = ['пароль', 'йцукен', 'パスワード', '비밀번호', 'κωδικός'];

/** A name can be as long as its owner likes, and each word is looked for at each place of the password. */
const MAX_TEXT = 320;
const MAX_WORD = 32;
const MAX_WORDS = 48;
const MIN_WORD = 3;

/** Case, accents and the several ways to write a letter do not make another word. */
export function foldWord(text: string): string {
  return text.normalize('NFKD').toLowerCase().replaceAll(/\p{M}/gu, '');
}

const COMMON_TO_ALL = [...PRODUCT_WORDS, ...ELSEWHERE].map(foldWord);

/** The likeliest first: the person's own, then those of everybody here. `about`: addresses and names. */
export function personalWords(about: readonly string[]): readonly string[] {
  const words = new Set<string>();
  for (const text of about) {
    // An address is also tried without its domain, and its domain without its dots.
    for (const part of new Set([text, ...text.slice(0, MAX_TEXT).split('@')])) {
      const pieces = foldWord(part.slice(0, MAX_TEXT)).split(/[^\p{L}\p{N}]+/u);
      add(words, pieces.join(''));
      for (const [index, piece] of pieces.entries()) {
        add(words, piece);
        add(words, piece + (pieces[index + 1] ?? ''));
      }
    }
  }
  return [...[...words].slice(0, MAX_WORDS), ...COMMON_TO_ALL];
}

function add(words: Set<string>, word: string): void {
  if (word.length >= MIN_WORD) words.add(word.slice(0, MAX_WORD));
}
