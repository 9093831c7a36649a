// A text as lines that know whether they are quoted.

export interface Line {
  readonly text: string;
  readonly blank: boolean;
  readonly quoted: boolean;
  /** How often quoted by `>`; 0 for a line that an HTML element quotes. */
  readonly level: number;
  /** An element that holds nothing but the mail that is answered: what it begins with ends the reply. */
  readonly history: boolean;
}

/** Beyond it nobody has written by hand; what is looked at line by line has to end somewhere. */
export const MAX_LINES = 3_000;

export function linesOf(text: string): Line[] {
  return text.split('\n', MAX_LINES).map((line) => lineOf(line));
}

export function lineOf(text: string, by: { readonly quoted?: boolean; readonly history?: boolean } = {}): Line {
  const level = by.quoted === undefined ? markers(text) : 0;
  return {
    text,
    blank: /^[\s\u200b\ufeff]*$/.test(text),
    quoted: by.quoted ?? level > 0,
    level,
    history: by.history ?? false,
  };
}

/** `> > text`, also `|` from old programs is seen, but only doubled: one is the edge of a table. */
function markers(text: string): number {
  const match = /^\s{0,3}((?:>\s?){1,50})/.exec(text);
  return match === null ? 0 : (match[1] ?? '').replace(/[^>]/g, '').length;
}
