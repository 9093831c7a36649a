// The host of MTA-STS policies: HTTPS on loopback, with the certificate and the answer that a test wants.
import type { ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TestCertificate } from './private-ca.ts';

export interface PolicyServer extends AsyncDisposable {
  readonly port: number;
  /** Hosts that were asked for, in order. */
  readonly asked: readonly string[];
  /** Text of a policy, or what else is to be done with the request. */
  answer: string | ((response: ServerResponse, host: string) => void);
  use(certificate: TestCertificate): void;
}

export async function startPolicyServer(
  certificate: TestCertificate,
  answer: PolicyServer['answer'],
): Promise<PolicyServer> {
  const asked: string[] = [];
  const https: Server = createServer({ cert: certificate.cert, key: certificate.key }, (request, response) => {
    const host = (request.headers.host ?? '').replace(/:\d+$/, '');
    asked.push(`${host}${request.url === '/.well-known/mta-sts.txt' ? '' : (request.url ?? '')}`);
    if (typeof server.answer === 'function') server.answer(response, host);
    else response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' }).end(server.answer);
  });
  await new Promise<void>((done) => https.listen(0, '127.0.0.1', done));
  const server: PolicyServer = {
    port: (https.address() as AddressInfo).port,
    asked,
    answer,
    use: ({ cert, key }) => https.setSecureContext({ cert, key }),
    [Symbol.asyncDispose]: async () => {
      https.closeAllConnections();
      await new Promise<void>((done) => https.close(() => done()));
    },
  };
  return server;
}

export const stsPolicy = (mode: string, mx: readonly string[], maxAge = 86_400) =>
  ['version: STSv1', `mode: ${mode}`, ...mx.map((pattern) => `mx: ${pattern}`), `max_age: ${maxAge}`, ''].join('\r\n');
