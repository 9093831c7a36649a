// The page behind a mailed link that asks to confirm an address. Opening it changes nothing, since scanners open every
// link of a mail; its button does.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { plain } from './health.ts';
import { answerDeadLink, answerPage, escape } from './pages/html.ts';

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
      return address === null
        ? answerDeadLink(response)
        : answerPage(response, 200, 'Confirm your address', askText(address));
    }
    case 'POST': {
      // The button sends nothing worth reading; the link is all there is.
      request.resume();
      const address = await confirmations.confirm(secret, about);
      return address === null ? answerDeadLink(response) : answerPage(response, 200, 'Confirmed', doneText(address));
    }
    default:
      response.setHeader('Allow', 'GET, HEAD, POST');
      response.setHeader('Connection', 'close');
      return plain(response, 405, 'method not allowed');
  }
}

function askText(address: string): string {
  return `<p>May email be sent from <strong>${escape(address)}</strong>? If you did not expect this, close the page: nothing happens.</p>
<form method="post"><button type="submit">Yes, confirm</button></form>`;
}

function doneText(address: string): string {
  return `<p>Email may now be sent from <strong>${escape(address)}</strong>. You can close this page.</p>`;
}
