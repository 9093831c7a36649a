// What the HTTP side counts. Names of operations come from clients, so only the first of them get a series of their own.
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { redactTokens } from '#/domain/token.ts';

const NAMED_OPERATIONS = 100;

export interface HttpMetrics {
  answered(route: string, status: number): void;
  executed(operation: string | null, kind: string, seconds: number): void;
  refused(code: string): void;
}

export interface HttpGauges {
  readonly sockets: () => number;
  readonly subscriptions: () => number;
}

export const noMetrics: HttpMetrics = { answered() {}, executed() {}, refused() {} };

export function createHttpMetrics(registry: Registry, gauges: HttpGauges): HttpMetrics {
  const registers = [registry];
  const requests = new Counter({
    name: 'veredus_http_requests_total',
    help: 'Answers by route and status.',
    labelNames: ['route', 'status'],
    registers,
  });
  const durations = new Histogram({
    name: 'veredus_graphql_operation_seconds',
    help: 'Time from admission to result of queries and mutations.',
    labelNames: ['operation', 'kind'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15],
    registers,
  });
  const refusals = new Counter({
    name: 'veredus_graphql_refused_total',
    help: 'Requests refused before execution, by code.',
    labelNames: ['code'],
    registers,
  });
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  gauge('veredus_websockets', 'Open WebSockets.', gauges.sockets);
  gauge('veredus_subscriptions', 'Running subscriptions, WebSocket and SSE.', gauges.subscriptions);

  const names = new Set<string>();
  return {
    answered: (route, status) => requests.inc({ route, status }),
    executed(operation, kind, seconds) {
      // Whatever stands in a document may be the name, a token too.
      let name = redactTokens(operation ?? 'anonymous');
      if (!names.has(name)) {
        if (names.size < NAMED_OPERATIONS) names.add(name);
        else name = 'other';
      }
      durations.observe({ operation: name, kind }, seconds);
    },
    refused: (code) => refusals.inc({ code }),
  };
}
