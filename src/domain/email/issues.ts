// Collects what is wrong with an input, so that one answer names everything there is to mend.

import type { InputIssue } from '../errors.ts';
import { MAX_ISSUES } from './limits.ts';

export interface Issues {
  readonly found: InputIssue[];
  readonly add: (path: readonly (string | number)[], message: string) => void;
}

/** Issues beyond MAX_ISSUES are dropped. */
export function collectIssues(): Issues {
  const found: InputIssue[] = [];
  return {
    found,
    add: (path, message) => {
      if (found.length < MAX_ISSUES) found.push({ path: path.map(String), message });
    },
  };
}
