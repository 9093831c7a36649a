// TLS that a policy asks for: the receiver's own (MTA-STS, RFC 8461; DANE, RFC 7672) or that of the stream (REQUIRE_TLS).
// What does not meet it gets no mail, which waits; what meets it is told on the attempt.
import { expect } from 'vitest';
import { stsPolicy } from '../support/policy-server.ts';
import { type LeafOptions, type PrivateCa, selfSigned as makeSelfSigned, tlsaOf } from '../support/private-ca.ts';
import { at, deferred, delivered, type Place, type Saw, type Scenario } from '../support/scenario.ts';

const selfSigned = makeSelfSigned(['mx.example']);
const isNotMet = /MTA-STS enforce is not met|does not name/;

/** With a certificate of the authority that the program trusts; for its own name unless told. */
const trusted =
  (leaf: Partial<LeafOptions> = {}) =>
  (place: Place, authority: PrivateCa) => ({
    mx: { startTls: 'offer' as const, certificate: authority.issue({ names: [place.name('mx')], ...leaf }) },
  });

const policy = (mode: 'enforce' | 'testing' | 'none') => (place: Place) => stsPolicy(mode, [place.name('mx')]);
const enforced = policy('enforce');
const gotNothing = ({ peer }: Saw) => expect(peer().seen).toEqual([]);
const verifiedBy =
  (verification: string) =>
  ({ recipient }: Saw) =>
    expect(recipient().attempts.at(-1)?.tlsVerification).toBe(verification);

/** Everything of the domain is signed, and its exchanger's certificate is pinned. */
const dane =
  (tlsa: readonly string[] | 'SERVFAIL', secure = true) =>
  ({ domain, name, address, port }: Place) => ({
    [domain]: { MX: [`10 ${name('mx')}`], secure },
    [name('mx')]: { A: [address('mx')], secure },
    [`_${port}._tcp.${name('mx')}`]: tlsa === 'SERVFAIL' ? tlsa : { TLSA: tlsa, secure },
  });

const pin = tlsaOf(3, selfSigned);
const otherPin = `3 1 1 ${'ab'.repeat(32)}`;
const pinned = { startTls: 'offer', certificate: selfSigned } as const;

