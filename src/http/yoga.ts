// Answers that stream: GraphQL over server-sent events in distinct connections mode (graphql-sse), as Yoga writes them.
// Yoga is the last step only. Bodies, tokens, limits and execution are shared with the other ways in, so that none of them
// knows a gap; what it needs has been done when it is called.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ExecutionResult, GraphQLSchema } from 'graphql';
import { createYoga, type Plugin } from 'graphql-yoga';
import type { Params } from './types.ts';

export interface Prepared {
  readonly params: Params;
  readonly result: ExecutionResult | AsyncIterable<ExecutionResult>;
}

export type AnswerEvents = (request: IncomingMessage, response: ServerResponse, prepared: Prepared) => Promise<void>;

export function createEventStreamHandler(schema: GraphQLSchema): AnswerEvents {
  const yoga = createYoga<{ prepared: Prepared }>({
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
  return async (request, response, prepared) => {
    // What was negotiated, in the one way that Yoga cannot read differently.
    request.headers.accept = 'text/event-stream';
    await yoga(request, response, { prepared });
  };
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
