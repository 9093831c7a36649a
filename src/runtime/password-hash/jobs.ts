// What goes between a process and the one that hashes for it. One job is on its way at a time, so none needs a number.

export type Job =
  | { readonly kind: 'hash'; readonly password: string }
  | { readonly kind: 'verify'; readonly hash: string; readonly password: string };

export interface Hashed {
  readonly hash: string;
}

export interface Verified {
  readonly matches: boolean;
  readonly rehash: string | null;
}

export type Answer = Hashed | Verified | { readonly failure: string };
