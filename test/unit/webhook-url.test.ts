// Which URLs may be called, and which addresses: what must not be called stands first.
import { describe, expect, test } from 'vitest';
import { isPublicAddress } from '#/domain/public-address.ts';
import { callableUrl, shownUrl } from '#/domain/webhooks/callable-url.ts';

const judge = (url: string, allowPrivateNetworks = false) => {
  const judged = callableUrl(url, { allowPrivateNetworks });
  return judged.ok ? 'ok' : judged.reason;
};
const PRIVATE = 'leads into a private network';

describe('refused', () => {
  test.each([
    // Loopback, in all the ways in which it can be written.
    ['https://127.0.0.1/', PRIVATE],
    ['https://127.1/', PRIVATE],
    ['https://2130706433/', PRIVATE],
    ['https://017700000001/', PRIVATE],
    ['https://0x7f000001/', PRIVATE],
    ['https://0x7f.0.0.1/', PRIVATE],
    ['https://0177.0.0.1/', PRIVATE],
    ['https://①②⑦.⓪.⓪.①/', PRIVATE],
    ['https://127。0。0。1/', PRIVATE],
    ['https://%31%32%37.0.0.1/', PRIVATE],
    ['https://127.0.0.1./', PRIVATE],
    ['https://[::1]/', PRIVATE],
    ['https://[0:0:0:0:0:0:0:1]/', PRIVATE],
    ['https://[::ffff:127.0.0.1]/', PRIVATE],
    ['https://[::ffff:7f00:1]/', PRIVATE],
    ['https://[::127.0.0.1]/', PRIVATE],
    ['https://0.0.0.0/', PRIVATE],
    ['https://0/', PRIVATE],
    ['https://[::]/', PRIVATE],
    // Private, shared, link-local, reserved.
    ['https://10.0.0.1/', PRIVATE],
    ['https://172.16.0.1/', PRIVATE],
    ['https://192.168.1.1/', PRIVATE],
    ['https://3232235777/', PRIVATE],
    ['https://100.64.0.1/', PRIVATE],
    ['https://169.254.169.254/latest/meta-data/', PRIVATE],
    ['https://0xa9fea9fe/', PRIVATE],
    ['https://[fe80::1]/', PRIVATE],
    ['https://[fd00:ec2::254]/', PRIVATE],
    ['https://[::ffff:10.0.0.1]/', PRIVATE],
    ['https://[64:ff9b::a00:1]/', PRIVATE],
    ['https://[2002:a00:1::]/', PRIVATE],
    ['https://[2001:0:7f00:1::]/', PRIVATE],
    ['https://[::ffff:0:127.0.0.1]/', PRIVATE],
    ['https://[64:ff9b:1::7f00:1]/', PRIVATE],
    ['https://[::FFFF:169.254.169.254]/', PRIVATE],
    ['https://0.1.2.3/', PRIVATE],
    ['https://127.0.1/', PRIVATE],
    ['https://0300.0250.1.1/', PRIVATE],
    ['https://0xC0.0xA8.0x01.0x01/', PRIVATE],
    ['https://１２７．０．０．１/', PRIVATE],
    ['https://127\u00ad.0.0.1/', PRIVATE],
    ['https://169.254.169.254:8080/', PRIVATE],
    ['https://198.18.0.1/', PRIVATE],
    ['https://224.0.0.1/', PRIVATE],
    ['https://255.255.255.255/', PRIVATE],
    // Names of networks.
    ['https://localhost/', PRIVATE],
    ['https://LOCALHOST./', PRIVATE],
    ['https://localhost../', 'has no full host name'],
    ['https://ｌｏｃａｌｈｏｓｔ/', PRIVATE],
    ['https://a.localhost/', PRIVATE],
    ['https://metadata.google.internal/', PRIVATE],
    ['https://printer.local/', PRIVATE],
    ['https://router.home.arpa/', PRIVATE],
    ['https://intranet/', PRIVATE],
    ['https://db/', 'has no full host name'],
    ['https://db:443/', 'has no full host name'],
    // Everything else that is not a plain URL of a web server.
    ['https://user:password@hooks.example/', 'holds credentials: give them as basicAuth or in a header'],
    ['https://user@hooks.example/', 'holds credentials: give them as basicAuth or in a header'],
    ['https://127.0.0.1@hooks.example/', 'holds credentials: give them as basicAuth or in a header'],
    ['http://hooks.example/', 'is not an https URL'],
    ['ftp://hooks.example/', 'is not an https URL'],
    ['file:///etc/passwd', 'is not an https URL'],
    ['gopher://hooks.example/', 'is not an https URL'],
    ['javascript:alert(1)', 'is not an https URL'],
    ['https://hooks.example:22/', 'has a port other than 80, 443 and 8000 to 8999'],
    ['https://hooks.example:25/', 'has a port other than 80, 443 and 8000 to 8999'],
    ['https://hooks.example:5432/', 'has a port other than 80, 443 and 8000 to 8999'],
    ['https://hooks.example:6379/', 'has a port other than 80, 443 and 8000 to 8999'],
    ['https://hooks.example:0/', 'has a port other than 80, 443 and 8000 to 8999'],
    ['https://hooks.example:9000/', 'has a port other than 80, 443 and 8000 to 8999'],
    ['https://hooks.example/#fragment', 'has a fragment (#…), which is never sent'],
    ['https://', 'is not a URL'],
    ['https://[fe80::1%25eth0]/', 'is not a URL'],
    ['https://[::1%eth0]/', 'is not a URL'],
    ['https://256.1.1.1/', 'is not a URL'],
    ['https://1.2.3.4.5/', 'is not a URL'],
    ['https://0x100000000/', 'is not a URL'],
    ['https:\\\\user@hooks.example\\', 'holds credentials: give them as basicAuth or in a header'],
    ['hooks.example', 'is not a URL'],
    [`https://hooks.example/${'x'.repeat(2_000)}`, 'is longer than 2000 characters'],
  ])('%s', (url, reason) => {
    expect(judge(url)).toBe(reason);
  });
});

