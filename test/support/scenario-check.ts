// Holds what came of a scenario against what was to come of it, and against what must always be so.
import { expect } from 'vitest';
import { isDelayTold } from '#/domain/delivery/retry.ts';
import { verifyByMailauth } from './dkim-verifiers.ts';
import type { Scenario, SeenAttempt, SeenRecipient, Step, Story } from './scenario.ts';
import { RETRY_SCALE, type ScenarioWorld, type SeenEvent, type SeenMessage } from './scenario-world.ts';

/** The slow ones take 90 seconds, and the machine may be busy. */
export const PATIENCE_MS = 125_000;

const FINAL = new Set(['DELIVERED', 'BOUNCED', 'EXPIRED', 'IN_DOUBT', 'CANCELLED', 'SUPPRESSED']);

export async function checkScenario(world: ScenarioWorld, scenario: Scenario): Promise<void> {
  const stories = storiesOf(scenario);
  const isOver = (messages: readonly SeenMessage[]) =>
    messages.every(({ recipients }) =>
      recipients.every((recipient) => hasEnded(recipient, stories(recipient.address))),
    );
  const messages = await world.messages(scenario, isOver, PATIENCE_MS);
  for (const message of messages) {
    for (const recipient of message.recipients) {
      const story = stories(recipient.address);
      checkAttempts(recipient, story);
      expect(recipient.status, `status of ${recipient.address}`).toBe(statusAfter(story, scenario));
      checkEvents(message, recipient, story);
    }
  }
  checkCopies(world, scenario, messages, stories);
  await checkWire(world, scenario);
  await scenario.check?.(world.saw(scenario, messages));
}

function storiesOf({ story: told }: Scenario): (address: string) => Story {
  return (address) => {
    if (isStory(told)) return told;
    const story = told[address.slice(0, address.lastIndexOf('@'))] ?? told['*'];
    if (story === undefined) throw new Error(`there is no story of ${address}`);
    return story;
  };
}

const isStory = (told: Scenario['story']): told is Story => Array.isArray(told);

function hasEnded({ status, attempts }: SeenRecipient, story: Story): boolean {
  if (FINAL.has(status)) return true;
  return isOpen(story) && attempts.filter(({ endedAt }) => endedAt !== null).length >= story.length;
}

/** It goes on after what is told of it. */
const isOpen = (story: Story) => story.at(-1)?.outcome === 'DEFERRED';

function statusAfter(story: Story, { inDoubt }: Scenario): string {
  const { outcome: last, ends } = story.at(-1) ?? {};
  if (ends !== undefined) return ends;
  if (last === 'IN_DOUBT') return inDoubt === 'NEVER_TWICE' || story.length >= 3 ? 'IN_DOUBT' : 'DELAYED';
  return last === 'DEFERRED' ? 'DELAYED' : (last ?? 'QUEUED');
}

function checkAttempts({ address, attempts }: SeenRecipient, story: Story): void {
  const told = attempts.map(sentenceOf).join('\n');
  const left = [...attempts];
  for (const step of story) {
    if (step.outcome === 'OVERDUE' || (step.perhaps === true && left[0]?.outcome !== step.outcome)) continue;
    const next = left.shift();
    expect(next, `an attempt for ${address} is missing after:\n${told}`).toBeDefined();
    if (next !== undefined) checkStep(next, step, told);
    while (step.repeats === true && left[0] !== undefined && left[0].outcome === step.outcome) left.shift();
  }
  if (!isOpen(story)) expect(left.map(sentenceOf), `more attempts for ${address} than expected`).toEqual([]);
}

function checkStep(attempt: SeenAttempt, { outcome, code, says, host, tls, unsent }: Step, told: string): void {
  const about = `of the attempts\n${told}\n`;
  expect(attempt.outcome, about).toBe(outcome);
  if (code !== undefined) expect(attempt.smtpCode, about).toBe(code);
  if (says !== undefined) expect(attempt.response, about).toMatch(says);
  if (host !== undefined) expect(attempt.remoteHost?.split('.')[0], about).toBe(host);
  if (tls === null) expect(attempt.tls, about).toBeNull();
  else if (tls !== undefined) expect(attempt.tls, about).toMatch(tls);
  const isAnswer = outcome !== 'DELIVERED' && code !== null && unsent !== true;
  if (isAnswer) expect(attempt.transcript.length, about).toBeGreaterThan(0);
}

