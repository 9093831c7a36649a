// What a browser sees at the root of an API.
import type { ServerResponse } from 'node:http';

const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Veredus</title>
<h1>Veredus</h1>
<p>The API is GraphQL at <a href="/graphql">/graphql</a>; in a browser that address opens GraphiQL.</p>
</html>
`;

export function answerStart(response: ServerResponse): void {
  response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' });
  response.end(PAGE);
}
