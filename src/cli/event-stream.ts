// Follows the events of a server through the public API, over SSE, for as long as they are wanted: whatever breaks, it comes
// back after the last event that was seen.
//
// Not with the clients of graphql-ws and graphql-sse: they keep all that comes until somebody takes it, without bound, and
// send the cursor of the beginning again after each reconnection. Read from a body, what nobody takes yet waits at the server.
import type { Clock } from '#/runtime/ports.ts';

export interface EventSource {
  /** Of the installation. */
  readonly url: string;
  readonly token: string;
  /** Null: the token's own. */
  readonly serverId: string | null;
  readonly filter: Readonly<Record<string, unknown>>;
  /** Null: from now on. */
  readonly after: string | null;
}

export interface ShownEvent {
  readonly cursor: string;
  readonly type: string;
  readonly occurredAt: string;
  readonly recipient: string | null;
  readonly stream: string;
  readonly tag: string | null;
  readonly messageId: string;
  readonly [field: string]: unknown;
}

/** It cannot go on, whenever it is tried again. */
export class StreamRefused extends Error {}

/** The server sends a comment every few seconds: silence of this length is a connection that is dead. */
const SILENCE_MS = 45_000;
const PAUSE_MS = { first: 500, most: 10_000 } as const;
/** An event is a few kilobytes. */
const MAX_MESSAGE = 1_000_000;

const FIELDS = `__typename id cursor type occurredAt recipient stream tag messageId metadata
  ... on SuppressedEvent { suppressionReason: reason }
  ... on DelayedEvent { smtpCode delayedResponse: response nextAttemptAt }
  ... on DeliveredEvent { remoteHost response }
  ... on BouncedEvent { bounce { id type smtpCode enhancedCode details } }
  ... on SpamComplaintEvent { bounce { id type smtpCode enhancedCode details } }
  ... on InDoubtEvent { remoteHost nextAttemptAt }
  ... on OpenedEvent { first machine userAgent }
  ... on ClickedEvent { first machine userAgent url location }
  ... on SubscriptionChangedEvent { suppressed reason origin }`;
const FOLLOW = `subscription ($serverId: ID, $filter: MessageEventFilter, $after: String) {
  messageEvents(serverId: $serverId, filter: $filter, after: $after) { ${FIELDS} } }`;
const BEGIN = 'query ($id: ID) { server(id: $id) { eventCursor } }';

/** What would be the same the next time. */
const LASTING: ReadonlySet<unknown> = new Set([
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'NOT_FOUND',
  'BAD_USER_INPUT',
  'INVALID_INPUT',
  'INVALID_CURSOR',
  'GRAPHQL_VALIDATION_FAILED',
]);

interface Answer {
  readonly data?: {
    readonly messageEvents?: ShownEvent | null;
    readonly server?: { readonly eventCursor: string } | null;
  };
  readonly errors?: readonly {
    readonly message: string;
    readonly extensions?: { readonly code?: unknown; readonly oldestCursor?: unknown };
  }[];
}

/** `tell`: what happens beside the events, for a person. Ends only by throwing StreamRefused, or when nobody asks for more. */
export async function* followEvents(
  source: EventSource,
  clock: Clock,
  tell: (text: string) => void,
): AsyncGenerator<ShownEvent> {
  let { after } = source;
  let pause: number = PAUSE_MS.first;
  for (;;) {
    try {
      after ??= await begin(source, clock);
      for await (const answer of open(source, after, clock)) {
        const event = answer.data?.messageEvents;
        if (event) {
          pause = PAUSE_MS.first;
          yield event;
          // Only now: an event that was not dealt with comes again.
          after = event.cursor;
        } else after = cursorOfErrors(answer, tell) ?? after;
      }
      tell('the server has ended the stream; coming back');
    } catch (error) {
      if (error instanceof StreamRefused) throw error;
      tell(`${reasonOf(error)}; coming back`);
    }
    await clock.sleep(pause);
    pause = Math.min(pause * 2, PAUSE_MS.most);
  }
}

