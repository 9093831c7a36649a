// From nothing to an open session: dial, TLS, greeting, EHLO, STARTTLS, AUTH, each step only after the one before.

import { connect as dial, isIP } from 'node:net';
import type { TlsFlaw } from '#/domain/delivery/tls.ts';
import type {
  Clock,
  SmtpConnectOptions,
  SmtpConnectResult,
  SmtpPhase,
  SmtpReply,
  SmtpTarget,
  SmtpTimeouts,
  TlsCheck,
} from '../ports.ts';
import type { Trust } from '../trust.ts';
import { authenticate, isLoopback } from './authenticate.ts';
import { judgeCertificate } from './certificate.ts';
import { Channel } from './channel.ts';
import { assertOneLine, type Capabilities } from './envelope.ts';
import { type RawReply, toReply } from './reply-parser.ts';
import { Session } from './session.ts';
import { defaultTimeouts } from './timeouts.ts';
import { describeTls, wrapInTls } from './tls.ts';
import { Transcript } from './transcript.ts';

export async function connect(
  target: SmtpTarget,
  options: SmtpConnectOptions,
  { clock, trust }: { readonly clock: Clock; readonly trust: Trust },
): Promise<SmtpConnectResult> {
  const failed = (failure: string): SmtpConnectResult => ({
    ok: false,
    phase: 'connect',
    reply: null,
    failure,
    tls: null,
    flaw: null,
    transcript: [],
  });
  // node would look a name up by itself, past whoever judged the address.
  if (isIP(target.address) === 0) return failed('the address to dial is not an IP address');
  if (options.signal?.aborted === true) return failed('aborted');
  try {
    assertOneLine(options.heloName, 'EHLO name');
    const { localAddress } = options;
    const socket = dial({
      host: target.address,
      port: target.port,
      noDelay: true,
      ...(localAddress !== undefined && { localAddress }),
    });
    const channel = new Channel(socket, clock);
    const abort = () => channel.fail('aborted');
    options.signal?.addEventListener('abort', abort, { once: true });
    socket.once('close', () => options.signal?.removeEventListener('abort', abort));
    return await new Opening(target, options, channel, trust).run();
  } catch (error) {
    // A port out of range or a source address that is none: node throws at once.
    return failed(error instanceof Error ? error.message : String(error));
  }
}

interface Stop {
  readonly phase: SmtpPhase;
  readonly reply: SmtpReply | null;
  readonly failure: string | null;
}

/** Each step returns null to go on, or why it stopped; after a stop the connection is gone. */
class Opening {
  readonly #target: SmtpTarget;
  readonly #options: SmtpConnectOptions;
  readonly #channel: Channel;
  readonly #trust: Trust;
  readonly #timeouts: SmtpTimeouts;
  readonly #transcript = new Transcript();
  #capabilities: Capabilities = new Map();
  #tls: string | null = null;
  #check: TlsCheck | null = null;
  #flaw: TlsFlaw | null = null;

  constructor(target: SmtpTarget, options: SmtpConnectOptions, channel: Channel, trust: Trust) {
    this.#target = target;
    this.#options = options;
    this.#channel = channel;
    this.#trust = trust;
    this.#timeouts = { ...defaultTimeouts, ...options.timeouts };
    channel.transcript = this.#transcript;
  }