export const tlsPolicies: readonly Scenario[] = [
  {
    name: 'MTA-STS is enforced, and the certificate is right',
    hosts: trusted(),
    mtaSts: enforced,
    story: [delivered({ tls: /^TLSv1\.3/ })],
    check: verifiedBy('MTA_STS'),
  },
  {
    name: 'MTA-STS is enforced by a pattern of names',
    hosts: trusted(),
    mtaSts: ({ domain }) => stsPolicy('enforce', [`*.${domain}`]),
    story: [delivered({ tls: /^TLSv1\.3/ })],
    check: verifiedBy('MTA_STS'),
  },
  {
    name: 'MTA-STS is enforced, and the certificate is of another name',
    hosts: trusted({ names: ['mx.elsewhere.example'] }),
    mtaSts: enforced,
    story: [deferred(isNotMet)],
    check: gotNothing,
  },
  {
    name: 'MTA-STS is enforced, and the certificate is out of date',
    hosts: trusted({ from: -90, to: -2 }),
    mtaSts: enforced,
    story: [deferred(isNotMet)],
    check: gotNothing,
  },
  {
    name: 'MTA-STS is enforced, and the certificate is of nobody’s authority',
    hosts: { mx: pinned },
    mtaSts: enforced,
    story: [deferred(isNotMet)],
    check: gotNothing,
  },
  {
    name: 'MTA-STS is enforced, and STARTTLS was stripped',
    mtaSts: enforced,
    story: [deferred(isNotMet)],
    check: gotNothing,
  },
  {
    name: 'MTA-STS is enforced, and STARTTLS is refused',
    hosts: (place, authority) => ({
      mx: at('STARTTLS', '454 4.7.0 TLS is not available', trusted()(place, authority).mx),
    }),
    mtaSts: enforced,
    story: [deferred(454)],
    check: gotNothing,
  },
  {
    name: 'MTA-STS is enforced, and the handshake is cut off',
    peer: { startTls: 'reset' },
    mtaSts: enforced,
    story: [deferred(isNotMet)],
    check: gotNothing,
  },
  {
    name: 'MTA-STS is enforced, and the exchanger is none of the policy: it is not called',
    hosts: trusted(),
    mtaSts: () => stsPolicy('enforce', ['mx.elsewhere.example']),
    story: [deferred(/./)],
    check: ({ peer }) => expect(peer().connections).toBe(0),
  },
  {
    name: 'MTA-STS is enforced: the second exchanger where the first has a wrong certificate',
    hosts: (place, authority) => ({
      first: pinned,
      second: { startTls: 'offer', certificate: authority.issue({ names: [place.name('second')] }) },
    }),
    mtaSts: ({ domain }) => stsPolicy('enforce', [`*.${domain}`]),
    story: [delivered({ host: 'second', tls: /^TLSv1\.3/ })],
    check: ({ peer }) => expect(peer('first').seen).toEqual([]),
  },
  {
    name: 'MTA-STS in testing: a wrong certificate is reported, and the mail goes',
    hosts: { mx: pinned },
    mtaSts: policy('testing'),
    story: [delivered({ tls: /^TLSv1\.3/ })],
  },
  {
    name: 'MTA-STS of the mode none',
    hosts: { mx: pinned },
    mtaSts: policy('none'),
    story: [delivered({ tls: /^TLSv1\.3/ })],
  },
  ...[301, 404, 500].map(
    (status): Scenario => ({
      name: `the policy host answers ${status}: there is no policy`,
      hosts: { mx: pinned },
      mtaSts: () => status,
      story: [delivered({ tls: /^TLSv1\.3/ })],
    }),
  ),
  {
    name: 'the policy host has a wrong certificate: there is no policy',
    hosts: { mx: pinned },
    mtaSts: enforced,
    mtaStsMisnamed: true,
    story: [delivered({ tls: /^TLSv1\.3/ })],
  },
  {
    name: 'two domains at one exchanger, of which one enforces: the other’s mail goes',
    hosts: { mx: pinned },
    dns: ({ domain, name }) => ({ [`free.${domain}`]: { MX: [`10 ${name('mx')}`] } }),
    mtaSts: enforced,
    mails: [{ to: ['ann', 'bob@free.'] }],
    story: { ann: [deferred(isNotMet)], bob: [delivered({ tls: /^TLSv1\.3/ })] },
  },
  {
    name: 'the stream requires TLS, and there is good TLS',
    hosts: trusted(),
    tlsPolicy: 'REQUIRE_TLS',
    story: [delivered({ tls: /^TLSv1\.3/ })],
    check: verifiedBy('WEBPKI'),
  },
  {
    name: 'the stream requires TLS, and none is offered',
    tlsPolicy: 'REQUIRE_TLS',
    story: [deferred(/not met/)],
    check: gotNothing,
  },
  {
    name: 'the stream requires TLS, and the certificate is of nobody’s authority',
    hosts: { mx: pinned },
    tlsPolicy: 'REQUIRE_TLS',
    story: [deferred(/not met/)],
    check: gotNothing,
  },
  {
    name: 'DANE: the certificate is the one that DNS names, whoever made it',
    hosts: { mx: pinned },
    dns: dane([pin]),
    story: [delivered({ tls: /^TLSv1\.3/ })],
    check: verifiedBy('DANE'),
  },
  {
    name: 'DANE: the certificate is another than the one that DNS names',
    hosts: { mx: pinned },
    dns: dane([otherPin]),
    story: [deferred(/DANE is not met/)],
    check: gotNothing,
  },
  {
    name: 'DANE: no TLS is offered',
    dns: dane([pin]),
    story: [deferred(/DANE is not met/)],
    check: gotNothing,
  },
  {
    name: 'DANE: whether there is a TLSA record cannot be said',
    hosts: { mx: pinned },
    dns: dane('SERVFAIL'),
    story: [deferred(/./)],
    check: gotNothing,
  },
  {
    name: 'DANE without DNSSEC is none',
    hosts: { mx: pinned },
    dns: dane([otherPin], false),
    story: [delivered({ tls: /^TLSv1\.3/ })],
    check: verifiedBy('NONE'),
  },
];
