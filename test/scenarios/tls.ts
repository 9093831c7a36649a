// TLS where it is offered, whatever the certificate says, and plain text where TLS is broken, as long as no policy asks for
// more (RFC 7435). Nothing that was said before the handshake counts after it.
import { expect } from 'vitest';
import { makeSelfSigned } from '#/runtime/self-signed.ts';
import type { PeerScript } from '../support/smtp-peer.ts';
import { at, bounced, closing, deferred, delivered, doubted, once, type Scenario } from '../support/scenario.ts';

const DAY_MS = 86_400_000;
const encrypted = { startTls: 'offer' } as const;
const usual = ['PIPELINING', 'SIZE 10000000', '8BITMIME'];

const underTls = (verb: string, answer: 'drop' | 'reset' | ReturnType<typeof closing>): Partial<PeerScript> => ({
  ...encrypted,
  answer: (command, { secure }) => (secure && command.verb === verb ? answer : null),
});

export const tls: readonly Scenario[] = [
  {
    name: 'TLS is used where it is offered',
    peer: encrypted,
    story: [delivered({ tls: /^TLSv1\.3 TLS_/ })],
    check: ({ peer }) => expect(peer().messages[0]?.secure).toBe(true),
  },
  {
    name: 'plain text where TLS is not offered',
    story: [delivered({ tls: null })],
  },
  {
    name: 'a certificate of another name is no reason to send in plain text',
    peer: { ...encrypted, certificate: makeSelfSigned('somebody.else.example', new Date(), 30) },
    story: [delivered({ tls: /^TLSv1\.3/ })],
  },
  {
    name: 'nor is one that is out of date',
    peer: { ...encrypted, certificate: makeSelfSigned('mx.example', new Date(Date.now() - 400 * DAY_MS), 30) },
    story: [delivered({ tls: /^TLSv1\.3/ })],
  },
  {
    name: 'TLS 1.2 alone',
    peer: { ...encrypted, certificate: { ...makeSelfSigned('mx.example', new Date(), 30), maxVersion: 'TLSv1.2' } },
    story: [delivered({ tls: /^TLSv1\.2/ })],
  },
  {
    name: 'TLS 1.0 alone is better than plain text',
    peer: {
      ...encrypted,
      certificate: {
        ...makeSelfSigned('mx.example', new Date(), 30),
        minVersion: 'TLSv1',
        maxVersion: 'TLSv1',
        ciphers: 'DEFAULT@SECLEVEL=0',
      },
    },
    story: [delivered({ tls: /^TLSv1 / })],
  },
  ...(['454 4.7.0 TLS is not available', '502 5.5.1 Not implemented', '554 5.7.3 No'] as const).map(
    (reply): Scenario => ({
      name: `STARTTLS is offered and refused with ${reply.slice(0, 3)}: plain text`,
      peer: at('STARTTLS', reply, encrypted),
      story: [delivered({ tls: null })],
    }),
  ),
  ...(
    [
      ['break', 'is answered with garbage'],
      ['close', 'is answered with the end of the connection'],
      ['reset', 'is answered with a reset'],
      ['silent', 'is not answered'],
    ] as const
  ).map(
    ([startTls, how]): Scenario => ({
      name: `the handshake ${how}: plain text`,
      peer: { startTls },
      story: [delivered({ tls: null })],
    }),
  ),
  {
    name: 'replies injected behind the 220 of STARTTLS are never believed',
    peer: { startTls: 'inject' },
    story: [delivered({ tls: null })],
    check: ({ peer }) => expect(peer().messages[0]?.secure).toBe(false),
  },
  {
    name: 'the receiver hangs up at STARTTLS: plain text',
    peer: at('STARTTLS', 'drop', encrypted),
    story: [delivered({ tls: null })],
  },
  {
    name: 'extensions that are gone under TLS are not used',
    peer: { ...encrypted, extensions: usual, extensionsUnderTls: ['HELP'] },
    story: [delivered({ tls: /^TLSv1\.3/ })],
    check: ({ peer }) => expect(peer().messages[0]?.parameters).toBe(''),
  },
  {
    name: 'a SIZE that is smaller under TLS counts',
    peer: { ...encrypted, extensions: usual, extensionsUnderTls: ['SIZE 100'] },
    story: [bounced(552, 'SOFT_BOUNCE', { tls: /^TLSv1\.3/, unsent: true })],
  },
  {
    name: 'STARTTLS that is offered again under TLS is left alone',
    peer: { ...encrypted, extensionsUnderTls: [...usual, 'STARTTLS'] },
    story: [delivered({ tls: /^TLSv1\.3/ })],
    check: ({ peer }) => expect(peer().log.filter((line) => line === 'STARTTLS').length).toBe(1),
  },
  {
    name: '421 to EHLO under TLS: later, and not in plain text now',
    peer: once(underTls('EHLO', closing('421 4.3.2 Busy'))),
    story: [deferred(421), delivered()],
  },
  {
    name: 'the receiver hangs up at MAIL under TLS: later, and not in plain text now',
    peer: [underTls('MAIL', 'drop'), encrypted],
    story: [deferred(/closed/, { tls: /^TLSv1\.3/ }), delivered({ tls: /^TLSv1\.3/ })],
  },
  {
    name: 'the receiver hangs up after the final dot under TLS: in doubt',
    peer: [underTls('.', 'drop'), encrypted],
    story: [doubted({ tls: /^TLSv1\.3/ }), delivered({ tls: /^TLSv1\.3/ })],
  },
  {
    name: 'the receiver resets under TLS at the final dot: in doubt',
    peer: [underTls('.', 'reset'), encrypted],
    story: [doubted(), delivered()],
  },
  {
    name: 'TLS from the first byte on the port of plain text is no SMTP',
    peer: [{ implicitTls: true }, {}],
    story: [deferred(/no answer|not an SMTP reply|closed/), delivered()],
  },
];
