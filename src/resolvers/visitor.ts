// Whoever calls, signed in or not: what use-cases need that are about people and not about an account.
import type { Person } from '#/domain/person.ts';

/** The browser's half of a session. Null where no cookie can be set: on a socket. */
export interface Cookies {
  /** Secret of the device, when it signed in as somebody before. */
  readonly device: string | null;
  startSession(secret: string, expiresAt: Date): void;
  endSession(): void;
  rememberDevice(secret: string): void;
}

export interface Visitor {
  readonly person: Person | null;
  readonly requestId: string;
  readonly ipAddress: string;
  readonly userAgent: string;
  readonly cookies: Cookies | null;
}
