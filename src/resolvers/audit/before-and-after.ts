// What has changed, as the audit log keeps it: each field with what it was and what it is.

export type Changed = Readonly<Record<string, { readonly before: unknown; readonly after: unknown }>>;

/** Fields of `after` that are not as they were before. */
export function beforeAndAfter<T extends object>(before: T, after: Partial<T>): Changed {
  const changed: Record<string, { before: unknown; after: unknown }> = {};
  for (const field of Object.keys(after)) {
    const was: unknown = Reflect.get(before, field);
    const is: unknown = Reflect.get(after, field);
    if (JSON.stringify(was) !== JSON.stringify(is)) changed[field] = { before: was, after: is };
  }
  return changed;
}