/** The cursor to go on with where the one that was given has expired. Throws for what cannot get better. */
function cursorOfErrors({ errors = [] }: Answer, tell: (text: string) => void): string | null {
  const [error] = errors;
  if (error === undefined) return null;
  const { code, oldestCursor } = error.extensions ?? {};
  if (code === 'CURSOR_EXPIRED' && typeof oldestCursor === 'string') {
    tell('events after the last one that was seen are no longer kept: going on with the oldest that are');
    return oldestCursor;
  }
  if (LASTING.has(code)) throw new StreamRefused(error.message);
  tell(error.message);
  return null;
}

async function begin(source: EventSource, clock: Clock): Promise<string> {
  using silence = watch(clock);
  const accept = 'application/graphql-response+json';
  const response = await post(source, BEGIN, { id: source.serverId }, accept, silence.signal);
  const answer = (await response.json()) as Answer;
  const cursor = answer.data?.server?.eventCursor;
  if (typeof cursor === 'string') return cursor;
  cursorOfErrors(answer, () => {});
  if (answer.data?.server === null) throw new StreamRefused('there is no such server');
  throw new Error(answer.errors?.[0]?.message ?? 'the server told no cursor');
}

async function* open(source: EventSource, after: string, clock: Clock): AsyncGenerator<Answer> {
  using silence = watch(clock);
  const { serverId, filter } = source;
  const response = await post(source, FOLLOW, { serverId, filter, after }, 'text/event-stream', silence.signal);
  if (response.body === null) throw new Error('the server sent nothing');
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of response.body) {
    silence.broken();
    text += decoder.decode(chunk, { stream: true });
    const blocks = text.split(/\r?\n\r?\n/);
    text = blocks.pop() ?? '';
    if (text.length > MAX_MESSAGE) throw new Error('the server sent something that is no event');
    for (const block of blocks) {
      const data = dataOf(block);
      if (data === '') continue;
      // What takes its time to be dealt with is no silence of the server.
      silence.rest();
      yield JSON.parse(data) as Answer;
      silence.broken();
    }
  }
}

/** Of a server-sent event (WHATWG HTML §9.2.6); comments and events without data are empty. */
function dataOf(block: string): string {
  return block
    .split(/\r?\n/)
    .filter((line) => line.startsWith('data:'))
    .map((line) => line.slice('data:'.length).trimStart())
    .join('\n');
}

async function post(
  { url, token }: EventSource,
  query: string,
  variables: object,
  accept: string,
  signal: AbortSignal,
): Promise<Response> {
  const response = await fetch(new URL('/graphql', url), {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', accept },
    body: JSON.stringify({ query, variables }),
    signal,
  });
  // What is refused before it begins is answered as JSON, whatever was asked for.
  if (response.ok && response.headers.get('content-type')?.startsWith(accept) === true) return response;
  const answer = (await response.json().catch(() => ({}))) as Answer;
  cursorOfErrors(answer, () => {});
  throw new Error(answer.errors?.[0]?.message ?? `the server answers ${response.status}`);
}

/** Aborts when nothing has been heard for too long; not while it rests. */
function watch(clock: Clock): Disposable & { readonly signal: AbortSignal; broken(): void; rest(): void } {
  const silent = new AbortController();
  let stop = new AbortController();
  const start = async () => {
    const own = (stop = new AbortController());
    await clock.sleep(SILENCE_MS, own.signal);
    if (!own.signal.aborted) silent.abort(new Error('the server is silent'));
  };
  void start();
  return {
    signal: silent.signal,
    broken() {
      stop.abort();
      void start();
    },
    rest() {
      stop.abort();
    },
    [Symbol.dispose]() {
      stop.abort();
      silent.abort();
    },
  };
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'the connection broke';
  const cause: unknown = error.cause;
  if (cause instanceof Error && 'code' in cause && typeof cause.code === 'string')
    return `no connection: ${cause.code}`;
  return error.message;
}
