// The sources as the architecture tests read them: text, code without comments, and what each file imports.
import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export const root = join(import.meta.dirname, '../..');

export interface Import {
  /** As written. */
  readonly specifier: string;
  /** Of our own files: the path from src/. */
  readonly target: string | null;
}

export interface Source {
  /** From the root of the repository. */
  readonly path: string;
  readonly text: string;
  readonly code: string;
  readonly imports: readonly Import[];
}

const IMPORT = /(?:^|[\s;}])(?:from|import)\s*\(?\s*'([^']+)'/g;
/** Whole-line comments, those after code, and blocks. A `//` inside a string has no blank before it. */
const COMMENT = /\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/[^\n]*/g;

export function readSources(pattern: string): readonly Source[] {
  return globSync(pattern, { cwd: root })
    .toSorted()
    .map((path) => {
      const text = readFileSync(join(root, path), 'utf8');
      const code = text.replaceAll(COMMENT, '');
      const imports = [...code.matchAll(IMPORT)].map(([, specifier = '']) => ({
        specifier,
        target: targetOf(path, specifier),
      }));
      return { path, text, code, imports };
    });
}

function targetOf(path: string, specifier: string): string | null {
  if (specifier.startsWith('#/')) return specifier.slice(2);
  if (!specifier.startsWith('.')) return null;
  return join(dirname(path), specifier).replace(/^src\//, '');
}
