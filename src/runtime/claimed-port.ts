// Whether somebody else listens. Our processes share the ports of their SMTP servers through the system (SO_REUSEPORT), which
// would let a second installation of the same user share them too, and take half of the mail without an error.
import { once } from 'node:events';
import { createServer } from 'node:net';

/** Fails where the address is in use; 0 is nobody's. */
export async function refuseClaimedPort(port: number, host: string): Promise<void> {
  if (port === 0) return;
  const server = createServer();
  server.listen({ port, host, exclusive: true });
  await once(server, 'listening');
  server.close();
  await once(server, 'close');
}
