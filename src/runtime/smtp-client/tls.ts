// TLS over an open connection, from the first byte or after STARTTLS alike.

import { isIP, type Socket } from 'node:net';
import { connect, type SecureContext, type TLSSocket } from 'node:tls';

export interface TlsRequest {
  readonly host: string;
  readonly secureContext: SecureContext;
}

/** Lets every certificate pass: what it is worth, and what that means, is judged after the handshake. */
export function wrapInTls(socket: Socket, { host, secureContext }: TlsRequest): TLSSocket {
  return connect({
    socket,
    secureContext,
    // Also what the certificate is checked against.
    host,
    // RFC 6066 §3: addresses are not allowed in SNI.
    servername: isIP(host) === 0 ? host : '',
    rejectUnauthorized: false,
  });
}

/** e.g. `TLSv1.3 TLS_AES_256_GCM_SHA384`. */
export function describeTls(socket: TLSSocket): string {
  return `${socket.getProtocol() ?? 'TLS'} ${socket.getCipher().standardName}`;
}
