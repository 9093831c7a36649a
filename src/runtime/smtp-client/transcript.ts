// The talk with the peer as lines for people: `S: …` from the peer, `C: …` from us; never content, never credentials.

const MAX_LINES = 200;
const MAX_LENGTH = 500;

export class Transcript {
  readonly lines: string[] = [];

  server(line: string): void {
    this.#add(`S: ${line}`);
  }

  client(line: string): void {
    this.#add(`C: ${line}`);
  }

  content(bytes: number): void {
    this.#add(`C: <${bytes} bytes of content>`);
  }

  #add(line: string): void {
    if (this.lines.length >= MAX_LINES) return;
    // A cut may split a surrogate pair, which PostgreSQL's jsonb would refuse.
    this.lines.push(line.length > MAX_LENGTH ? line.slice(0, MAX_LENGTH).toWellFormed() : line);
  }
}
