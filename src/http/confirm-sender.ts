// The page behind a mailed link that asks to confirm an address. Opening it changes nothing, since scanners open every
// link of a mail; its button does.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { plain } from './health.ts';

export interface Confirmations {
  /** The address that the link is about; null when the link is not, or no longer, good. */
  find(secret: string): Promise<string | null>;
  /** The address that is confirmed now; null as above. */
  confirm(secret: string, request: { readonly requestId: string; readonly ipAddress: string }): Promise<string | null>;
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly about: { readonly requestId: string; readonly ipAddress: string };
}

const PATH = '/confirm-sender/';
/** The form goes back to where it came from. */
const POLICY = "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/** Null: another path. */
export function confirmationSecret(path: string): string | null {
  return path.startsWith(PATH) ? path.slice(PATH.length) : null;
}

export async function answerConfirmation(
  confirmations: Confirmations,
  secret: string,
  { request, response, about }: Exchange,
): Promise<void> {
  switch (request.method) {
    case 'GET':
    case 'HEAD': {
      const address = await confirmations.find(secret);
      return address === null ? dead(response) : page(response, 200, askText(address));
    }
    case 'POST': {
      // The button sends nothing worth reading; the link is all there is.
      request.resume();
      const address = await confirmations.confirm(secret, about);
      return address === null ? dead(response) : page(response, 200, doneText(address));
    }
    default:
      response.setHeader('Allow', 'GET, HEAD, POST');
      response.setHeader('Connection', 'close');
      return plain(response, 405, 'method not allowed');
  }
}

function dead(response: ServerResponse): void {
  page(
    response,
    404,
    '<h1>This link is no longer good</h1>\n<p>It was used, has expired, or was replaced by a newer one. Ask for another.</p>',
  );
}

function askText(address: string): string {
  return `<h1>Confirm your address</h1>
<p>May email be sent from <strong>${escape(address)}</strong>? If you did not expect this, close the page: nothing happens.</p>
<form method="post"><button type="submit">Yes, confirm</button></form>`;
}

function doneText(address: string): string {
  return `<h1>Confirmed</h1>\n<p>Email may now be sent from <strong>${escape(address)}</strong>. You can close this page.</p>`;
}

function page(response: ServerResponse, status: number, body: string): void {
  response.setHeader('Content-Security-Policy', POLICY);
  response.writeHead(status, { 'Content-Type': 'text/html; charset=utf-8' });
  response.end(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Veredus</title>
${body}
</html>
`);
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ESCAPES[character] ?? '');
}
