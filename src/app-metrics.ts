// What a process counts and shows of its roles; app.ts says which.
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { listHealth } from '#/db/transport-health.ts';
import type { SystemScope } from '#/db/scope.ts';
import { readBalance } from '#/delivery/balance.ts';
import type { DeliveryEngine } from '#/delivery/engine.ts';
import type { Clock } from '#/runtime/ports.ts';
import type { SmtpMetrics } from '#/smtp/protocol/listener.ts';
import type { WebhookWorker } from '#/webhooks/worker.ts';

export function countSettled(registry: Registry): (status: string) => void {
  const counter = new Counter({
    name: 'veredus_recipients_settled_total',
    help: 'Outcomes of deliveries by status; DELAYED ones come again.',
    labelNames: ['status'],
    registers: [registry],
  });
  return (status) => counter.inc({ status });
}

export function showInFlight(registry: Registry, delivery: DeliveryEngine): void {
  new Gauge({
    name: 'veredus_recipients_in_flight',
    help: 'Recipients that delivery holds under a lease.',
    registers: [registry],
    collect() {
      this.set(delivery.inFlight);
    },
  });
}

/** Every process reads the same figures. */
export function showTransports(registry: Registry, system: SystemScope): void {
  new Gauge({
    name: 'veredus_transport_member_out',
    help: '1 for a relay or source of a transport that is out of order, 0 for one that was.',
    labelNames: ['member'],
    registers: [registry],
    aggregator: 'max',
    async collect() {
      const rows = await listHealth(system.db).catch(() => null);
      // Without the database the figures stay what they were.
      if (rows === null) return;
      this.reset();
      for (const { subject, outSince } of rows) this.set({ member: subject }, outSince === null ? 0 : 1);
    },
  });
}

/** Every process reads the same figures; the parent takes the newest, which is the highest of each. */
export function showBalance(registry: Registry, system: SystemScope, clock: Clock): void {
  new Gauge({
    name: 'veredus_recipients',
    help: 'Recipients of all time: ACCEPTED, what became of them, and UNACCOUNTED, which is a loss unless 0.',
    labelNames: ['state'],
    registers: [registry],
    aggregator: 'max',
    async collect() {
      const balance = await readBalance(system, clock.now()).catch(() => null);
      // Without the database the figures stay what they were.
      if (balance === null) return;
      const { accepted, settled, open, unaccounted } = balance;
      const states = { ACCEPTED: accepted, ...settled, OPEN: open, UNACCOUNTED: unaccounted };
      for (const [state, count] of Object.entries(states)) this.set({ state }, count);
    },
  });
}

export function countCalls(registry: Registry): (verdict: string, latencyMs: number) => void {
  const calls = new Histogram({
    name: 'veredus_webhook_call_seconds',
    help: 'Calls of webhooks by what came of them: taken, later (tried again), refused, gone.',
    labelNames: ['verdict'],
    buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 15],
    registers: [registry],
  });
  return (verdict, latencyMs) => calls.observe({ verdict }, latencyMs / 1_000);
}

export function showWebhooks(registry: Registry, worker: WebhookWorker): void {
  const figures = [
    ['veredus_webhooks_held', 'Webhooks that this process calls.', () => worker.held],
    ['veredus_webhook_calls_open', 'Calls of webhooks that have no answer yet.', () => worker.calling],
  ] as const;
  for (const [name, help, value] of figures) {
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(value());
      },
    });
  }
}

export function smtpCounters(registry: Registry): (server: string) => SmtpMetrics {
  const registers = [registry];
  const labelled = (name: string, help: string, label: string) =>
    new Counter({ name, help, labelNames: ['server', label], registers });
  const messages = labelled('veredus_smtp_messages_total', 'Messages over SMTP, by what was answered.', 'outcome');
  const refusals = labelled('veredus_smtp_refusals_total', 'Negative replies over SMTP, by code.', 'code');
  const sessions = new Gauge({
    name: 'veredus_smtp_sessions',
    help: 'Open sessions over SMTP.',
    labelNames: ['server'],
    registers,
  });
  return (server) => ({
    sessions: (count) => sessions.inc({ server }, count),
    message: (outcome) => messages.inc({ server, outcome }),
    refused: (code) => refusals.inc({ server, code }),
  });
}
