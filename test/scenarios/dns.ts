// What DNS says, and where the mail goes then. A failing name server never loses a mail and never makes an address of what
// was asked as an exchanger; a name server that says no is believed.
import { expect } from 'vitest';
import { at, bounced, closing, deferred, delivered, once, type Scenario } from '../support/scenario.ts';

const fixed = {
  afterMs: 4_000,
  zone: ({ domain, name }: { domain: string; name: (host: string) => string }) => ({
    [domain]: { MX: [`10 ${name('mx')}`] },
  }),
};

export const dns: readonly Scenario[] = [
  {
    name: 'the domain does not exist',
    dns: ({ domain }) => ({ [domain]: 'NXDOMAIN' }),
    story: [bounced(550, 'HARD_BOUNCE', { suppresses: true, says: /5\.1\.2/, unsent: true })],
  },
  {
    name: 'SERVFAIL on MX defers, and the address is not tried in its place',
    hosts: { mx: {}, apex: {} },
    dns: ({ domain }) => ({ [domain]: 'SERVFAIL' }),
    dnsLater: fixed,
    story: [deferred(/ESERVFAIL/, { repeats: true, againIn: [24, 36] }), delivered({ host: 'mx' })],
  },
  {
    name: 'REFUSED on MX defers',
    dns: ({ domain }) => ({ [domain]: 'REFUSED' }),
    dnsLater: fixed,
    story: [deferred(/EREFUSED/, { repeats: true }), delivered()],
  },
  {
    name: 'a name server that is silent defers',
    dns: ({ domain }) => ({ [domain]: 'hang' }),
    dnsLater: fixed,
    story: [deferred(/ETIMEOUT/, { repeats: true }), delivered()],
  },
  {
    name: 'a null MX: the domain takes no mail, and nobody is called',
    dns: ({ domain, address }) => ({ [domain]: { MX: ['0 .'], A: [address('mx')] } }),
    story: [bounced(556, 'HARD_BOUNCE', { suppresses: true, says: /5\.1\.10/, unsent: true })],
    check: ({ peer }) => expect(peer().connections).toBe(0),
  },
  {
    name: 'a null MX beside others means nothing',
    dns: ({ domain, name }) => ({ [domain]: { MX: ['0 .', `10 ${name('mx')}`] } }),
    story: [delivered()],
  },
  {
    name: 'no MX: the address of the domain itself',
    dns: ({ domain, address }) => ({ [domain]: { A: [address('mx')] } }),
    story: [delivered()],
  },
  {
    name: 'no MX and no address: a domain without mail',
    dns: ({ domain }) => ({ [domain]: { TXT: ['nothing here'] } }),
    story: [bounced(550, 'HARD_BOUNCE', { says: /5\.4\.4/, unsent: true })],
  },
  {
    name: 'no MX, and the address cannot be looked up: later',
    dns: ({ domain }) => ({ [domain]: { fails: ['A', 'AAAA'] } }),
    dnsLater: { afterMs: 4_000, zone: ({ domain, address }) => ({ [domain]: { A: [address('mx')] } }) },
    story: [deferred(/ESERVFAIL/, { repeats: true }), delivered()],
  },
  {
    name: 'MX there, and its host does not exist: the address of the domain is not tried',
    hosts: { mx: {} },
    dns: ({ domain, name, address }) => ({ [domain]: { MX: [`10 ${name('gone')}`], A: [address('mx')] } }),
    story: [deferred(/has no address/)],
    check: ({ peer }) => expect(peer().connections).toBe(0),
  },
  {
    name: 'the exchanger’s address cannot be looked up: later',
    dns: ({ name }) => ({ [name('mx')]: 'SERVFAIL' }),
    dnsLater: { afterMs: 4_000, zone: ({ name, address }) => ({ [name('mx')]: { A: [address('mx')] } }) },
    story: [deferred(/ESERVFAIL/, { repeats: true }), delivered()],
  },
  {
    name: 'the first exchanger’s address cannot be looked up: the second',
    hosts: { first: {}, second: {} },
    dns: ({ name }) => ({ [name('first')]: 'SERVFAIL' }),
    story: [delivered({ host: 'second' })],
  },
  {
    name: 'the most preferred exchanger first',
    hosts: { first: {}, second: {}, third: {} },
    dns: ({ domain, name }) => ({
      [domain]: { MX: [`30 ${name('third')}`, `10 ${name('first')}`, `20 ${name('second')}`] },
    }),
    story: [delivered({ host: 'first' })],
    check: ({ peer }) => expect([peer('second').connections, peer('third').connections]).toEqual([0, 0]),
  },
  {
    name: 'the next exchanger where the first refuses the connection',
    hosts: { first: null, second: {} },
    story: [delivered({ host: 'second' })],
  },
  {
    name: 'no exchanger to be had: the attempt tells of the last one',
    hosts: { first: null, second: { greeting: { reply: '421 4.3.2 Too busy', closeAfter: true } } },
    story: [deferred(421, { host: 'second' })],
    check: ({ recipient, place }) => expect(recipient().attempts[0]?.remoteAddress).toBe(place.address('second')),
  },
  {
    name: 'the next exchanger where the first is silent',
    hosts: { first: { greeting: 'hang' }, second: {} },
    story: [delivered({ host: 'second' })],
  },
  {
    name: 'the next exchanger where the first is too busy to greet',
    hosts: { first: { greeting: { reply: '421 4.3.2 Too busy', closeAfter: true } }, second: {} },
    story: [delivered({ host: 'second' })],
  },
  {
    name: 'no next exchanger where one of a known provider refuses us: they are all one',
    hosts: { first: once({ greeting: { reply: '421 4.7.0 Try again later', closeAfter: true } }), second: {} },
    dns: ({ domain, address }) => ({
      [domain]: { MX: ['10 one.seznam.cz', '20 two.seznam.cz'] },
      'one.seznam.cz': { A: [address('first')] },
      'two.seznam.cz': { A: [address('second')] },
    }),
    story: [deferred(421), delivered({ host: 'one' })],
    check: ({ peer }) => expect(peer('second').connections).toBe(0),
  },
  {
    name: 'no next exchanger where the first has refused the recipient',
    hosts: { first: { answer: ({ verb }) => (verb === 'RCPT' ? '550 5.1.1 No such user' : null) }, second: {} },
    story: [bounced(550, 'HARD_BOUNCE', { suppresses: true, host: 'first' })],
    check: ({ peer }) => expect(peer('second').connections).toBe(0),
  },
  {
    name: 'equal exchangers share the mail',
    // One message a connection: each draws lots anew.
    hosts: { left: at('.', closing('250 2.0.0 Ok')), right: at('.', closing('250 2.0.0 Ok')) },
    dns: ({ domain, name }) => ({ [domain]: { MX: [`10 ${name('left')}`, `10 ${name('right')}`] } }),
    mails: [{ to: Array.from({ length: 16 }, (_, index) => `r${index}`) }],
    story: [deferred(/no connection may be opened/, { repeats: true, perhaps: true, unsent: true }), delivered()],
    check: ({ peer }) => {
      const [left = 0, right = 0] = ['left', 'right'].map((host) => peer(host).messages.length);
      expect(left + right).toBe(16);
      expect(Math.min(left, right)).toBeGreaterThan(0);
    },
  },
  {
    name: 'the second address of a host where the first refuses',
    hosts: { dead: null, mx: {} },
    dns: ({ domain, name, address }) => ({
      [domain]: { MX: [`10 ${name('mx')}`] },
      [name('mx')]: { A: [address('dead'), address('mx')] },
    }),
    story: [delivered({ host: 'mx' })],
  },
  {
    name: 'IPv6 that leads nowhere, then IPv4',
    dns: ({ name, address }) => ({ [name('mx')]: { AAAA: ['::1'], A: [address('mx')] } }),
    story: [delivered({ host: 'mx' })],
    check: ({ recipient, place }) => expect(recipient().attempts[0]?.remoteAddress).toBe(place.address('mx')),
  },
  {
    name: 'AAAA fails and A is there: A',
    dns: ({ name, address }) => ({ [name('mx')]: { fails: ['AAAA'], A: [address('mx')] } }),
    story: [delivered()],
  },
  {
    name: 'the exchanger is an IP literal: it is not called',
    dns: ({ domain, address }) => ({ [domain]: { MX: [`10 ${address('mx')}`] } }),
    story: [deferred(/names no host/)],
    check: ({ peer }) => expect(peer().connections).toBe(0),
  },
  {
    name: 'an IP literal beside a host: the host',
    dns: ({ domain, name }) => ({ [domain]: { MX: ['5 192.0.2.1', `10 ${name('mx')}`] } }),
    story: [delivered({ host: 'mx' })],
  },
  {
    name: 'the domain is a CNAME to one with MX',
    dns: ({ domain, name }) => ({
      [domain]: { CNAME: name('hosting') },
      [name('hosting')]: { MX: [`10 ${name('mx')}`] },
    }),
    story: [delivered({ host: 'mx' })],
  },
  {
    name: 'an exchanger that is an alias: not dialled',
    dns: ({ name, address }) => ({ [name('mx')]: { CNAME: name('inner') }, [name('inner')]: { A: [address('mx')] } }),
    story: [deferred(/is an alias/)],
    check: ({ peer }) => expect(peer().connections).toBe(0),
  },
  {
    name: 'a CNAME in a ring',
    dns: ({ domain, name }) => ({ [domain]: { CNAME: name('a') }, [name('a')]: { CNAME: domain } }),
    story: [deferred(/./)],
  },
  {
    name: 'fifty exchangers that do not answer: ten are tried, and then later',
    hosts: { mx: {} },
    dns: ({ domain, name }) => ({
      [domain]: {
        MX: [...Array.from({ length: 50 }, (_, index) => `${index} gone${index}.${domain}`), `99 ${name('mx')}`],
      },
    }),
    story: [deferred(/has no address/)],
    check: ({ peer, queries, place }) => {
      expect(peer().connections).toBe(0);
      expect(queries(`gone0.${place.domain}`, 'A')).toBeGreaterThan(0);
      expect(queries(`gone10.${place.domain}`, 'A')).toBe(0);
    },
  },
  {
    name: 'a TTL of nothing does not make a question of every mail',
    dns: ({ domain, name, address }) => ({
      [domain]: { MX: [`10 ${name('mx')}`], ttl: 0 },
      [name('mx')]: { A: [address('mx')], ttl: 0 },
    }),
    mails: Array.from({ length: 10 }, (_, index) => ({ to: [`r${index}`] })),
    story: [delivered()],
    check: ({ queries, place }) => {
      // A resolver that was slow may be asked again.
      expect(queries(place.domain, 'MX')).toBeLessThanOrEqual(3);
      expect(queries(place.name('mx'), 'A')).toBeLessThanOrEqual(3);
    },
  },
  {
    name: 'an internationalized domain is asked for in its A-labels',
    dns: ({ domain, name }) => ({ [`xn--bcher-kva.${domain}`]: { MX: [`10 ${name('mx')}`] } }),
    mails: [{ to: ['ann@bücher.'] }],
    story: [delivered()],
    check: ({ peer, place }) => expect(peer().messages[0]?.recipients).toEqual([`ann@xn--bcher-kva.${place.domain}`]),
  },
];
