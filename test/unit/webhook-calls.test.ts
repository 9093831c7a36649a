// Signatures, what answers mean, when calls are made again; and that no event is ever lost by it.
import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import { describe, expect, test } from 'vitest';
import { collectIssues } from '#/domain/email/issues.ts';
import { type EndpointHealth, judgeCall } from '#/domain/webhooks/judge-call.ts';
import { webhookRequest } from '#/domain/webhooks/endpoint.ts';
import { checkOwnHeaders } from '#/domain/webhooks/own-headers.ts';
import { makeSecret, publicKeyOf, signatureOf } from '#/domain/webhooks/signature.ts';
import { type CallOutcome, pauseAfter, RETRY_MS, retryAfterMs, retryAt, verdictOn } from '#/domain/webhooks/verdict.ts';
import { eventTypes } from '#/events/catalogue.ts';
import { samplePayload } from '#/events/webhook-payload.ts';

const HOUR = 3_600_000;
const NOW = new Date('2026-03-01T12:00:00.000Z');
const bytes = (length: number) => Buffer.alloc(length, 7);
const answered = (status: number, retryAfter: string | null = null): CallOutcome => ({ status, retryAfter });
const SILENCE: CallOutcome = { status: null, retryAfter: null };
const healthy: EndpointHealth = {
  failures: 0,
  refusals: 0,
  failingSince: null,
  lastSuccessAt: null,
  pausedAt: null,
  pauseReason: null,
  notBefore: null,
};

describe('signatures', () => {
  test('are those of the library of Standard Webhooks, with any body', () => {
    const secret = makeSecret(bytes);
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 1, max: 2_000_000_000 }), (body, timestamp) => {
        const ours = signatureOf({ secrets: [secret], ed25519: null }, 'evt_1', timestamp, body);
        expect(ours).toBe(new Webhook(secret).sign('evt_1', new Date(timestamp * 1_000), body));
      }),
    );
  });

  test('the secret is whsec_ and base64 of 24 to 64 bytes', () => {
    const secret = makeSecret(bytes);
    const raw = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
    expect(raw.length).toBeGreaterThanOrEqual(24);
    expect(raw.length).toBeLessThanOrEqual(64);
    expect(secret).toBe(`whsec_${raw.toString('base64')}`);
  });

  test('the public key of Ed25519 is that of RFC 8032, test 1', () => {
    const seed = Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex');
    const expected = Buffer.from('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a', 'hex');
    expect(publicKeyOf(seed)).toBe(`whpk_${expected.toString('base64')}`);
  });

  test("a request's own headers cannot take the place of ours", () => {
    const target = { url: 'https://x.example/', headers: [{ name: 'Webhook-Id', value: 'forged' }], basicAuth: null };
    const request = webhookRequest({ target, secrets: [makeSecret(bytes)], ed25519: null }, 'evt_1', '{}', NOW);
    expect(request.headers['webhook-id']).toBe('evt_1');
    expect(Object.keys(request.headers).filter((name) => name.toLowerCase() === 'webhook-id')).toHaveLength(1);
    expect(request.headers['webhook-timestamp']).toBe(String(NOW.getTime() / 1_000));
  });
});

test.each([
  'Connection',
  'keep-alive',
  'Proxy-Authorization',
  'TE',
  'Trailer',
  'Transfer-Encoding',
  'Upgrade',
  'Host',
  'Content-Length',
  'Content-Type',
  'Webhook-Signature',
  'webhook-anything',
  'Accept-Encoding',
  'X Y',
  'X:Y',
  '',
  'Ä',
])('the header %j is refused', (name) => {
  const issues = collectIssues();
  checkOwnHeaders([{ name, value: 'x' }], false, issues);
  expect(issues.found).toHaveLength(1);
});

test.each(['a\nb', 'a\r\nX-B: c', '', ' ', 'ä', 'a\0', 'x'.repeat(2_001)])(
  'the header value %j is refused',
  (value) => {
    const issues = collectIssues();
    checkOwnHeaders([{ name: 'X-A', value }], false, issues);
    expect(issues.found).toHaveLength(1);
  },
);

