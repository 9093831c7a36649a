// dns-packet has no types of its own; these are the parts that the test DNS server uses.

declare module 'dns-packet' {
  export interface Question {
    readonly name: string;
    readonly type: string;
    readonly class?: string;
  }
  export type Answer =
    | { readonly name: string; readonly type: 'A' | 'AAAA' | 'CNAME'; readonly ttl: number; readonly data: string }
    | { readonly name: string; readonly type: 'TXT'; readonly ttl: number; readonly data: string | readonly string[] }
    | {
        readonly name: string;
        readonly type: 'MX';
        readonly ttl: number;
        readonly data: { readonly preference: number; readonly exchange: string };
      };
  export interface Packet {
    readonly type: 'query' | 'response';
    readonly id: number;
    /** Lowest four bits: the response code. */
    readonly flags: number;
    readonly questions: readonly Question[];
    readonly answers?: readonly Answer[];
  }
  export interface Decoded extends Packet {
    readonly questions: readonly Question[];
  }
  export const RECURSION_DESIRED: number;
  export const RECURSION_AVAILABLE: number;
  export const TRUNCATED_RESPONSE: number;
  export function encode(packet: Packet): Buffer;
  export function decode(bytes: Buffer): Decoded;
  export function streamEncode(packet: Packet): Buffer;
  export function streamDecode(bytes: Buffer): Decoded;
}
