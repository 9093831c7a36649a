// A mail of the installation to a person, as text and as HTML that says the same. Nothing that came from elsewhere (names,
// reasons, user agents) reaches the HTML unescaped or the subject with a line end.
import type { SystemMailText } from './system-mail.ts';

export interface Letter {
  readonly to: string;
  readonly subject: string;
  readonly paragraphs: readonly string[];
  /** Where something is to be done; a one-time secret stands in `url` and nowhere else. */
  readonly link?: { readonly label: string; readonly url: string };
  /** After the link: what it means to have got this unasked. */
  readonly afterword?: string;
}

const MAX_SUBJECT = 200;

export function letterOf({ to, subject, paragraphs, link, afterword }: Letter): SystemMailText {
  const after = afterword === undefined ? [] : [afterword];
  const text = [...paragraphs, ...(link === undefined ? [] : [`${link.label}:\n${link.url}`]), ...after];
  const html = [
    ...paragraphs.map(paragraph),
    ...(link === undefined ? [] : [`<p><a href="${escape(link.url)}">${escape(link.label)}</a></p>`]),
    ...after.map(paragraph),
  ];
  return {
    to,
    subject: oneLine(subject).slice(0, MAX_SUBJECT),
    text: `${text.join('\n\n')}\n`,
    html: `<!doctype html>\n<html lang="en"><body style="font-family:sans-serif;line-height:1.5;max-width:36em">\n${html.join('\n')}\n</body></html>\n`,
  };
}

function paragraph(text: string): string {
  return `<p>${escape(text).replaceAll('\n', '<br>\n')}</p>`;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
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
