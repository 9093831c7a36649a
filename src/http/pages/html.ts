// The shell of the pages behind mailed links: no script, one style that the policy names by its hash, nothing loaded.
import { createHash } from 'node:crypto';
import type { ServerResponse } from 'node:http';

const STYLE = `
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 26rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.2; }
label { display: block; margin-top: 1rem; font-weight: 600; }
input { box-sizing: border-box; width: 100%; font: inherit; padding: 0.5rem; border: 1px solid #767676; border-radius: 0.25rem; }
input[aria-invalid] { border-color: #a40000; }
button { font: inherit; margin-top: 1.5rem; padding: 0.5rem 1.25rem; }
.hint, .error { margin: 0.25rem 0 0; }
.error { color: #a40000; }
`;
const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64');

/** The form goes back to where it came from. */
const POLICY = `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'`;

/** `body`: HTML. */
export function answerPage(response: ServerResponse, status: number, title: string, body: string): void {
  response.setHeader('Content-Security-Policy', POLICY);
  response.writeHead(status, { 'Content-Type': 'text/html; charset=utf-8' });
  response.end(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${escape(title)} – Veredus</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escape(title)}</h1>
${body}
</main>
</body>
</html>
`);
}

export function answerDeadLink(response: ServerResponse): void {
  const text = 'It was used, has expired, or was replaced by a newer one. Ask for another.';
  answerPage(response, 404, 'This link is no longer good', paragraph(text));
}

export function paragraph(text: string): string {
  return `<p>${escape(text)}</p>`;
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

export function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ESCAPES[character] ?? '');
}
