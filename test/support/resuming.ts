// As docs/events.md tells clients to do it; test/architecture/event-examples.test.ts holds the two together.
import type { Client } from 'graphql-ws';

// resuming-begin
/** The same client, whose subscriptions to events go on after the last that they saw, however often the socket breaks. */
export function resuming(client: Client): Client {
  return {
    ...client,
    subscribe(payload, sink) {
      // graphql-ws sends this object again after each reconnection.
      const variables: Record<string, unknown> = { ...payload.variables };
      return client.subscribe<{ messageEvents: { cursor: string } }>(
        { ...payload, variables },
        {
          ...sink,
          next(result) {
            variables['after'] = result.data?.messageEvents.cursor ?? variables['after'];
            sink.next(result as never);
          },
        },
      );
    },
  };
}
// resuming-end
