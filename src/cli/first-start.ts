// What a node says when it starts, and, once, on an empty installation, how to send a first mail and watch it arrive.
import type { Base } from '#/base.ts';
import { type FirstAccount, makeFirstAccount } from '#/resolvers/installation/first-account.ts';
import type { Config } from '#/runtime/config.ts';

/** RFC 2606 keeps it for such use: nobody has it, and on a sandbox server nothing leaves. */
const SANDBOX_DOMAIN = 'sandbox.example';

export function addresses(config: Config, httpPort: number | null): string {
  const url = publicUrl(config, httpPort);
  return `\nVeredus serves GraphQL and GraphiQL at ${url}/graphql`;
}

/** Null on an installation that has accounts already. */
export async function firstSteps(config: Config, base: Base): Promise<((httpPort: number | null) => string) | null> {
  const made = await makeFirstAccount(base, SANDBOX_DOMAIN);
  return made === null ? null : (httpPort) => steps(publicUrl(config, httpPort), made);
}

export function setupUrl(url: string, secret: string): string {
  return `${url}/setup/${secret}`;
}

function publicUrl(config: Config, httpPort: number | null): string {
  return config.httpPort === 0 && httpPort !== null ? `http://${config.httpHost}:${httpPort}` : config.publicUrl;
}

function steps(url: string, { serverToken: token, setupSecret }: FirstAccount): string {
  const follow = JSON.stringify({
    query: 'subscription { messageEvents { type recipient occurredAt ... on DeliveredEvent { response } } }',
  });
  const send = JSON.stringify({
    query:
      'mutation ($input: SendEmailInput!) { sendEmail(input: $input) { __typename ... on Message { id } ... on Error { message } } }',
    variables: {
      input: { from: `Hello <hello@${SANDBOX_DOMAIN}>`, to: ['you@example.com'], subject: 'First', text: 'It works.' },
    },
  });
  const curl = `curl -sN ${url}/graphql -H 'Authorization: Bearer ${token}' -H 'Content-Type: application/json'`;
  return `
Make yourself the owner: open this link, which is good for one use (bin/veredus setup-link makes another):

  ${setupUrl(url, setupSecret)}

A sandbox server is ready: it accepts everything, and nothing leaves. Its token, shown this once:

  ${token}

Paste this to watch its events and send a first mail (Ctrl-C ends it):

  (sleep 1; ${curl} -d '${send}'; echo) & ${curl} -H 'Accept: text/event-stream' -d '${follow}'
`;
}
