// The parameters of GraphQL over HTTP (§5.1 of its draft), from a JSON body, a query string, or a socket's message.
import { refused } from './errors.ts';
import type { Params } from './types.ts';

/** Throws RequestFault. */
export function readParams(body: unknown): Params {
  if (Array.isArray(body)) throw bad('Several operations in one request are not supported.');
  if (!isRecord(body)) throw bad('The body must be a JSON object.');
  const { query, operationName, variables, extensions } = body;
  if (typeof query !== 'string') throw bad('`query` must be a string.');
  if (operationName !== undefined && operationName !== null && typeof operationName !== 'string') {
    throw bad('`operationName` must be a string.');
  }
  if (variables !== undefined && variables !== null && !isRecord(variables))
    throw bad('`variables` must be an object.');
  if (extensions !== undefined && extensions !== null && !isRecord(extensions)) {
    throw bad('`extensions` must be an object.');
  }
  return { query, operationName: operationName || null, variables: variables ?? {} };
}

/** Throws RequestFault. */
export function readQueryString(search: URLSearchParams): Params {
  return readParams({
    query: search.get('query') ?? undefined,
    operationName: search.get('operationName'),
    variables: parseMap(search.get('variables'), 'variables'),
    extensions: parseMap(search.get('extensions'), 'extensions'),
  });
}

/** Throws RequestFault. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw bad('The body is not valid JSON.');
  }
}

function parseMap(text: string | null, name: string): unknown {
  if (text === null || text === '') return null;
  try {
    return JSON.parse(text);
  } catch {
    throw bad(`\`${name}\` is not valid JSON.`);
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function bad(message: string) {
  return refused(400, 'BAD_REQUEST', message);
}
