// Figures for Prometheus and the health checks on a port of their own, which need not be reachable from outside.
import { createServer } from 'node:http';
import { answerHealth, plain } from './health.ts';
import { listenOn } from './listen.ts';

export interface MetricsServer {
  listen(): Promise<number>;
  close(): Promise<void>;
}

export function createMetricsServer(
  host: string,
  port: number,
  ready: () => Promise<boolean>,
  registry: { metrics(): Promise<string>; readonly contentType: string } | undefined,
): MetricsServer {
  const server = createServer(async (request, response) => {
    const path = request.url ?? '/';
    try {
      if (await answerHealth(path, response, ready)) return;
      if (path !== '/metrics' || registry === undefined) return plain(response, 404, 'not found');
      const text = await registry.metrics();
      response.writeHead(200, { 'Content-Type': registry.contentType });
      response.end(text);
    } catch {
      plain(response, 500, 'failed');
    }
  });
  return {
    listen: () => listenOn(server, port, host),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
