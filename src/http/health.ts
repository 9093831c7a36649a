// Whether the process lives, and whether it should be sent requests. Neither says what runs here.
import type { ServerResponse } from 'node:http';

export async function answerHealth(
  path: string,
  response: ServerResponse,
  ready: () => Promise<boolean>,
): Promise<boolean> {
  if (path === '/healthz') {
    plain(response, 200, 'ok');
    return true;
  }
  if (path !== '/readyz') return false;
  const isReady = await ready().catch(() => false);
  plain(response, isReady ? 200 : 503, isReady ? 'ready' : 'not ready');
  return true;
}

export function plain(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8' });
  response.end(`${text}\n`);
}