test.each([
  'https://hooks.example/',
  'https://hooks.example:443/path?query=1',
  'https://hooks.example:80/',
  'https://hooks.example:8000/',
  'https://hooks.example:8999/',
  'https://hooks.example./',
  'https://bücher.example/',
  'https://under_score.hooks.example/',
  'https://8.8.8.8/',
  'https://[2606:4700:4700::1111]/',
])('%s may be called', (url) => {
  expect(judge(url)).toBe('ok');
});

test('with private networks allowed any host and port will do, and no TLS; never credentials', () => {
  expect(judge('http://127.0.0.1:9999/', true)).toBe('ok');
  expect(judge('http://intranet:5432/', true)).toBe('ok');
  expect(judge('http://a:b@intranet/', true)).toContain('credentials');
  expect(judge('file:///etc/passwd', true)).toBe('is not an https URL');
});

test.each([
  ['0.0.0.0', false],
  ['10.1.2.3', false],
  ['100.127.255.255', false],
  ['127.0.0.53', false],
  ['169.254.169.254', false],
  ['172.31.255.255', false],
  ['192.0.0.8', false],
  ['192.88.99.1', false],
  ['192.0.2.1', false],
  ['192.168.0.1', false],
  ['198.18.0.1', false],
  ['203.0.113.1', false],
  ['224.0.0.251', false],
  ['240.0.0.1', false],
  ['255.255.255.255', false],
  ['::', false],
  ['::1', false],
  ['::ffff:192.168.0.1', false],
  ['::10.0.0.1', false],
  ['::7f00:1', false],
  ['::8.8.8.8', true],
  ['64:ff9b::7f00:1', false],
  ['64:ff9b:1::1', false],
  ['100::1', false],
  ['2001::1', false],
  ['2001:0:4136:e378:8000:63bf:3fff:fdd2', false],
  ['2001:20::1', false],
  ['3fff::1', false],
  ['5f00::1', false],
  ['fe80::1%eth0', false],
  ['2001:db8::1', false],
  ['2002:7f00:1::', false],
  ['fc00::1', false],
  ['fd12:3456::1', false],
  ['fe80::1', false],
  ['fec0::1', false],
  ['ff02::1', false],
  ['not an address', false],
  ['1.1.1.1', true],
  ['172.32.0.1', true],
  ['::ffff:8.8.8.8', true],
  ['2606:4700:4700::1111', true],
])('%s is public: %s', (address, expected) => {
  expect(isPublicAddress(address)).toBe(expected);
});

test('what is shown of a URL leaves out the values of its query', () => {
  const shown = shownUrl(new URL('https://hooks.example/a/b?token=secret&x=1&x=2&empty='));
  expect(shown).toBe('https://hooks.example/a/b?token=…&x=…&empty=…');
  expect(shownUrl(new URL('https://hooks.example/'))).toBe('https://hooks.example/');
});
