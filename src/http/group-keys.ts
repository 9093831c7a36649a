// What makes subscribers a group: the same operation, the same values of the variables that its answers may depend on, and the
// same rights.
import type { Operation } from './documents.ts';
import { rightsKeyOf } from './rights-key.ts';
import type { AuthenticatedCaller, Params } from './types.ts';

export class GroupKeys {
  readonly #numbers = new WeakMap<Operation, number>();
  #count = 0;

  /** Null: no group but its own. */
  keyOf(asked: {
    readonly operation: Operation;
    readonly params: Params;
    readonly call: { readonly caller: AuthenticatedCaller | null };
  }): string | null {
    const { answersVaryBy } = asked.operation;
    const rights = rightsKeyOf(asked.call.caller);
    if (answersVaryBy === null || rights === null) return null;
    const { variables } = asked.params;
    // One that is not given has its default; one that is null does not.
    const values = answersVaryBy.filter((name) => name in variables).map((name) => [name, variables[name]]);
    return `${this.#numberOf(asked.operation)} ${JSON.stringify(values)} ${rights}`;
  }

  #numberOf(operation: Operation): number {
    const number = this.#numbers.get(operation) ?? ++this.#count;
    this.#numbers.set(operation, number);
    return number;
  }
}
