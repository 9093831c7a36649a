// Delivery between two real programs: ours, started as an operator starts it, and receivers that do what test/scenarios
// says. All play side by side from the start, so that the slowest, of 100 seconds, is what the file takes.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { contents } from '../scenarios/content.ts';
import { dns } from '../scenarios/dns.ts';
import { doubts } from '../scenarios/doubt.ts';
import { extensions } from '../scenarios/extensions.ts';
import { lostConnections } from '../scenarios/lost-connections.ts';
import { privateNetworks } from '../scenarios/private-networks.ts';
import { recipients } from '../scenarios/recipients.ts';
import { refusals } from '../scenarios/refusals.ts';
import { replies } from '../scenarios/replies.ts';
import { sessions } from '../scenarios/sessions.ts';
import { tls } from '../scenarios/tls.ts';
import { tlsPolicies } from '../scenarios/tls-policies.ts';
import { runCommand } from '../support/program.ts';
import type { Scenario } from '../support/scenario.ts';
import { checkScenario, PATIENCE_MS } from '../support/scenario-check.ts';
import { type ScenarioWorld, scenarioWorld } from '../support/scenario-world.ts';

const topics: Readonly<Record<string, readonly Scenario[]>> = {
  'lost connections': lostConnections,
  refusals,
  'forms of replies': replies,
  extensions,
  content: contents,
  DNS: dns,
  sessions,
  recipients,
  TLS: tls,
  'TLS by policy': tlsPolicies,
  doubt: doubts,
};

let world: ScenarioWorld;
/** As an installation in the open is set. */
let guarded: ScenarioWorld;

beforeAll(async () => {
  world = await scenarioWorld(Object.values(topics).flat());
  guarded = await scenarioWorld(privateNetworks, {
    VEREDUS_ALLOW_PRIVATE_NETWORKS: 'false',
    VEREDUS_ALLOW_MX_ALIASES: 'true',
  });
}, 200_000);

afterAll(() => Promise.all([world, guarded].map((one) => one?.[Symbol.asyncDispose]())));

describe.each(Object.entries(topics))('%s', (_topic, scenarios) => {
  test.each(scenarios)('$name', { timeout: PATIENCE_MS + 30_000 }, (scenario) => checkScenario(world, scenario));
});

describe('our own network', () => {
  test.each(privateNetworks)('$name', { timeout: PATIENCE_MS + 30_000 }, (scenario) =>
    checkScenario(guarded, scenario),
  );
});

describe('in the end', () => {
  test('everything that was accepted has come to an end or is still open', async () => {
    const balance = JSON.parse(await runCommand(world.settings, ['balance', '--json']));
    expect(balance).toMatchObject({ unaccounted: 0, open: balance.queued });
    expect(balance.accepted).toBeGreaterThan(Object.values(topics).flat().length);
  });

  test('the program has complained of no mistake of its own', () => {
    const errors = [world, guarded].flatMap(({ program }) => program.output().split('\n').filter(isError));
    expect(errors).toEqual([]);
  });
});

const isError = (line: string) => line.includes('"level":"error"');
