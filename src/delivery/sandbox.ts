// Sandbox servers: everything is accepted, nothing leaves, and the outcome follows from the recipient's local part
// (docs/sandbox.md). Same decisions, events and suppressions as for real mail.
import { type Aftermath, type Circumstances, type Decision, defer, ownTrouble } from './decision.ts';

/** So that a test need not wait a minute for the second try. */
const DELAY_MS = 5_000;
const HTML_LINK = /<a\s[^>]*href\s*=\s*["'](https?:\/\/[^"'\s]{1,2000})["']/i;

export async function simulate(
  address: string,
  html: () => Promise<string | null>,
  circumstances: Circumstances,
): Promise<Decision> {
  const localPart = address.slice(0, address.lastIndexOf('@')).toLowerCase();
  switch (localPart.split('+', 1)[0]) {
    case 'bounce':
      return bounced('HARD_BOUNCE', true, 550, '5.1.1', 'The mailbox does not exist (simulated)');
    case 'soft-bounce':
      return bounced('SOFT_BOUNCE', false, 552, '5.2.2', 'The mailbox is full (simulated)');
    case 'blocked':
      return bounced('BLOCKED', false, 550, '5.7.1', 'The message was blocked (simulated)');
    case 'delay': {
      if (circumstances.failures > 0) return delivered(null);
      const deferred = defer(circumstances, ownTrouble, 451, '451 4.7.1 Try again later (simulated)');
      return deferred.status === 'DELAYED'
        ? { ...deferred, dueAt: new Date(circumstances.now.getTime() + DELAY_MS) }
        : deferred;
    }
    case 'complaint':
      return delivered({ kind: 'complaint' });
    case 'unsubscribe':
      return delivered({ kind: 'unsubscribe' });
    case 'open':
      return delivered({ kind: 'open' });
    case 'click': {
      const url = HTML_LINK.exec((await html()) ?? '')?.[1];
      return delivered(url === undefined ? null : { kind: 'click', url });
    }
    default:
      return delivered(null);
  }
}

function delivered(aftermath: Aftermath | null): Decision {
  return { status: 'DELIVERED', response: '250 2.0.0 Accepted (simulated)', aftermath };
}

function bounced(
  type: 'HARD_BOUNCE' | 'SOFT_BOUNCE' | 'BLOCKED',
  condemns: boolean,
  smtpCode: number,
  enhancedCode: string,
  text: string,
): Decision {
  return { status: 'BOUNCED', type, condemns, smtpCode, enhancedCode, details: `${smtpCode} ${enhancedCode} ${text}` };
}
