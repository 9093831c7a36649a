// Terms under which a message is found by what it has many of: words of its subject and pairs of its metadata.

/** Words of a subject that are indexed; a filter's further words would find nothing, so it uses as many. */
const MAX_WORDS = 12;
const MAX_WORD_LENGTH = 40;
const WORD = /[\p{L}\p{N}]+/gu;

/** Case and compatibility forms do not matter; punctuation parts words. */
export function subjectTerms(subject: string): number[] {
  const words = new Set<string>();
  for (const [word] of subject.normalize('NFKC').toLowerCase().matchAll(WORD)) {
    words.add(word.slice(0, MAX_WORD_LENGTH));
    if (words.size === MAX_WORDS) break;
  }
  return [...words].map((word) => hash53(`s:${word}`));
}

export function metadataTerms(metadata: Readonly<Record<string, string>>): number[] {
  return Object.entries(metadata).map(([key, value]) => hash53(`m:${key}\0${value}`));
}

/**
 * 53 bits of a multiplicative hash: exact as a JavaScript number. Terms are kept apart by server, so that a made
 * collision harms only its maker; among a million terms of one server a chance one has odds of 1 to 18,000.
 */
function hash53(text: string): number {
  let high = 0xdeadbeef;
  let low = 0x41c6ce57;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    high = Math.imul(high ^ code, 2654435761);
    low = Math.imul(low ^ code, 1597334677);
  }
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909);
  return 4294967296 * (2097151 & low) + (high >>> 0);
}