test.each([
  [200, 'taken'],
  [204, 'taken'],
  [299, 'taken'],
  [301, 'refused'],
  [302, 'refused'],
  [304, 'refused'],
  [307, 'refused'],
  [400, 'refused'],
  [401, 'refused'],
  [403, 'refused'],
  [404, 'refused'],
  [408, 'later'],
  [410, 'gone'],
  [422, 'refused'],
  [425, 'later'],
  [429, 'later'],
  [500, 'later'],
  [503, 'later'],
  [599, 'later'],
])('%i is %s', (status, verdict) => {
  expect(verdictOn(answered(status))).toBe(verdict);
});

describe('retries', () => {
  test('come with growing pauses, jittered, for a day', () => {
    const pauses = Array.from({ length: 12 }, (_, index) => pauseAfter(index + 1, 0.5));
    expect(pauses.slice(0, 8)).toEqual([5_000, 30_000, 120_000, 600_000, 1_800_000, HOUR, 2 * HOUR, 4 * HOUR]);
    expect(pauses.toSorted((a, b) => a - b)).toEqual(pauses);
    expect(pauseAfter(3, 0)).toBeCloseTo(96_000);
    expect(pauseAfter(3, 0.999_999)).toBeCloseTo(144_000, -1);

    let now = NOW;
    let tries = 1;
    for (let next = retryAt(now, NOW, pauseAfter(tries, 0.5)); next !== null; tries++) {
      expect(next.getTime()).toBeGreaterThan(now.getTime());
      now = next;
      next = retryAt(now, NOW, pauseAfter(tries + 1, 0.5));
    }
    expect(now.getTime() - NOW.getTime()).toBe(RETRY_MS);
    expect(tries).toBeGreaterThan(10);
    expect(tries).toBeLessThan(20);
  });

  test.each([
    [null, 0],
    ['0', 0],
    ['120', 120_000],
    ['  30 ', 30_000],
    ['Sun, 01 Mar 2026 12:01:00 GMT', 60_000],
    ['Sun, 01 Mar 2026 11:00:00 GMT', 0],
    ['999999', RETRY_MS],
    ['99999999999999999999', RETRY_MS],
    ['9'.repeat(400), RETRY_MS],
    ['Fri, 31 Dec 9999 23:59:59 GMT', RETRY_MS],
    ['-5', 0],
    ['soon', 0],
    ['1e9', 0],
  ])('Retry-After %j asks for %i ms', (header, ms) => {
    expect(retryAfterMs(header, NOW)).toBe(ms);
  });

  test('Retry-After of 429 and 503 puts off the delivery and all others of the endpoint', () => {
    const tried = { attempts: 0, firstAttemptAt: null };
    const { delivery, health } = judgeCall(tried, healthy, answered(429, '600'), NOW, 0.5);
    expect(delivery.nextAttemptAt).toEqual(new Date(NOW.getTime() + 600_000));
    expect(health.notBefore).toEqual(new Date(NOW.getTime() + 600_000));
    expect(judgeCall(tried, healthy, answered(500, '600'), NOW, 0.5)).toMatchObject({
      delivery: { nextAttemptAt: new Date(NOW.getTime() + 600_000) },
      health: { notBefore: null },
    });
  });
});

