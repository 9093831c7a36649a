// Where mail goes, as its operators see it: a known provider, whatever the names of its mail exchangers, or the set of
// mail exchangers of some domains. What a stranger may ask of it at once stands here as data; the figures are those that
// senders of volume begin with, and replies lower them (reply-rules.ts).

export interface SiteLimits {
  readonly connections: number;
  /** Opened anew. */
  readonly connectionsPerMinute: number;
  readonly messagesPerConnection: number;
  readonly messagesPerSecond: number;
  readonly recipientsPerTransaction: number;
}

export interface Provider {
  readonly name: string;
  /** Endings of the names of its mail exchangers. */
  readonly suffixes: readonly string[];
  readonly limits: SiteLimits;
}

/** Where nothing is known. */
export const usualLimits: SiteLimits = {
  connections: 10,
  connectionsPerMinute: 100,
  messagesPerConnection: 100,
  messagesPerSecond: 100,
  recipientsPerTransaction: 100,
};

const provider = (name: string, suffixes: readonly string[], limits: Partial<SiteLimits>): Provider => ({
  name,
  suffixes,
  limits: { ...usualLimits, ...limits },
});

export const providers: readonly Provider[] = [
  provider('google', ['google.com', 'googlemail.com'], { connections: 5, messagesPerConnection: 50 }),
  provider('yahoo', ['yahoodns.net', 'yahoo.co.jp'], { connections: 10, messagesPerConnection: 20 }),
  provider('outlook', ['olc.protection.outlook.com', 'hotmail.com'], { connections: 5, messagesPerConnection: 50 }),
  provider('microsoft365', ['mail.protection.outlook.com', 'mx.microsoft'], {
    connections: 5,
    messagesPerConnection: 50,
  }),
  provider('apple', ['icloud.com', 'apple.com'], { connections: 10, messagesPerConnection: 5 }),
  provider('comcast', ['comcast.net'], { connections: 25, messagesPerConnection: 1_000 }),
  provider('orange', ['orange.fr', 'wanadoo.fr'], { connections: 2, messagesPerSecond: 10 }),
  provider('free', ['free.fr', 'proxad.net'], { connections: 2, messagesPerSecond: 10 }),
  provider('gmx', ['gmx.net', 'web.de', 'kundenserver.de', '1and1.com', 'ionos.com', 'ionos.de'], { connections: 5 }),
  provider('tonline', ['t-online.de'], { connections: 5, messagesPerConnection: 50 }),
  provider('mimecast', ['mimecast.com'], { connections: 5, messagesPerConnection: 50 }),
  provider('proofpoint', ['pphosted.com', 'ppe-hosted.com'], { connections: 5, messagesPerConnection: 50 }),
  provider('mailru', ['mail.ru'], { connections: 5, messagesPerConnection: 20 }),
  provider('att', ['prodigy.net'], { connections: 5, messagesPerConnection: 20 }),
  provider('charter', ['charter.net'], { connections: 5, messagesPerConnection: 20 }),
  provider('sfr', ['sfr.fr'], { connections: 2, messagesPerSecond: 10 }),
  provider('laposte', ['laposte.net'], { connections: 2, messagesPerSecond: 10 }),
  provider('italiaonline', ['libero.it', 'virgilio.it', 'iol.it'], { connections: 5, messagesPerConnection: 20 }),
  provider('telenet', ['telenet.be', 'telenet-ops.be'], { connections: 5, messagesPerConnection: 50 }),
  provider('yandex', ['yandex.ru', 'yandex.net'], { connections: 5, messagesPerConnection: 20 }),
  provider('seznam', ['seznam.cz'], { connections: 5, messagesPerConnection: 50 }),
  provider('wp', ['wp.pl', 'tlen.pl'], { connections: 5, messagesPerConnection: 20 }),
  provider('onet', ['onet.pl'], { connections: 5, messagesPerConnection: 20 }),
  provider('uol', ['uol.com.br'], { connections: 5, messagesPerConnection: 20 }),
  provider('qq', ['qq.com'], { connections: 5, messagesPerConnection: 20, messagesPerSecond: 10 }),
  provider('netease', ['netease.com'], { connections: 5, messagesPerConnection: 20, messagesPerSecond: 10 }),
  provider('naver', ['naver.com'], { connections: 5, messagesPerConnection: 20 }),
  provider('zoho', ['zoho.com', 'zoho.eu', 'zoho.in'], { connections: 5, messagesPerConnection: 50 }),
  provider('fastmail', ['messagingengine.com'], { connections: 10, messagesPerConnection: 50 }),
  provider('proton', ['protonmail.ch'], { connections: 5, messagesPerConnection: 50 }),
  provider('rackspace', ['emailsrvr.com'], { connections: 5, messagesPerConnection: 50 }),
  provider('secureserver', ['secureserver.net'], { connections: 5, messagesPerConnection: 50 }),
];

export interface Site {
  /** Name of the provider, or `mx:` and the sorted hosts. */
  readonly name: string;
  readonly provider: Provider | null;
  readonly limits: SiteLimits;
  /** Of a transport of the operator's. */
  readonly isRelay?: true;
}

/** A provider's only when all hosts are its: whoever has a second exchanger elsewhere is nobody's customer alone. */
export function siteOf(hosts: readonly string[]): Site {
  const names = hosts.map((host) => host.toLowerCase().replace(/\.$/, ''));
  const known = providers.find(({ suffixes }) =>
    names.every((name) => suffixes.some((suffix) => name === suffix || name.endsWith(`.${suffix}`))),
  );
  if (known !== undefined && names.length > 0) return { name: known.name, provider: known, limits: known.limits };
  return { name: `mx:${names.toSorted().join(',')}`, provider: null, limits: usualLimits };
}
