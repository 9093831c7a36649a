// What a node says when it starts, and, once, on an empty installation, how to send a first mail and watch it arrive.
import type { Base } from '#/app.ts';
import { isEmptyInstallation } from '#/db/installation.ts';
import { bootstrap } from '#/resolvers/installation/bootstrap.ts';
import type { Config } from '#/runtime/config.ts';

/** RFC 2606 keeps it for such use: nobody has it, and on a sandbox server nothing leaves. */
const SANDBOX_DOMAIN = 'sandbox.example';

export function addresses(config: Config, httpPort: number | null): string {
  const url = publicUrl(config, httpPort);
  return `\nVeredus serves GraphQL and GraphiQL at ${url}/graphql`;
}

/** Null on an installation that has accounts already. */
export async function firstSteps(config: Config, base: Base): Promise<((httpPort: number | null) => string) | null> {
  if (!(await isEmptyInstallation(base.system.db))) return null;
  const { serverToken } = await bootstrap(base, {
    account: 'My account',
    ownerEmail: `owner@${SANDBOX_DOMAIN}`,
    ownerPasswordHash: null,
    server: 'Sandbox',
    delivery: 'SANDBOX',
    verifiedDomains: [SANDBOX_DOMAIN],
  });
  return (httpPort) => steps(publicUrl(config, httpPort), serverToken);
}

function publicUrl(config: Config, httpPort: number | null): string {
  return config.httpPort === 0 && httpPort !== null ? `http://${config.httpHost}:${httpPort}` : config.publicUrl;
}

function steps(url: string, token: string): string {
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
A sandbox server is ready: it accepts everything, and nothing leaves. Its token, shown this once:

  ${token}

Paste this to watch its events and send a first mail (Ctrl-C ends it):

  (sleep 1; ${curl} -d '${send}'; echo) & ${curl} -H 'Accept: text/event-stream' -d '${follow}'
`;
}
