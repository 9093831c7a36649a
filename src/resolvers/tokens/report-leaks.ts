// What becomes of tokens that were found where they do not belong. Whoever shows a token has it, and could use it: so its
// report needs no other proof, and is told no more than using it would tell.
import { createHash } from 'node:crypto';
import { findAccount } from '#/db/accounts.ts';
import { findTokensBySecrets, lockToken, type TokenRow, updateToken } from '#/db/api-tokens.ts';
import { listManagers } from '#/db/memberships.ts';
import { findServer } from '#/db/servers.ts';
import { lineFlaw } from '#/domain/email/text.ts';
import { NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { isWellFormedToken, redactTokens } from '#/domain/token.ts';
import { isLive } from '#/domain/token-rules.ts';
import { command } from '../define.ts';
import type { Deps } from '../deps.ts';
import { type LeakedToken, leakLetter } from './leak-letter.ts';

export interface LeakReport {
  readonly token: string;
  /** Where it was found, and in what, as far as the reporter says. */
  readonly url: string | null;
  readonly source: string | null;
}

export interface LeakRequest {
  /** By a scanner whose key the operator has set, and not by just anybody. */
  readonly signed: boolean;
  readonly requestId: string;
  readonly ipAddress: string | null;
}

const MAX_PLACE = 2_000;
const LOOKED_UP_AT_ONCE = 500;

/** Whether each is, or was, a token of ours. Those that live are dead when it answers. */
export async function reportLeaks(
  deps: Deps,
  reports: readonly LeakReport[],
  request: LeakRequest,
): Promise<readonly boolean[]> {
  const hashes = reports.map(({ token }) => (isWellFormedToken(token) ? hashOf(token) : null));
  const known = await lookUp(deps, [...new Set(hashes.filter((hash) => hash !== null))]);
  for (const [index, hash] of hashes.entries()) {
    const token = hash === null ? undefined : known.get(hash);
    const report = reports[index];
    if (hash === null || token === undefined || report === undefined || !isLive(token, deps.clock.now())) continue;
    await revoke(deps, token, report, request);
    // Found in a second place: it is dead already.
    known.set(hash, { ...token, revokedAt: deps.clock.now() });
  }
  return hashes.map((hash) => hash !== null && known.has(hash));
}

const revokeLeaked = command({
  permission: 'serverToken.write',
  errors: [NotFound],
  announces: ['tokens'],
  audit: ({ place, source, signed }: LeakInput, { token }: LeakedToken) => ({
    action: 'token.leaked',
    subjectIds: [encodeId('token', token.id), ...(token.serverId === null ? [] : [encodeId('server', token.serverId)])],
    changes: { name: token.name, hint: token.hint, url: place, source, signed },
  }),
  async run({ scope, fail }, { id }) {
    const locked = await lockToken(scope, id);
    if (locked === undefined || !isLive(locked, scope.now)) return fail(new NotFound());
    const token = await updateToken(scope, id, { revokedAt: scope.now });
    const server = token.serverId === null ? undefined : await findServer(scope, token.serverId);
    return {
      token,
      serverName: server?.name ?? null,
      accountName: (await findAccount(scope))?.name ?? '',
      managers: (await listManagers(scope)).map(({ email }) => email),
    };
  },
  async afterwards({ deps }, { place, signed }, leaked) {
    // What a stranger wrote is kept on record, and not mailed to people who trust our mail.
    const letters = leaked.managers.map((to) => leakLetter(to, leaked, signed ? place : null));
    deps.background.start('the mails about a leaked token', async () => {
      for (const letter of letters) await deps.systemMail.send(deps, letter);
    });
  },
});

interface LeakInput {
  readonly id: string;
  readonly place: string | null;
  readonly source: string | null;
  readonly signed: boolean;
}

async function revoke(deps: Deps, token: TokenRow, { url, source }: LeakReport, request: LeakRequest): Promise<void> {
  const { signed, ...about } = request;
  const label = signed ? 'secret scanning' : 'leak report';
  const actor = { kind: 'OPERATOR', accountId: token.accountId, label } as const;
  const input = { id: token.id, place: clean(url), source: clean(source), signed };
  try {
    await revokeLeaked(deps, { actor, ...about }, input);
  } catch (error) {
    // Somebody else was faster.
    if (!(error instanceof NotFound)) throw error;
  }
}

/** As it may be kept: a place where a token was found may hold the token. */
function clean(text: string | null): string | null {
  if (text === null || text === '' || lineFlaw(text) !== null) return null;
  return redactTokens(text).slice(0, MAX_PLACE);
}

async function lookUp({ db }: Deps, hashes: readonly string[]): Promise<Map<string, TokenRow>> {
  const found = new Map<string, TokenRow>();
  for (let start = 0; start < hashes.length; start += LOOKED_UP_AT_ONCE) {
    const part = hashes.slice(start, start + LOOKED_UP_AT_ONCE).map((hash) => Buffer.from(hash, 'hex'));
    for (const row of await findTokensBySecrets(db, part)) found.set(row.secretHash.toString('hex'), row);
  }
  return found;
}

function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
