// Two hexadecimal digits as an octet: =C3 and %C3 are read millions of times.

const DIGITS = new Int8Array(256).fill(-1);
for (let digit = 0; digit < 10; digit++) DIGITS[0x30 + digit] = digit;
for (let digit = 0; digit < 6; digit++) {
  DIGITS[0x41 + digit] = 10 + digit;
  DIGITS[0x61 + digit] = 10 + digit;
}

/** -1 where one of the two is no digit, or is missing. */
export function hexPair(high: number | undefined, low: number | undefined): number {
  const a = DIGITS[high ?? 0] as number;
  const b = DIGITS[low ?? 0] as number;
  return a < 0 || b < 0 ? -1 : (a << 4) | b;
}
