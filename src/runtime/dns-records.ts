// TXT and CNAME lookups for the checks of domains. Nothing is kept: who asks has just changed it.
import type { Resolver } from 'node:dns/promises';
import type { CnameAnswer, TextAnswer } from './ports.ts';

/** Longer chains than this are mistakes or loops; resolvers give up at about as many. */
const MAX_HOPS = 8;

type Lookup<T> =
  | { readonly kind: 'found'; readonly value: T }
  | { readonly kind: 'none' | 'no-such-name' }
  | { readonly kind: 'failed'; readonly reason: string };

/** Follows CNAMEs itself, `hops` of them, where the resolver gave only the first, as an authoritative server does. */
export async function lookUpTxt(resolver: Resolver, name: string, hops = MAX_HOPS): Promise<TextAnswer> {
  let at = name;
  for (let hop = 0; hop <= hops; hop++) {
    const answer = await lookUp(() => resolver.resolveTxt(at));
    if (answer.kind === 'failed') return answer;
    if (answer.kind === 'found' && answer.value.length > 0) {
      return { kind: 'texts', texts: answer.value.map((parts) => parts.join('')) };
    }
    if (hops === 0) return { kind: answer.kind === 'no-such-name' ? 'no-such-name' : 'none' };
    const alias = await lookUp(() => resolver.resolveCname(at));
    if (alias.kind === 'failed') return alias;
    const target = alias.kind === 'found' ? alias.value[0] : undefined;
    if (target === undefined) return { kind: answer.kind === 'no-such-name' ? 'no-such-name' : 'none' };
    at = bare(target);
  }
  return { kind: 'failed', reason: 'ELOOP' };
}

export async function lookUpCname(resolver: Resolver, name: string): Promise<CnameAnswer> {
  const names: string[] = [];
  let at = name;
  for (let hop = 0; hop <= MAX_HOPS; hop++) {
    const answer = await lookUp(() => resolver.resolveCname(at));
    if (answer.kind === 'failed') return answer;
    const target = answer.kind === 'found' ? answer.value[0] : undefined;
    // Where an alias points, nothing need be: that it points there is the answer.
    if (target === undefined) {
      if (names.length > 0) return { kind: 'chain', names };
      return { kind: answer.kind === 'no-such-name' ? 'no-such-name' : 'none' };
    }
    at = bare(target);
    names.push(at);
  }
  return { kind: 'failed', reason: 'ELOOP' };
}

async function lookUp<T>(ask: () => Promise<T>): Promise<Lookup<T>> {
  try {
    return { kind: 'found', value: await ask() };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    if (code === 'ENODATA') return { kind: 'none' };
    if (code === 'ENOTFOUND' || code === 'EBADNAME') return { kind: 'no-such-name' };
    return { kind: 'failed', reason: code };
  }
}

function bare(name: string): string {
  return name.toLowerCase().replace(/\.$/, '');
}
