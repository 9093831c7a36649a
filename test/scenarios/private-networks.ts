// Exchangers that lead into our own network, where that is not allowed: nobody is called, whatever the way it is written.
import { expect } from 'vitest';
import { deferred, type Scenario } from '../support/scenario.ts';

const within = (
  what: string,
  records: { readonly A?: readonly string[]; readonly AAAA?: readonly string[] },
): Scenario => ({
  name: `the exchanger is at ${what}`,
  dns: ({ name }) => ({ [name('mx')]: records }),
  story: [deferred(/has no public address/)],
});

export const privateNetworks: readonly Scenario[] = [
  {
    name: 'the exchanger is at an address of this machine, where somebody listens',
    story: [deferred(/has no public address/, { host: 'mx' })],
    check: ({ peer }) => expect(peer().connections).toBe(0),
  },
  {
    name: 'no MX, and the domain itself is at an address of this machine',
    dns: ({ domain, address }) => ({ [domain]: { A: [address('mx')] } }),
    story: [deferred(/has no public address/)],
    check: ({ peer }) => expect(peer().connections).toBe(0),
  },
  {
    name: 'all exchangers are within, by a CNAME',
    dns: ({ name, address }) => ({ [name('mx')]: { CNAME: name('inner') }, [name('inner')]: { A: [address('mx')] } }),
    story: [deferred(/has no public address/)],
    check: ({ peer }) => expect(peer().connections).toBe(0),
  },
  within('the address of cloud metadata', { A: ['169.254.169.254'] }),
  within('private addresses', { A: ['10.0.0.1', '172.16.0.1', '192.168.1.1'] }),
  within('a shared address of carriers', { A: ['100.64.0.1'] }),
  within('no address at all', { A: ['0.0.0.0'] }),
  within('loopback, link-local and private IPv6', { AAAA: ['::1', 'fe80::1', 'fd00::1'] }),
  within('a private IPv4 address written as IPv6', { AAAA: ['::ffff:10.0.0.1', '64:ff9b::a00:1'] }),
  {
    name: 'the exchanger is called localhost',
    dns: ({ domain }) => ({ [domain]: { MX: ['10 localhost'] }, localhost: { A: ['127.0.0.1'] } }),
    story: [deferred(/has no (?:public )?address/)],
  },
];
