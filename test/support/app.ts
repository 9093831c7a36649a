// The real application in the test's own process: HTTP and WebSocket on a free port, delivery to a peer, a database of
// its own.
import { startNode, type Node } from '#/app.ts';
import { scopeOfAccount, writeInSystemScope } from '#/db/scope.ts';
import { encodeId } from '#/domain/ids.ts';
import { type ServerTokenScope, serverTokenScopes } from '#/domain/permissions.ts';
import { bootstrap } from '#/resolvers/installation/bootstrap.ts';
import { issueToken } from '#/resolvers/tokens/issue-token.ts';
import { loadConfig } from '#/runtime/config.ts';
import type { Log } from '#/runtime/ports.ts';
import type { Registry } from 'prom-client';
import { createDatabase } from './postgres.ts';
import { testSecretKey } from './secret-key.ts';
import { silentLog } from './silent-log.ts';

export interface App extends AsyncDisposable {
  readonly url: string;
  readonly node: Node;
  readonly connectionString: string;
  /** Another process of the same installation. */
  another(settings?: Readonly<Record<string, string>>): Promise<Node & { readonly url: string }>;
  /** A new account with a server and tokens. */
  account(options?: {
    readonly name?: string;
    readonly delivery?: 'LIVE' | 'SANDBOX';
    readonly domain?: string;
  }): Promise<AppAccount>;
}

export interface AppAccount {
  readonly accountId: string;
  readonly serverId: string;
  /** UUIDs of the two above are for the database, these for the API. */
  readonly ids: { readonly account: string; readonly server: string };
  readonly serverToken: string;
  readonly accountToken: string;
  token(scopes: readonly ServerTokenScope[]): Promise<string>;
}

export async function startApp(
  settings: Readonly<Record<string, string>> = {},
  seen: { readonly log?: Log; readonly metrics?: Registry } = {},
): Promise<App> {
  await using stack = new AsyncDisposableStack();
  const { connectionString } = stack.use(await createDatabase());
  const nodes = stack.use(new AsyncDisposableStack());
  const start = async (more: Readonly<Record<string, string>> = {}) => {
    const config = loadConfig({
      VEREDUS_HTTP_PORT: '0',
      VEREDUS_WORKERS: '1',
      VEREDUS_ROLES: 'api,delivery',
      VEREDUS_ALLOW_PRIVATE_NETWORKS: 'true',
      VEREDUS_SECRET_KEY: testSecretKey,
      ...settings,
      ...more,
    });
    const node = nodes.use(await startNode({ log: silentLog, ...seen, config, connectionString }));
    return Object.assign(node, { url: `http://127.0.0.1:${node.httpPort}` });
  };
  const node = await start();
  let accounts = 0;
  const everything = stack.move();
  return {
    url: node.url,
    node,
    connectionString,
    another: start,
    async account({ name, delivery = 'SANDBOX', domain } = {}) {
      accounts++;
      const { deps, system } = node;
      const made = await bootstrap(
        { ...deps, system },
        {
          account: name ?? `Account ${accounts}`,
          ownerEmail: `owner${accounts}@acme.example`,
          ownerPasswordHash: null,
          server: 'Production',
          delivery,
          verifiedDomains: [domain ?? (accounts === 1 ? 'acme.example' : `acme${accounts}.example`)],
        },
      );
      const { accountId, serverId } = made;
      return {
        ...made,
        ids: { account: encodeId('account', accountId), server: encodeId('server', serverId) },
        async token(scopes) {
          const sandbox = delivery === 'SANDBOX';
          const order = { accountId, name: 'test', server: { id: serverId, sandbox }, scopes };
          const issued = await writeInSystemScope(system, deps.clock.now(), (scope) =>
            issueToken(scopeOfAccount(scope, accountId), deps, order),
          );
          return issued.secret;
        },
      };
    },
    [Symbol.asyncDispose]: () => everything.disposeAsync(),
  };
}

export const allScopes = serverTokenScopes;
