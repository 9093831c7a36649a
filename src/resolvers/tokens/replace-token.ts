// Puts a new token in the place of one. The old one goes on for the overlap, so that a program can be given the new secret
// while it runs.
import { countLiveTokens, type TokenRow, updateToken } from '#/db/api-tokens.ts';
import type { WriteScope } from '#/db/scope.ts';
import { Conflict, InvalidInput } from '#/domain/errors.ts';
import { type ServerTokenScope, serverTokenScopes } from '#/domain/permissions.ts';
import { MAX_ROTATING_TOKENS, OVERLAP_SECONDS, tokenStateOf } from '#/domain/token-rules.ts';
import type { Inside } from '../define.ts';
import { type IssuedToken, issueToken, type TokenOrder } from './issue-token.ts';

export interface RotateTokenRequest {
  readonly id: string;
  /** Null: a day. */
  readonly overlapSeconds: number | null;
}

export interface RotatedToken extends IssuedToken {
  readonly previous: TokenRow;
}

const STATES = { ROTATING: 'being rotated already', EXPIRED: 'expired', REVOKED: 'revoked' } as const;

/** Throws Conflict and InvalidInput. `old` is locked. */
export async function replaceToken(
  scope: WriteScope,
  inside: Inside,
  old: TokenRow,
  server: TokenOrder['server'],
  overlapSeconds: number | null,
): Promise<RotatedToken> {
  const overlap = checkOverlap(overlapSeconds ?? OVERLAP_SECONDS.default);
  const state = tokenStateOf(old, scope.now);
  if (state !== 'ACTIVE') throw new Conflict(`The token is ${STATES[state]}.`);
  const { rotating } = await countLiveTokens(scope, old.serverId);
  if (overlap > 0 && rotating >= MAX_ROTATING_TOKENS) {
    throw new Conflict(
      `${rotating} tokens are being rotated out; wait for them, revoke some, or rotate without overlap.`,
    );
  }
  const issued = await issueToken(scope, inside, { ...orderLike(old, scope.now), server });
  const end = new Date(scope.now.getTime() + overlap * 1_000);
  const previous = await updateToken(scope, old.id, {
    replacedBy: issued.token.id,
    rotatedAt: scope.now,
    expiresAt: old.expiresAt !== null && old.expiresAt < end ? old.expiresAt : end,
    // At once must not depend on the clock of the node that it is shown to.
    ...(overlap === 0 ? { revokedAt: scope.now } : {}),
  });
  return { ...issued, previous };
}

/** The same rights; a token that was made for some time gets that time again. */
function orderLike(old: TokenRow, now: Date): Omit<TokenOrder, 'server'> {
  const { accountId, name, streamId, allowedIps, createdAt, expiresAt } = old;
  const scopes = serverTokenScopes.filter((scope): scope is ServerTokenScope => old.scopes.includes(scope));
  const lifetime = expiresAt === null ? null : expiresAt.getTime() - createdAt.getTime();
  return {
    accountId,
    name,
    scopes,
    streamId,
    allowedIps,
    expiresAt: lifetime === null ? null : new Date(now.getTime() + lifetime),
  };
}

function checkOverlap(seconds: number): number {
  const { min, max } = OVERLAP_SECONDS;
  if (seconds < min || seconds > max) throw InvalidInput.at(['overlapSeconds'], `is not from ${min} to ${max}`);
  return seconds;
}
