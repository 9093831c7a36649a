// dns-packet has no types of its own; these are the parts that are used here, and by the DNS server of the tests.

declare module 'dns-packet' {
  export interface Question {
    readonly name: string;
    readonly type: string;
    readonly class?: string;
  }
  export interface Tlsa {
    readonly usage: number;
    readonly selector: number;
    readonly matchingType: number;
    readonly certificate: Buffer;
  }
  export interface Soa {
    readonly mname: string;
    readonly rname: string;
    readonly serial: number;
    readonly refresh: number;
    readonly retry: number;
    readonly expire: number;
    readonly minimum: number;
  }
  export type Answer =
    | {
        readonly name: string;
        readonly type: 'A' | 'AAAA' | 'CNAME' | 'PTR';
        readonly ttl: number;
        readonly data: string;
      }
    | { readonly name: string; readonly type: 'TXT'; readonly ttl: number; readonly data: string | readonly string[] }
    | { readonly name: string; readonly type: 'TLSA'; readonly ttl: number; readonly data: Tlsa }
    | {
        readonly name: string;
        readonly type: 'MX';
        readonly ttl: number;
        readonly data: { readonly preference: number; readonly exchange: string };
      }
    | { readonly name: string; readonly type: 'SOA'; readonly ttl: number; readonly data: Soa };
  /** EDNS, RFC 6891. */
  export interface OptRecord {
    readonly type: 'OPT';
    readonly name: '.';
    readonly udpPayloadSize: number;
    readonly flags: number;
  }
  export interface Packet {
    readonly type: 'query' | 'response';
    readonly id: number;
    /** Lowest four bits: the response code. */
    readonly flags: number;
    readonly questions: readonly Question[];
    readonly answers?: readonly Answer[];
    readonly authorities?: readonly Answer[];
    readonly additionals?: readonly OptRecord[];
  }
  export interface Decoded extends Packet {
    readonly questions: readonly Question[];
    readonly answers: readonly Answer[];
    readonly authorities: readonly Answer[];
    readonly flag_ad: boolean;
    readonly flag_tc: boolean;
    readonly rcode: string;
  }
  export const AUTHENTIC_DATA: number;
  export const DNSSEC_OK: number;
  export const RECURSION_DESIRED: number;
  export const RECURSION_AVAILABLE: number;
  export const TRUNCATED_RESPONSE: number;
  export function encode(packet: Packet): Buffer;
  export function decode(bytes: Buffer): Decoded;
  export function streamEncode(packet: Packet): Buffer;
  export function streamDecode(bytes: Buffer): Decoded;
}
