// A pattern taken apart into the branches of its alternations, so that it can be tried without some of them.

interface Branch {
  /** Its place among the branches of the pattern. */
  readonly id: number;
  readonly pieces: readonly Piece[];
}

/** Text as it stands, or a group with branches. */
type Piece = string | { readonly open: string; readonly branches: readonly Branch[] };

const NOTHING = '(?!)';

export class PatternBranches {
  readonly count: number;
  private readonly flags: string;
  private readonly top: readonly Branch[];
  /** Of each branch what it says. */
  private readonly texts: string[] = [];
  private readonly source: string;
  private at = 0;

  constructor(pattern: RegExp) {
    this.source = pattern.source;
    this.flags = pattern.flags;
    this.top = this.branches();
    this.count = this.texts.length;
  }

  textOf(id: number): string {
    return this.texts[id] ?? '';
  }

  without(removed: ReadonlySet<number>): RegExp {
    return new RegExp(printed(this.top, removed), this.flags);
  }

  private branches(): readonly Branch[] {
    const found: Branch[] = [];
    for (;;) {
      const start = this.at;
      const pieces = this.pieces();
      found.push({ id: this.texts.length, pieces });
      this.texts.push(this.source.slice(start, this.at));
      if (this.source.charAt(this.at) !== '|') return found;
      this.at++;
    }
  }

  private pieces(): readonly Piece[] {
    const pieces: Piece[] = [];
    while (this.at < this.source.length) {
      const char = this.source.charAt(this.at);
      if (char === '|' || char === ')') break;
      if (char === '(') pieces.push(this.group());
      else pieces.push(this.token());
    }
    return pieces;
  }

  private token(): string {
    const match = /\[(?:[^\]\\]|\\.)*\]|\\.|[^]/y;
    match.lastIndex = this.at;
    const token = match.exec(this.source)?.[0] ?? '';
    this.at += token.length;
    return token;
  }

  private group(): Piece {
    const opening = /\((?:\?(?:[:=!]|<[=!]))?/y;
    opening.lastIndex = this.at;
    const open = opening.exec(this.source)?.[0] ?? '(';
    this.at += open.length;
    const branches = this.branches();
    this.at++;
    return { open, branches };
  }
}

function printed(branches: readonly Branch[], removed: ReadonlySet<number>): string {
  const left = branches.filter(({ id }) => !removed.has(id));
  if (left.length === 0) return NOTHING;
  return left
    .map(({ pieces }) =>
      pieces
        .map((piece) => (typeof piece === 'string' ? piece : `${piece.open}${printed(piece.branches, removed)})`))
        .join(''),
    )
    .join('|');
}
