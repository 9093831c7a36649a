// TLS over an open connection, from the first byte or after STARTTLS alike.

import { isIP, type Socket } from 'node:net';
import { connect, createSecureContext, type SecureContext, type TLSSocket } from 'node:tls';

let context: SecureContext | null = null;

export interface TlsRequest {
  readonly host: string;
  readonly verifyCertificate: boolean;
}

export function wrapInTls(socket: Socket, request: TlsRequest): TLSSocket {
  // Shared: a context of its own would load the system's root certificates for every connection.
  context ??= createSecureContext();
  return connect({
    socket,
    secureContext: context,
    // Also what the certificate is checked against.
    host: request.host,
    // RFC 6066 §3: addresses are not allowed in SNI.
    servername: isIP(request.host) === 0 ? request.host : '',
    rejectUnauthorized: request.verifyCertificate,
  });
}

/** e.g. `TLSv1.3 TLS_AES_256_GCM_SHA384`. */
export function describeTls(socket: TLSSocket): string {
  return `${socket.getProtocol() ?? 'TLS'} ${socket.getCipher().standardName}`;
}
