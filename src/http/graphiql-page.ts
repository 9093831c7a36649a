// The thread of graphiql.ts: writes the page, compressed.
import { parentPort } from 'node:worker_threads';
import { gzipSync } from 'node:zlib';
import { renderGraphiQL } from '@graphql-yoga/render-graphiql';

const EXAMPLE = `# Put a token into the tab "Headers" below: {"Authorization": "Bearer vrt_…"}
# Subscriptions run over server-sent events with the same headers.

query {
  __typename
}
`;

const page = renderGraphiQL({
  title: 'Veredus GraphiQL',
  defaultQuery: EXAMPLE,
  headers: JSON.stringify({ Authorization: 'Bearer ' }, null, 2),
  // A token kept in the browser's storage would outlive the tab.
  shouldPersistHeaders: false,
  subscriptionsProtocol: 'SSE',
  // Its default for subscriptions is GET, which puts variables into the URL.
  method: 'POST',
  credentials: 'omit',
  inputValueDeprecation: true,
});
parentPort?.postMessage(new Uint8Array(gzipSync(page)));