  async run(): Promise<SmtpConnectResult> {
    const stop =
      (await this.#dial()) ??
      (await this.#greet()) ??
      (await this.#hello()) ??
      (await this.#startTls()) ??
      (await this.#authenticate());
    if (stop !== null) {
      this.#channel.leave();
      this.#channel.transcript = null;
      return { ok: false, ...stop, tls: this.#tls, flaw: this.#flaw, transcript: this.#transcript.lines };
    }
    this.#channel.transcript = null;
    const encryption = { tls: this.#tls, check: this.#check };
    const session = new Session(this.#target, encryption, this.#capabilities, this.#channel, this.#timeouts);
    return { ok: true, session, transcript: this.#transcript.lines };
  }

  async #dial(): Promise<Stop | null> {
    const implicit = this.#options.tls === 'implicit';
    // In plain text the peer may greet in the same turn in which the connection opens.
    this.#channel.expect(1);
    if (!(await this.#channel.ready(this.#timeouts.connect))) return this.#broken('connect');
    return implicit ? this.#handshake() : null;
  }

  async #greet(): Promise<Stop | null> {
    const greeting = await this.#channel.reply(this.#timeouts.greeting);
    return greeting?.code === 220 ? null : this.#stop('greeting', greeting);
  }

  async #hello(): Promise<Stop | null> {
    this.#channel.command(`EHLO ${this.#options.heloName}`);
    const ehlo = await this.#channel.reply(this.#timeouts.command);
    if (ehlo !== null && ehlo.code >= 200 && ehlo.code < 300) {
      this.#capabilities = capabilitiesOf(ehlo);
      return null;
    }
    if (ehlo === null || ehlo.code < 500) return this.#stop('ehlo', ehlo);
    // RFC 5321 §3.2: a server too old for EHLO; it has no extensions.
    this.#capabilities = new Map();
    this.#channel.command(`HELO ${this.#options.heloName}`);
    const helo = await this.#channel.reply(this.#timeouts.command);
    return helo !== null && helo.code >= 200 && helo.code < 300 ? null : this.#stop('ehlo', helo);
  }

  async #startTls(): Promise<Stop | null> {
    const wanted = this.#options.tls;
    if (wanted === 'none' || wanted === 'implicit') return null;
    if (!this.#capabilities.has('STARTTLS')) {
      if (wanted === 'opportunistic') return null;
      this.#flaw = 'starttls-not-supported';
      return { phase: 'starttls', reply: null, failure: 'the peer does not offer STARTTLS' };
    }
    this.#channel.command('STARTTLS');
    const ready = await this.#channel.reply(this.#timeouts.command);
    if (ready?.code !== 220) {
      this.#flaw = 'starttls-not-supported';
      return this.#stop('starttls', ready);
    }
    // Bytes behind the 220 were put there by someone who cannot speak inside TLS (RFC 3207 §6; CVE-2011-0411): the
    // channel has failed over them, as over anything that comes unasked.
    if (this.#channel.failure !== null) return this.#broken('starttls');
    return (await this.#handshake()) ?? (await this.#hello());
  }

  async #handshake(): Promise<Stop | null> {
    const { host } = this.#target;
    const { verifyCertificate, tlsa } = this.#options;
    const must = verifyCertificate || tlsa !== undefined;
    const secureContext = must ? this.#trust.strict : this.#trust.lenient;
    const secured = this.#channel.secure((socket) => wrapInTls(socket, { host, secureContext }));
    if (!(await this.#channel.ready(this.#timeouts.connect))) {
      this.#flaw = 'validation-failure';
      return this.#broken('starttls');
    }
    const { check, reason } = judgeCertificate(secured, host, tlsa);
    if (must && reason !== null) {
      this.#flaw = check.flaw;
      this.#channel.fail(reason);
      return this.#broken('starttls');
    }
    this.#check = check;
    this.#tls = describeTls(secured);
    return null;
  }

  async #authenticate(): Promise<Stop | null> {
    const { auth } = this.#options;
    if (auth === undefined) return null;
    if (this.#tls === null && !isLoopback(this.#target.address)) {
      return { phase: 'auth', reply: null, failure: 'credentials are not sent without TLS' };
    }
    const refused = await authenticate(
      this.#channel,
      auth,
      this.#capabilities.get('AUTH') ?? '',
      this.#timeouts.command,
    );
    return refused === null ? null : { phase: 'auth', ...refused };
  }

  #stop(phase: SmtpPhase, raw: RawReply | null): Stop {
    if (raw === null) return this.#broken(phase);
    return raw.code >= 400
      ? { phase, reply: toReply(raw), failure: null }
      : { phase, reply: null, failure: `unexpected reply ${raw.code}` };
  }

  #broken(phase: SmtpPhase): Stop {
    return { phase, reply: null, failure: this.#channel.failure };
  }
}

function capabilitiesOf(ehlo: RawReply): Capabilities {
  const capabilities = new Map<string, string>();
  for (const line of ehlo.lines.slice(1)) {
    // `AUTH=PLAIN LOGIN` is how servers older than RFC 4954 say it.
    const [, keyword, parameters] = /^([A-Za-z0-9][A-Za-z0-9-]*)(?:[ =]+(.*))?$/.exec(line.slice(4).trim()) ?? [];
    if (keyword !== undefined) capabilities.set(keyword.toUpperCase(), parameters ?? '');
  }
  return capabilities;
}
