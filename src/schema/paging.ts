// Pages of lists: forward only, by keyset cursors.
import { BadUserInput } from '#/domain/errors.ts';

export const MAX_PAGE = 100;
export const MAX_EVENT_PAGE = 500;

export const firstText = (most = MAX_PAGE) => `How many at most: 1 to ${most}.`;
export const afterText = 'Continue after this cursor; from the start of the list unless given.';

export function checkFirst(first: number, most = MAX_PAGE): number {
  if (first < 1 || first > most) throw new BadUserInput(`first is ${first}; it must be 1 to ${most}.`);
  return first;
}

export function connectionOf<T>(
  rows: readonly T[],
  page: { readonly hasMore: boolean; readonly after: string | null },
  cursorOf: (row: T) => string,
) {
  const edges = rows.map((node) => ({ cursor: cursorOf(node), node }));
  return {
    edges,
    pageInfo: {
      hasNextPage: page.hasMore,
      hasPreviousPage: page.after !== null,
      startCursor: edges.at(0)?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
  };
}
