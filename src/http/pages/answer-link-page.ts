// Answers the pages behind mailed links. Opening one changes nothing, since scanners open every link of a mail; its form
// does, when a page of our own sends it.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { ExpectedError, InvalidCode, RateLimited, Refusal } from '#/domain/errors.ts';
import type { Visitor } from '#/resolvers/visitor.ts';
import type { Clock, Log } from '#/runtime/ports.ts';
import { readBody } from '../body.ts';
import { cookiesOf, sessionInCookie } from '../cookies.ts';
import { RequestFault } from '../errors.ts';
import { plain } from '../health.ts';
import type { LiveTokens } from '../live-tokens.ts';
import { isForeign } from '../own-origin.ts';
import { errorsOf, type FormErrors, noErrors, readForm, renderForm } from './form.ts';
import { answerDeadLink, answerPage, paragraph } from './html.ts';
import { type FoundPage, type LinkActions, linkPages } from './link-pages.ts';

export interface LinkPageOptions {
  readonly actions: LinkActions;
  readonly tokens: LiveTokens;
  readonly clock: Clock;
  readonly log: Log;
  readonly publicUrl: string;
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly requestId: string;
  readonly ipAddress: string;
}

/** Names and passwords: what people type, with every character escaped. */
const MAX_FORM_BYTES = 16_384;
/**
 * Other sites are told nothing. With `no-referrer` browsers send forms without their origin (Fetch §3.2, `Origin: null`),
 * which is what is checked.
 */
const REFERRER_POLICY = 'same-origin';
const FORM = /^application\/x-www-form-urlencoded *(;|$)/i;

/** False: another path. */
export async function answerLinkPage(options: LinkPageOptions, path: string, exchange: Exchange): Promise<boolean> {
  const [, name = '', secret = '', ...more] = path.split('/');
  const find = Object.hasOwn(linkPages, name) ? linkPages[name] : undefined;
  if (find === undefined || secret === '' || more.length > 0) return false;
  const { request, response } = exchange;
  const found = () => find(options.actions, secret);
  switch (request.method) {
    case 'GET':
    case 'HEAD': {
      const page = await found();
      if (page === null) answerDeadLink(response);
      else answerForm(response, 200, page, {}, noErrors);
      return true;
    }
    case 'POST':
      await answerSubmission(options, exchange, found);
      return true;
    default:
      response.setHeader('Allow', 'GET, HEAD, POST');
      response.setHeader('Connection', 'close');
      plain(response, 405, 'method not allowed');
      return true;
  }
}

async function answerSubmission(
  options: LinkPageOptions,
  exchange: Exchange,
  found: () => Promise<FoundPage | null>,
): Promise<void> {
  const { request, response } = exchange;
  const body = await readSubmission(options, exchange);
  if (body === null) return;
  const page = await found();
  if (page === null) return answerDeadLink(response);
  const values = readForm(page.form.fields, body);
  try {
    const result = await page.submit(await visitorOf(options, exchange), values);
    answerPage(response, 200, page.title, [page.done, ...whatIsLeft(result)].map(paragraph).join('\n'));
  } catch (error) {
    answerFailure(options, { request, response, requestId: exchange.requestId }, page, values, error);
  }
}

/** Null: refused, and answered. */
async function readSubmission({ publicUrl }: LinkPageOptions, { request, response }: Exchange): Promise<string | null> {
  const refuse = (status: number, text: string) => {
    response.setHeader('Connection', 'close');
    plain(response, status, text);
    return null;
  };
  if (isForeign(request, publicUrl)) return refuse(403, 'a page of another origin may not send this form');
  if (!FORM.test(request.headers['content-type'] ?? '')) return refuse(415, 'send the form of this page');
  try {
    return await readBody(request, MAX_FORM_BYTES);
  } catch (error) {
    if (error instanceof RequestFault) return refuse(error.status, error.message);
    throw error;
  }
}

async function visitorOf({ tokens, clock }: LinkPageOptions, exchange: Exchange): Promise<Visitor> {
  const { request, response, requestId, ipAddress } = exchange;
  const secret = sessionInCookie(request.headers);
  const caller = secret === null ? null : await tokens.authenticate({ secret, ipAddress, byCookie: true });
  return {
    person: caller !== null && 'person' in caller ? caller.person : null,
    requestId,
    ipAddress,
    userAgent: request.headers['user-agent'] ?? '',
    cookies: cookiesOf(request.headers, response, () => clock.now()),
  };
}

function answerFailure(
  { log }: LinkPageOptions,
  { response, requestId }: Pick<Exchange, 'request' | 'response' | 'requestId'>,
  page: FoundPage,
  values: Readonly<Record<string, string>>,
  error: unknown,
): void {
  const general = (text: string): FormErrors => ({ byField: new Map(), general: [text] });
  if (error instanceof InvalidCode) return answerDeadLink(response);
  if (error instanceof ExpectedError) {
    const errors = errorsOf(page.form.fields, error) ?? general(error.message);
    return answerForm(response, 422, page, values, errors);
  }
  if (error instanceof RateLimited) {
    response.setHeader('Retry-After', error.retryAfter);
    return answerForm(response, 429, page, values, general(error.message));
  }
  if (error instanceof Refusal) return answerForm(response, 403, page, values, general(error.message));
  log.error({ error, requestId }, 'a form failed unexpectedly');
  answerPage(response, 500, 'Something went wrong', paragraph(`It is in the log of the operator under ${requestId}.`));
}

/** A session that has begun may have to do something before anything else. */
function whatIsLeft(result: object): readonly string[] {
  if (!('requirement' in result)) return [];
  if (result.requirement === 'VERIFY_TWO_FACTOR') return ['Before you go on, show your second factor.'];
  if (result.requirement === 'ENROLL_TWO_FACTOR') return ['Before you go on, set up a second factor.'];
  return [];
}

function answerForm(
  response: ServerResponse,
  status: number,
  { title, intro, form }: FoundPage,
  values: Readonly<Record<string, string>>,
  errors: FormErrors,
): void {
  response.setHeader('Referrer-Policy', REFERRER_POLICY);
  answerPage(response, status, title, `${paragraph(intro)}\n${renderForm(form, values, errors)}`);
}
