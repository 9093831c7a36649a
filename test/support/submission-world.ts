// A world with an SMTP submission server, and tokens for it.
import { revokeServerTokens } from '#/db/api-tokens.ts';
import { scopeOfAccount, writeInSystemScope } from '#/db/scope.ts';
import type { ServerTokenScope } from '#/domain/permissions.ts';
import { issueToken } from '#/resolvers/tokens/issue-token.ts';
import { createTokenCheck } from '#/resolvers/tokens/token-check.ts';
import { systemClock } from '#/runtime/clock.ts';
import { makeSelfSigned } from '#/runtime/self-signed.ts';
import type { SubmissionOptions } from '#/smtp/submission/submission.ts';
import { startSubmission } from '#/smtp/submission/submission.ts';
import { silentLog } from './silent-log.ts';
import { Dialogue, plainAuth } from './smtp-dialogue.ts';
import { type TestAccount, type World, world } from './world.ts';

export interface SubmissionWorld extends AsyncDisposable {
  readonly world: World;
  readonly account: TestAccount;
  /** STARTTLS, and TLS from the first byte. */
  readonly port: number;
  readonly tlsPort: number;
  /** PEM, in a form that clients can be given as an authority. */
  readonly certificate: string;
  /** Of the account's server, with MESSAGES_SEND unless said. */
  token(
    scopes?: readonly ServerTokenScope[],
    options?: { readonly accountWide?: boolean; readonly from?: string },
  ): Promise<string>;
  revoke(): Promise<void>;
  /** A session under TLS, signed in. */
  signedIn(token?: string): Promise<Dialogue>;
}

export async function submissionWorld(options: Partial<SubmissionOptions> = {}): Promise<SubmissionWorld> {
  await using stack = new AsyncDisposableStack();
  const w = stack.use(await world());
  const account = await w.account();
  const { deps, system } = w;
  const tokens = stack.use(createTokenCheck({ db: w.db, clock: systemClock, channel: deps.channel, log: silentLog }));
  const tls = makeSelfSigned('localhost', new Date(), 30);
  const submission = stack.use(
    await startSubmission({
      deps,
      tokens,
      name: 'mail.veredus.example',
      host: '127.0.0.1',
      ports: { startTls: 0, implicitTls: 0 },
      tls,
      plaintextAuth: false,
      messagesPerSecond: 0,
      ...options,
    }),
  );
  const { startTls: port, implicitTls: tlsPort } = submission.ports;
  if (port === null || tlsPort === null) throw new Error('a port is missing');
  const { accountId, serverId } = account;
  const everything = stack.move();
  const token: SubmissionWorld['token'] = async (scopes = ['MESSAGES_SEND'], { accountWide = false, from } = {}) => {
    const server = accountWide ? null : { id: serverId, sandbox: true };
    const made = await writeInSystemScope(system, new Date(), (scope) =>
      issueToken(scopeOfAccount(scope, accountId), deps, { accountId, name: 'test', server, scopes }),
    );
    if (from !== undefined)
      await w.db
        .updateTable('apiTokens')
        .set({ allowedIps: [from] })
        .where('id', '=', made.token.id)
        .execute();
    return made.secret;
  };
  return {
    world: w,
    account,
    port,
    tlsPort,
    certificate: tls.cert,
    token,
    async revoke() {
      await writeInSystemScope(system, new Date(), (scope) =>
        revokeServerTokens(scopeOfAccount(scope, accountId), serverId),
      );
      deps.channel.nudge('tokens');
    },
    async signedIn(given) {
      const secret = given ?? (await token());
      const dialogue = await Dialogue.open(tlsPort, { tls: true });
      await dialogue.command('EHLO app.example', 250);
      await dialogue.command(plainAuth(secret, secret), 235);
      return dialogue;
    },
    [Symbol.asyncDispose]: () => everything.disposeAsync(),
  };
}
