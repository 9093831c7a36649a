// How a delivery scenario is written: who the receivers are, what DNS says, what is sent, and what must come of it. Carried
// out by scenario-world.ts against the real program; the catalogue is in test/scenarios.
import type { DnsZone } from './dns-server.ts';
import type { PrivateCa } from './private-ca.ts';
import type { PeerAnswer, PeerScript, SmtpPeer } from './smtp-peer.ts';

/** One script for each connection in turn, the last for all that follow. */
export type Scripts = Partial<PeerScript> | readonly Partial<PeerScript>[];

export type Hosts = Readonly<Record<string, Scripts | null>>;

export interface Scenario {
  readonly name: string;
  /** The only mail exchanger, called `mx`; unless given, one that takes everything. */
  readonly peer?: Scripts;
  /** In place of `peer`: several, in order of preference; null: nothing listens at its address. */
  readonly hosts?: Hosts | ((place: Place, authority: PrivateCa) => Hosts);
  /** What is otherwise in DNS than one MX for each host and one address for each; names are whole. */
  readonly dns?: (place: Place) => DnsZone;
  /** What changes in DNS some time after the mails were sent. */
  readonly dnsLater?: { readonly afterMs: number; readonly zone: (place: Place) => DnsZone };
  /** One mail to `ann` unless given. */
  readonly mails?: readonly ScenarioMail[];
  /** RETRY unless given. */
  readonly inDoubt?: 'NEVER_TWICE';
  /** Whatever the receiver says of itself. */
  readonly tlsPolicy?: 'REQUIRE_TLS';
  /** What the domain's host of MTA-STS answers: a policy, or an HTTP status. */
  readonly mtaSts?: (place: Place) => string | number;
  /** That host shows a certificate of another name. */
  readonly mtaStsMisnamed?: true;
  /** Of every recipient, or by local part (`*`: of all others). */
  readonly story: Story | Readonly<Record<string, Story>>;
  /** Whatever else must be so, once all of it has happened. */
  readonly check?: (saw: Saw) => void | Promise<void>;
}

export interface ScenarioMail {
  /** Local parts, or whole addresses, of which one that ends with a dot goes on with the domain; `ann` unless given. */
  readonly to?: readonly string[];
  readonly cc?: readonly string[];
  readonly subject?: string;
  readonly text?: string;
  readonly html?: string;
  readonly attachments?: readonly { readonly name: string; readonly content: Buffer }[];
  /** As an application hands it in by SMTP, in place of the parts above; Latin-1 stands for bytes. */
  readonly source?: string;
  /** Not after. */
  readonly expiresInMs?: number;
}

/** Where the scenario plays. */
export interface Place {
  readonly domain: string;
  /** Of a host, e.g. `mx` → `mx.greylist.example`. */
  readonly name: (host: string) => string;
  readonly address: (host: string) => string;
  /** Of all mail exchangers. */
  readonly port: number;
}

/** The attempts for one recipient, in order. Where the last is a deferral, more of its kind may follow. */
export type Story = readonly Step[];

export interface Step {
  /** OVERDUE is no attempt: the mail's time is over, and `ends` is how it stands then. */
  readonly outcome: 'DELIVERED' | 'DEFERRED' | 'BOUNCED' | 'IN_DOUBT' | 'OVERDUE';
  readonly ends?: 'EXPIRED' | 'IN_DOUBT';
  /** Null: there was no reply. */
  readonly code?: number | null;
  readonly says?: RegExp;
  /** The host that the attempt ended at. */
  readonly host?: string;
  readonly tls?: RegExp | null;
  /** Seconds after a deferral until the next attempt, with the program's pauses at full length. */
  readonly againIn?: readonly [least: number, most: number];
  /** Type of a bounce, and whether it suppresses the address. */
  readonly bounce?: { readonly type: string | null; readonly suppresses: boolean };
  /** As often as it takes; once at least unless `perhaps`. */
  readonly repeats?: true;
  readonly perhaps?: true;
  /** Decided by us, before or without asking the receiver. */
  readonly unsent?: true;
}

export interface SeenRecipient {
  readonly address: string;
  readonly status: string;
  readonly doubts: number;
  readonly nextAttemptAt: string | null;
  readonly attempts: readonly SeenAttempt[];
}

export interface SeenAttempt {
  readonly outcome: string | null;
  readonly smtpCode: number | null;
  readonly enhancedCode: string | null;
  readonly response: string | null;
  readonly remoteHost: string | null;
  readonly remoteAddress: string | null;
  readonly tls: string | null;
  readonly tlsVerification: string | null;
  readonly tlsPolicy: string | null;
  readonly transcript: readonly string[];
  readonly startedAt: string;
  readonly endedAt: string | null;
}

export interface Saw {
  readonly place: Place;
  readonly peer: (host?: string) => SmtpPeer;
  /** By local part. */
  readonly recipient: (localPart?: string) => SeenRecipient;
  /** Queries for a name and type so far. */
  readonly queries: (name: string, type: string) => number;
}

type More = Pick<Step, 'host' | 'tls' | 'againIn' | 'says' | 'repeats' | 'perhaps' | 'unsent'>;

export const delivered = (more: More = {}): Step => ({ outcome: 'DELIVERED', code: 250, ...more });

/** By a reply's code, or where there was none by what went wrong. */
export const deferred = (why: number | RegExp, more: More = {}): Step =>
  typeof why === 'number'
    ? { outcome: 'DEFERRED', code: why, ...more }
    : { outcome: 'DEFERRED', code: null, says: why, ...more };

export const overdue = (ends: 'EXPIRED' | 'IN_DOUBT'): Step => ({ outcome: 'OVERDUE', ends });

export const doubted = (more: More = {}): Step => ({ outcome: 'IN_DOUBT', code: null, ...more });

/** `type` null: of whatever kind. */
export const bounced = (code: number, type: string | null, more: More & { readonly suppresses?: true } = {}): Step => {
  const { suppresses = false, ...rest } = more;
  return { outcome: 'BOUNCED', code, bounce: { type, suppresses }, ...rest };
};

/** A peer that answers one command in its own way and is otherwise like all others; `.` is the end of content. */
export const at = (verb: string, answer: PeerAnswer, more: Partial<PeerScript> = {}): Partial<PeerScript> => ({
  ...more,
  answer: (command) => (command.verb === verb ? answer : null),
});

/** Each trouble once, one after the other, and then none. What is no answer to a command is of the first connection. */
export function once(trouble: Partial<PeerScript>, ...more: readonly Partial<PeerScript>[]): Scripts {
  const left = [trouble, ...more].flatMap(({ answer }) => answer ?? []);
  const answer: PeerScript['answer'] = (command, session) => {
    const given = left[0]?.(command, session) ?? null;
    if (given !== null) left.shift();
    return given;
  };
  return [{ ...trouble, answer }, { answer }];
}

export const closing = (reply: string): PeerAnswer => ({ reply, closeAfter: true });
