// Answers that stream: GraphQL over server-sent events in distinct connections mode (graphql-sse), as Yoga writes them.
// Yoga is the last step only. Bodies, tokens, limits and execution are shared with the other ways in, so that none of them
// knows a gap; what it needs has been done when it is called.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ExecutionResult, GraphQLSchema } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import type { Params } from './types.ts';

export interface Prepared {
  readonly params: Params;
  readonly result: ExecutionResult | AsyncIterable<ExecutionResult>;
}

export type AnswerEvents = (request: IncomingMessage, response: ServerResponse, prepared: Prepared) => Promise<void>;

/** Yoga is loaded with the first stream: every process would hold its 9 MB, and most are never asked for one. */
export function createEventStreamHandler(schema: GraphQLSchema): AnswerEvents {
  let loading: ReturnType<typeof loadYoga> | null = null;
  return async (request, response, prepared) => {
    const yoga = await (loading ??= loadYoga(schema));
    // What was negotiated, in the one way that Yoga cannot read differently.
    request.headers.accept = 'text/event-stream';
    await yoga(request, response, { prepared });
  };
}

async function loadYoga(schema: GraphQLSchema) {
  const { createYoga } = await import('graphql-yoga');
  return createYoga<{ prepared: Prepared }>({
    schema,
    graphqlEndpoint: '/graphql',
    graphiql: false,
    landingPage: false,
    cors: false,
    multipart: false,
    maskedErrors: false,
    maxRequestBodySize: false,
    parserAndValidationCache: false,
    logging: false,
    plugins: [usePrepared],
  });
}

const usePrepared: Plugin<object, { prepared: Prepared }> = {
  onRequestParse({ serverContext, setRequestParser }) {
    const { query, operationName, variables } = serverContext.prepared.params;
    setRequestParser(() => ({
      query,
      variables: { ...variables },
      ...(operationName === null ? {} : { operationName }),
    }));
  },
  onParams({ context, setResult }) {
    setResult(context.prepared.result);
  },
};