function sentenceOf({ outcome, smtpCode, enhancedCode, response, remoteHost, tls }: SeenAttempt): string {
  return `${outcome} ${smtpCode} ${enhancedCode} “${response}” at ${remoteHost} ${tls ?? 'in plain text'}`;
}

/** What the log must tell of this recipient follows from the attempts; a deferral is told on the 1st, 2nd, 4th … failure. */
function checkEvents(message: SeenMessage, { address, attempts }: SeenRecipient, story: Story): void {
  const events = message.events.edges.map(({ node }) => node).filter(({ recipient }) => recipient === address);
  const expected = ['ACCEPTED'];
  // One for which no connection could be had called nobody, and is no failure.
  const made = attempts.filter(({ response }) => response?.startsWith('no connection may be opened') !== true);
  const lastTold = isOpen(story) ? story.length : made.length;
  for (const [index, { outcome }] of made.slice(0, lastTold).entries()) {
    if (outcome === 'DEFERRED') expected.push(...(isDelayTold(index + 1) ? ['DELAYED'] : []));
    else expected.push(outcome ?? 'unknown');
  }
  const { ends } = story.at(-1) ?? {};
  if (ends !== undefined) expected.push(ends);
  if (story.at(-1)?.bounce?.suppresses === true) expected.push('SUBSCRIPTION_CHANGED');
  const types = events.map(({ type }) => type);
  expect(isOpen(story) ? types.slice(0, expected.length) : types, `events of ${address}`).toEqual(expected);
  checkPauses(events, attempts, story);
  const { bounce } = story.at(-1) ?? {};
  if (bounce !== undefined) {
    const seen = events.find(({ type }) => type === 'BOUNCED')?.bounce;
    expect(seen, `bounce of ${address}`).toMatchObject({
      ...(bounce.type === null ? {} : { type: bounce.type }),
      inactive: bounce.suppresses,
    });
  }
}

/** The first two deferrals are told each. */
function checkPauses(events: readonly SeenEvent[], attempts: readonly SeenAttempt[], story: Story): void {
  const delays = events.filter(({ type }) => type === 'DELAYED');
  story.forEach(({ againIn }, index) => {
    if (againIn === undefined) return;
    const secondsAfter = (time: string | null | undefined) =>
      (Date.parse(delays[index]?.nextAttemptAt ?? '') - Date.parse(time ?? '')) / 1_000 / RETRY_SCALE;
    // The decision lies between: on a busy machine the end is written some tenths of a second after it.
    expect(secondsAfter(attempts[index]?.startedAt)).toBeGreaterThanOrEqual(againIn[0]);
    expect(secondsAfter(attempts[index]?.endedAt)).toBeLessThanOrEqual(againIn[1] + 1);
  });
}

/** One copy of what was delivered and none of all else; all that were ever sent to an address are the same message. */
function checkCopies(
  world: ScenarioWorld,
  scenario: Scenario,
  messages: readonly SeenMessage[],
  stories: (address: string) => Story,
): void {
  const peers = world.peers(scenario);
  for (const { recipients } of messages) {
    for (const { address } of recipients) {
      const isTo = (message: { readonly recipients: readonly string[] }) => message.recipients.includes(address);
      const accepted = peers.flatMap((peer) => peer.messages.filter(isTo));
      const count = stories(address).filter(({ outcome }) => outcome === 'DELIVERED').length;
      expect(accepted.length, `copies for ${address}`).toBe(count);
      const sent = peers.flatMap((peer) => peer.seen.filter(isTo));
      expect(new Set(sent.map(({ messageId }) => messageId)).size, `Message-IDs for ${address}`).toBeLessThan(2);
    }
  }
}

/** Whatever reached a peer: lines ended by CRLF alone and not longer than 998, and every signature good. */
async function checkWire(world: ScenarioWorld, scenario: Scenario): Promise<void> {
  const raws = new Map<string, Buffer>();
  for (const { seen } of world.peers(scenario)) {
    for (const { raw } of seen) raws.set(raw.toString('latin1'), raw);
  }
  for (const [text, raw] of raws) {
    expect(/\r(?!\n)|(?<!\r)\n/.test(text), 'a bare CR or LF was sent').toBe(false);
    expect(Math.max(...text.split('\r\n').map(({ length }) => length)), 'octets of a line').toBeLessThanOrEqual(998);
    const verdicts = await verifyByMailauth(raw, world.keys);
    expect(verdicts.map(({ result }) => result)).toEqual(['pass', 'pass']);
  }
}