describe('what a call changes', () => {
  const dayAgo = new Date(NOW.getTime() - RETRY_MS);

  test('a delivery whose day is over fails when others got through, and pauses the endpoint when none did', () => {
    const tried = { attempts: 12, firstAttemptAt: dayAgo };
    const alone = { ...healthy, failures: 5, failingSince: new Date(NOW.getTime() - HOUR) };
    expect(judgeCall(tried, alone, answered(500), NOW, 0.5)).toMatchObject({
      delivery: { state: 'FAILED', nextAttemptAt: null },
      health: { pausedAt: null },
    });
    const dead = { ...healthy, failures: 50, failingSince: dayAgo };
    expect(judgeCall(tried, dead, SILENCE, NOW, 0.5)).toMatchObject({
      delivery: { state: 'PENDING', nextAttemptAt: NOW },
      health: { pausedAt: NOW, pauseReason: 'FAILING' },
      notice: 'PAUSED',
    });
  });

  test('refusals fail the delivery and let the endpoint go on; the owner is told once', () => {
    let health = healthy;
    const notices = Array.from({ length: 40 }, () => {
      const judged = judgeCall({ attempts: 0, firstAttemptAt: null }, health, answered(404), NOW, 0.5);
      expect(judged).toMatchObject({ delivery: { state: 'FAILED' }, health: { pausedAt: null, failures: 0 } });
      health = judged.health;
      return judged.notice;
    });
    expect(notices.filter((notice) => notice !== null)).toEqual(['REFUSING']);
    expect(judgeCall({ attempts: 0, firstAttemptAt: null }, health, answered(200), NOW, 0.5).health.refusals).toBe(0);
  });

  test('whatever comes, an event is delivered, failed for all to see, or pending with a time; and a day has an end', () => {
    const outcome = fc.oneof(
      fc.constant(SILENCE),
      fc.record({
        status: fc.integer({ min: 100, max: 599 }),
        retryAfter: fc.option(fc.oneof(fc.nat().map(String), fc.string())),
      }),
    );
    const step = fc.record({
      call: outcome,
      uniform: fc.double({ min: 0, max: 0.999, noNaN: true }),
      late: fc.nat(5 * HOUR),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 60 }), (steps) => {
        let delivery: ReturnType<typeof judgeCall>['delivery'] | null = null;
        let health = healthy;
        let now = NOW;
        for (const { call, uniform, late } of steps) {
          const tried: { attempts: number; firstAttemptAt: Date | null } = delivery ?? {
            attempts: 0,
            firstAttemptAt: null,
          };
          const judged = judgeCall(tried, health, call, now, uniform);
          ({ delivery, health } = judged);
          // A state that ends has no time; one that waits has one, within its day or at once.
          expect(delivery.state === 'PENDING').toBe(delivery.nextAttemptAt !== null);
          expect(delivery.attempts).toBe(tried.attempts + 1);
          if (delivery.state === 'SUCCEEDED') expect(verdictOn(call)).toBe('taken');
          if (verdictOn(call) === 'taken') expect(delivery.state).toBe('SUCCEEDED');
          if (delivery.nextAttemptAt !== null) {
            expect(delivery.nextAttemptAt.getTime()).toBeGreaterThanOrEqual(now.getTime());
            expect(delivery.nextAttemptAt.getTime() - delivery.firstAttemptAt.getTime()).toBeLessThanOrEqual(
              Math.max(RETRY_MS, now.getTime() - delivery.firstAttemptAt.getTime()),
            );
          }
          // Nothing that a later try could change is given up before its day is over.
          if (delivery.state === 'FAILED' && verdictOn(call) === 'later')
            expect(now.getTime() - delivery.firstAttemptAt.getTime()).toBeGreaterThanOrEqual(RETRY_MS);
          expect(health.pausedAt === null).toBe(health.pauseReason === null);
          expect(health.failures === 0).toBe(health.failingSince === null);
          if (delivery.nextAttemptAt === null || health.pausedAt !== null) return;
          now = new Date(delivery.nextAttemptAt.getTime() + late);
        }
        // Sixty tries do not fit into a day.
        expect(steps.length).toBeLessThan(60);
      }),
      { numRuns: 2_000 },
    );
  });
});

test('samples have the fields that the API shows of their type', async () => {
  const { schema } = await import('#/schema/index.ts');
  const { eventTypeNames } = await import('#/schema/event.ts');
  const { isObjectType } = await import('graphql');
  const id = '018f0000-0000-7000-8000-000000000000';
  for (const type of eventTypes) {
    const sample = JSON.parse(samplePayload(type, { serverId: id, eventId: id, now: NOW, stream: 'outbound' }));
    const shape = schema.getType(eventTypeNames[type]);
    if (!isObjectType(shape)) throw new Error(`${type} has no type`);
    const fields = Object.keys(shape.getFields()).filter((name) => name !== 'message');
    expect(Object.keys(sample).sort()).toEqual([...fields, 'serverId', 'test'].sort());
    expect(sample).toMatchObject({ type, test: true });
  }
});
