import { VerificationError } from './errors.ts';
import type { AnyNotification, NotificationOf, NotificationTypes } from './notification.ts';
import { verify } from './verify.ts';

/** What a handler knows beside the notification. */
export type DeliveryContext = {
  /** Id of the delivery, the same in every attempt: what to remember against duplicates. */
  readonly id: string;
  /** 1 for the first. */
  readonly attempt: number;
  /** Its number in the registration, for a `GapDetector`; undefined where none came. It is not signed. */
  readonly sequence: number | undefined;
  /** Properties of the registration. */
  readonly properties: Readonly<Record<string, unknown>>;
};

type Handle<T> = (notification: T, context: DeliveryContext) => void | Promise<void>;

export type HandlerOptions = {
  readonly secret: string | readonly string[];
  /** By action, typed for the events of the built-in catalogue. */
  readonly on?: { readonly [A in keyof NotificationTypes]?: Handle<NotificationOf<A>> };
  /** For every notification that `on` has nothing for. */
  readonly onOther?: Handle<AnyNotification>;
  /** True when this delivery was handled before: it is answered 200 and left alone. */
  readonly seen?: (id: string) => boolean | Promise<boolean>;
  readonly toleranceSeconds?: number;
  /** 1 MiB. */
  readonly maxBodyBytes?: number;
};

const DEFAULT_MAX_BODY_BYTES = 1024 * 1024;
const NO_ECHO =
  "The WebHook verification request must contain a 'echo' query parameter which will get echoed back in a successful response.";

/**
 * A receiver as a function of web-standard Request and Response: answers the echo, verifies,
 * parses, and calls the handlers in order. What a handler throws answers 500, and the delivery
 * comes again.
 */
export function createHandler(options: HandlerOptions): (request: Request) => Promise<Response> {
  return async (request) => {
    if (request.method === 'GET') return answerEcho(request);
    if (request.method !== 'POST') return message(405, 'Send GET or POST.', { allow: 'GET, POST' });
    return receive(options, request);
  };
}

function answerEcho(request: Request): Response {
  for (const [name, value] of new URL(request.url).searchParams) {
    if (name.toLowerCase() === 'echo' && value !== '') {
      return new Response(value, { headers: { 'content-type': 'text/plain; charset=utf-8' } });
    }
  }
  return message(400, NO_ECHO);
}

async function receive(options: HandlerOptions, request: Request): Promise<Response> {
  const body = await bodyOf(request, options.maxBodyBytes ?? DEFAULT_MAX_BODY_BYTES);
  if (body === undefined) return message(413, 'The delivery is too large.');
  try {
    const { secret, toleranceSeconds } = options;
    await verify({
      body,
      headers: request.headers,
      secret,
      ...(toleranceSeconds === undefined ? {} : { toleranceSeconds }),
    });
  } catch (error) {
    if (error instanceof VerificationError) return message(400, error.message);
    throw error;
  }
  if (
    !/^(application|text)\/([^,;]+\+)?json\s*(;[^,]*)?$/i.test(
      request.headers.get('content-type') ?? '',
    )
  ) {
    return message(415, 'The WebHook request must contain an entity body formatted as JSON.');
  }
  return handle(options, body, sequenceOf(request.headers));
}

async function handle(
  options: HandlerOptions,
  body: Uint8Array,
  sequence: number | undefined,
): Promise<Response> {
  const delivery = parse(body);
  if (delivery === undefined) return message(400, 'The WebHook request contained invalid JSON.');
  const { notifications } = delivery;
  const context = { ...delivery.context, sequence };
  if ((await options.seen?.(context.id)) === true) return new Response(null, { status: 200 });
  const handlers: Readonly<Record<string, Handle<never> | undefined>> = options.on ?? {};
  for (const notification of notifications) {
    const own = Object.hasOwn(handlers, notification.Action)
      ? handlers[notification.Action]
      : undefined;
    await (own ?? options.onOther)?.(notification as never, context);
  }
  return new Response(null, { status: 200 });
}

function parse(
  body: Uint8Array,
): { context: Omit<DeliveryContext, 'sequence'>; notifications: AnyNotification[] } | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
    if (typeof value !== 'object' || value === null) return undefined;
    const { Id, Attempt, Properties, Notifications } = value as Record<string, unknown>;
    const notifications = Array.isArray(Notifications) ? Notifications.filter(isNotification) : [];
    const properties =
      typeof Properties === 'object' && Properties !== null ? { ...Properties } : {};
    return {
      context: { id: typeof Id === 'string' ? Id : '', attempt: Number(Attempt ?? 1), properties },
      notifications,
    };
  } catch {
    return undefined;
  }
}

function sequenceOf(headers: Headers): number | undefined {
  const text = headers.get('schoolbell-sequence') ?? '';
  return /^[1-9]\d{0,14}$/.test(text) ? Number(text) : undefined;
}

function isNotification(value: unknown): value is AnyNotification {
  return (
    typeof value === 'object' &&
    value !== null &&
    'Action' in value &&
    typeof value.Action === 'string'
  );
}

/** Undefined when it is longer than allowed; no more than that is held in memory. */
async function bodyOf(request: Request, limit: number): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.length;
    if (size > limit) return undefined;
    chunks.push(chunk);
  }
  const body = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    body.set(chunk, at);
    at += chunk.length;
  }
  return body;
}

function message(status: number, text: string, headers: Record<string, string> = {}): Response {
  return Response.json({ Message: text }, { status, headers });
}
