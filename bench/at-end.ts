// What has to be undone when the program is interrupted: processes that would outlive it.

const undo = new Set<() => Promise<void>>();

/** Answers the way to do it in good time, and once. */
export function atEnd(action: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | null = null;
  const once = () => {
    undo.delete(once);
    done ??= action();
    return done;
  };
  undo.add(once);
  return once;
}

/** In the reverse order of their beginning. */
export async function endAll(): Promise<void> {
  for (const action of [...undo].reverse()) await action().catch((error: unknown) => console.error(error));
}
