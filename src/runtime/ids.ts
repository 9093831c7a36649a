// UUIDv7 (RFC 9562 §5.7), made in the process: an id must exist before its row does.
import type { Clock, Ids, Random } from './ports.ts';

/** rand_a and the 14 bits of rand_b beside the variant. Half of it is headroom: 33 million ids in a millisecond. */
const PLAIN_BITS = 26;
/** rand_a belongs to the bucket, so the counter takes 30 bits of rand_b and leaves 32 random ones. */
const BUCKET_BITS = 30;
/** Random characters drawn at once: 1,024 ids to a call of the generator. */
const POOL_CHARACTERS = 12 * 1_024;

export function createIds(clock: Clock, random: Random): Ids {
  const draw = hexPool(random);
  const plain = createSequence(clock, draw, PLAIN_BITS);
  const bucketed = createSequence(clock, draw, BUCKET_BITS);
  return {
    next() {
      plain.advance();
      const { counter } = plain;
      return `${plain.time}-7${hex3(counter >>> 14)}-${hex4(0x8000 | (counter & 0x3fff))}-${draw(12)}`;
    },
    nextInBucket(bucket) {
      bucketed.advance();
      const { counter } = bucketed;
      const low = hex4(counter & 0xffff);
      return `${bucketed.time}-7${hex3(bucket & 0xfff)}-${hex4(0x8000 | (counter >>> 16))}-${low}${draw(8)}`;
    },
  };
}

interface Sequence {
  /** The 48 bits of time as they stand in the id: `xxxxxxxx-xxxx`. */
  time: string;
  counter: number;
  advance(): void;
}

/**
 * Time and counter that never go back together (RFC 9562 §6.2, method 1): a clock set back keeps the time reached, a
 * counter that runs over borrows a millisecond of the future. Each millisecond starts in the lower half of the counter, at
 * random, so that processes do not meet.
 */
function createSequence(clock: Clock, draw: (characters: number) => string, bits: number): Sequence {
  let reached = -1;
  const start = (ms: number) => {
    reached = ms;
    const hex = ms.toString(16).padStart(12, '0');
    sequence.time = `${hex.slice(0, 8)}-${hex.slice(8)}`;
    sequence.counter = Number.parseInt(draw(8), 16) & (2 ** (bits - 1) - 1);
  };
  const sequence: Sequence = {
    time: '',
    counter: 0,
    advance() {
      const now = clock.now().getTime();
      if (now > reached) start(now);
      else if (sequence.counter === 2 ** bits - 1) start(reached + 1);
      else sequence.counter += 1;
    },
  };
  return sequence;
}

function hexPool(random: Random): (characters: number) => string {
  let pool = '';
  let used = 0;
  return (characters) => {
    if (used + characters > pool.length) {
      pool = random.bytes(POOL_CHARACTERS / 2).toString('hex');
      used = 0;
    }
    used += characters;
    return pool.slice(used - characters, used);
  };
}

const THREE = Array.from({ length: 4_096 }, (_, value) => value.toString(16).padStart(3, '0'));

function hex3(value: number): string {
  return THREE[value] ?? '000';
}

function hex4(value: number): string {
  return (0x10000 | value).toString(16).slice(1);
}
