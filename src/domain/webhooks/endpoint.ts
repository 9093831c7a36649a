// An endpoint as it is called: its secret parts out of their seals, and the request that is made of them and a body.
import type { BasicAuth, OwnHeader } from './own-headers.ts';
import { signatureOf, type SigningSecrets } from './signature.ts';

/** What is sealed as one: nothing of it is ever shown again. */
export interface Target {
  readonly url: string;
  readonly headers: readonly OwnHeader[];
  readonly basicAuth: BasicAuth | null;
}

export interface Endpoint extends SigningSecrets {
  readonly target: Target;
}

export interface SealedEndpoint {
  readonly accountId: string;
  readonly id: string;
  readonly targetEncrypted: Buffer;
  readonly secretEncrypted: Buffer;
  readonly previousSecretEncrypted: Buffer | null;
  readonly previousSecretUntil: Date | null;
  readonly signingKeyEncrypted: Buffer | null;
}

/** A SecretBox, as far as it is needed here. */
interface Opener {
  open(sealed: Uint8Array, purpose: string): Buffer;
}

export type SealedPart = 'target' | 'secret' | 'signing_key';

/** What a sealed part is bound to. The secret before has the purpose of the one after it: it moves from there. */
export function sealPurpose({ accountId, id }: Pick<SealedEndpoint, 'accountId' | 'id'>, part: SealedPart): string {
  return `webhooks/${accountId}/${id}/${part}`;
}

export function sealTarget(target: Target): Buffer {
  return Buffer.from(JSON.stringify(target));
}

export function openTarget(row: SealedEndpoint, box: Opener): Target {
  // `sealTarget` wrote it.
  return JSON.parse(box.open(row.targetEncrypted, sealPurpose(row, 'target')).toString()) as Target;
}

export function openEndpoint(row: SealedEndpoint, box: Opener, now: Date): Endpoint {
  const { previousSecretEncrypted, previousSecretUntil, signingKeyEncrypted } = row;
  const secretOf = (sealed: Buffer) => box.open(sealed, sealPurpose(row, 'secret')).toString();
  const previous =
    previousSecretEncrypted !== null && previousSecretUntil !== null && previousSecretUntil > now
      ? [secretOf(previousSecretEncrypted)]
      : [];
  return {
    target: openTarget(row, box),
    secrets: [secretOf(row.secretEncrypted), ...previous],
    ed25519: signingKeyEncrypted === null ? null : box.open(signingKeyEncrypted, sealPurpose(row, 'signing_key')),
  };
}

export interface WebhookRequest<Body extends string | Uint8Array = string> {
  readonly method: 'POST';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Body;
}

/** `id` stays over retries and replays; the time is that of this very call. */
export function webhookRequest(endpoint: Endpoint, id: string, body: string, now: Date): WebhookRequest {
  const signed = endpoint.secrets.length > 0 || endpoint.ed25519 !== null;
  return signedRequest(endpoint, id, body, now, signed ? signatureOf(endpoint, id, timestampOf(now), body) : '');
}

export const timestampOf = (now: Date) => Math.floor(now.getTime() / 1_000);

/** `signature`: empty for an endpoint of inbound mail from before there were secrets. */
export function signedRequest<Body extends string | Uint8Array>(
  { target: { url, headers, basicAuth } }: Pick<Endpoint, 'target'>,
  id: string,
  body: Body,
  now: Date,
  signature: string,
): WebhookRequest<Body> {
  const own = Object.fromEntries(headers.map(({ name, value }) => [name.toLowerCase(), value]));
  const authorization =
    basicAuth === null
      ? {}
      : { authorization: `Basic ${Buffer.from(`${basicAuth.username}:${basicAuth.password}`).toString('base64')}` };
  return {
    method: 'POST',
    url,
    headers: {
      ...own,
      ...authorization,
      'content-type': 'application/json',
      'user-agent': 'Veredus-Webhooks',
      'webhook-id': id,
      'webhook-timestamp': String(timestampOf(now)),
      ...(signature === '' ? {} : { 'webhook-signature': signature }),
    },
    body,
  };
}
