import { AppError } from './errors.ts';
import { JsonError, JsonScanner } from './json-scan.ts';
import { isTenantId } from './tenant.ts';
import { isOwnAction } from './warning.ts';

/** One event as a publisher hands it over, read but not yet matched. */
export type EventDraft = {
  /** Raw JSON text and action of each notification, in order. */
  readonly notifications: readonly Notification[];
  /** A tenant id, `*` for all tenants, or null for the caller's own. */
  readonly tenant: string | null;
  readonly idempotencyKey: string | null;
  /** Milliseconds since 1970. */
  readonly occurredAt: number | null;
};

/** `text` is what the publisher wrote, character for character. */
export type Notification = { readonly text: string; readonly action: string };

export const MAX_EVENTS_PER_CALL = 1000;
export const MAX_NOTIFICATIONS_PER_EVENT = 1000;
export const MAX_NOTIFICATION_BYTES: number = 256 * 1024;
export const MAX_ACTION_LENGTH = 128;
const MAX_IDEMPOTENCY_KEY_LENGTH = 255;

/**
 * Reads the body of a publish call: one notification, one event, an array of either, or a line of
 * NDJSON for each. Throws AppError with a sentence that names what is wrong and, among several,
 * which event.
 */
export function readPublication(text: string, kind: 'json' | 'ndjson'): EventDraft[] {
  return kind === 'json' ? readJson(text) : readLines(text);
}

function readJson(text: string): EventDraft[] {
  const scanner = new JsonScanner(text);
  const drafts: EventDraft[] = [];
  if (scanner.atEnd()) throw new AppError('bad_request', `The body is empty. ${SHAPES}`);
  refusing('', () => {
    if (scanner.atArray()) scanner.array((index) => add(drafts, index, scanner));
    else drafts.push(readEvent(scanner));
    scanner.expectEnd();
  });
  if (drafts.length === 0) throw new AppError('bad_request', 'The array holds no event.');
  return drafts;
}

function readLines(text: string): EventDraft[] {
  const drafts: EventDraft[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (/^[ \t\r]*$/.test(line)) continue;
    checkCount(drafts.length);
    const scanner = new JsonScanner(line);
    refusing(`Line ${index + 1}: `, () => {
      drafts.push(readEvent(scanner));
      scanner.expectEnd();
    });
  }
  if (drafts.length === 0) throw new AppError('bad_request', 'The body holds no event.');
  return drafts;
}

function add(drafts: EventDraft[], index: number, scanner: JsonScanner): void {
  checkCount(drafts.length);
  refusing(`Event ${index + 1}: `, () => drafts.push(readEvent(scanner)));
}

function checkCount(count: number): void {
  if (count < MAX_EVENTS_PER_CALL) return;
  throw new AppError('too_large', `A call takes at most ${MAX_EVENTS_PER_CALL} events.`);
}

/** Prefixes refusals with the place, and turns those of the scanner into ones that callers see. */
function refusing(place: string, read: () => void): void {
  try {
    read();
  } catch (error) {
    if (error instanceof AppError && place !== '')
      throw new AppError(error.code, place + error.message);
    if (error instanceof JsonError) throw new AppError('bad_request', place + error.message);
    throw error;
  }
}

/** What stands at the top of an object, before it is known whether it is a notification or an event. */
type Members = {
  action: string | null;
  seenAction: boolean;
  notifications: Notification[] | null;
  /** The first member that an event does not take, and the first that stands twice. */
  unknown: string | null;
  repeated: string | null;
  readonly envelope: Map<string, { readonly key: string; readonly raw: string }>;
};

const LONGEST_MEMBER = 'idempotencykey'.length;
const ENVELOPE_MEMBERS: ReadonlySet<string> = new Set(['tenant', 'idempotencykey', 'occurredat']);
const SHAPES = 'Send {"Action": "…", …} or {"Notifications": [{"Action": "…", …}]}.';

function readEvent(scanner: JsonScanner): EventDraft {
  if (!scanner.atObject()) {
    // What is not JSON at all is better told so.
    scanner.skip();
    throw new AppError('bad_request', `An event is a JSON object. ${SHAPES}`);
  }
  const start = scanner.pos;
  const members: Members = {
    action: null,
    seenAction: false,
    notifications: null,
    unknown: null,
    repeated: null,
    envelope: new Map(),
  };
  scanner.object((key) => {
    if (key === 'Action') readAction(scanner, members);
    else readOther(scanner, key, members);
  });
  if (members.notifications === null) {
    return { notifications: [notification(scanner, start, members)], ...NO_ENVELOPE };
  }
  if (members.seenAction) throw unknownMember('Action');
  if (members.unknown !== null) throw unknownMember(members.unknown);
  if (members.repeated !== null) throw twice(members.repeated);
  return { notifications: members.notifications, ...readEnvelope(members) };
}

const NO_ENVELOPE = { tenant: null, idempotencyKey: null, occurredAt: null } as const;

/** Only once all members are read is it known whether these are an event's own or a notification's data. */
function readOther(scanner: JsonScanner, key: string, members: Members): void {
  const name = key.length > LONGEST_MEMBER ? '' : key.toLowerCase();
  if (name === 'notifications' && scanner.atArray()) {
    if (members.seenAction) throw unknownMember('Action');
    if (members.notifications !== null) throw twice(key);
    members.notifications = readNotifications(scanner);
  } else if (ENVELOPE_MEMBERS.has(name)) {
    if (members.envelope.has(name)) members.repeated ??= key;
    members.envelope.set(name, { key, raw: scanner.raw() });
  } else {
    members.unknown ??= key;
    scanner.skip();
  }
}

function unknownMember(key: string): AppError {
  const known = 'Notifications, Tenant, IdempotencyKey and OccurredAt';
  return new AppError(
    'bad_request',
    `An event with Notifications has no member ${quote(key)}; known are ${known}.`,
  );
}

function readNotifications(scanner: JsonScanner): Notification[] {
  const notifications: Notification[] = [];
  scanner.array((index) => {
    if (index === MAX_NOTIFICATIONS_PER_EVENT) {
      throw new AppError(
        'too_large',
        `An event takes at most ${MAX_NOTIFICATIONS_PER_EVENT} notifications.`,
      );
    }
    if (!scanner.atObject())
      throw new AppError('bad_request', 'A notification is a JSON object with an Action.');
    const start = scanner.pos;
    const members = { action: null, seenAction: false };
    scanner.object((key) => {
      if (key === 'Action') readAction(scanner, members);
      else scanner.skip();
    });
    notifications.push(notification(scanner, start, members));
  });
  if (notifications.length === 0) throw new AppError('bad_request', 'Notifications is empty.');
  return notifications;
}

function readAction(
  scanner: JsonScanner,
  members: { action: string | null; seenAction: boolean },
): void {
  if (members.seenAction) throw twice('Action');
  members.seenAction = true;
  if (scanner.peek() === 0x22) members.action = scanner.string();
  else scanner.skip();
}

/** The object that the scanner has read, from `start` on. */
function notification(
  scanner: JsonScanner,
  start: number,
  { action, seenAction }: Pick<Members, 'action' | 'seenAction'>,
): Notification {
  if (!seenAction) throw new AppError('bad_request', `A notification needs an Action. ${SHAPES}`);
  if (action !== null && isOwnAction(action))
    throw new AppError('bad_request', "Actions that begin with 'Schoolbell.' are its own.");
  if (action === null || !isAction(action)) {
    throw new AppError(
      'bad_request',
      `Action is a name of 1 to ${MAX_ACTION_LENGTH} characters, without control characters and not '*'.`,
    );
  }
  const text = ownCopy(scanner.text.slice(start, scanner.pos));
  if (
    text.length > MAX_NOTIFICATION_BYTES / 3 &&
    Buffer.byteLength(text) > MAX_NOTIFICATION_BYTES
  ) {
    throw new AppError('too_large', 'A notification takes at most 256 KiB.');
  }
  return { text, action: ownCopy(action) };
}

/**
 * A slice keeps the whole text it was cut from in memory, which for one small notification that
 * waits for a slow receiver may be a body of 1 MiB. V8 copies what is joined when it is cut.
 */
function ownCopy(slice: string): string {
  return ` ${slice}`.slice(1);
}

function isAction(action: string): boolean {
  if (action.length === 0 || action.length > MAX_ACTION_LENGTH || action === '*') return false;
  return !/[\p{Cc}\p{Cs}]/u.test(action);
}

function readEnvelope({
  envelope,
}: Members): Pick<EventDraft, 'tenant' | 'idempotencyKey' | 'occurredAt'> {
  return {
    tenant: readMember(envelope, 'tenant', readTenant),
    idempotencyKey: readMember(envelope, 'idempotencykey', readIdempotencyKey),
    occurredAt: readMember(envelope, 'occurredat', readInstant),
  };
}

function readMember<T>(
  envelope: Members['envelope'],
  name: string,
  read: (value: unknown) => T | undefined,
): T | null {
  const member = envelope.get(name);
  if (member === undefined) return null;
  const value: unknown = JSON.parse(member.raw);
  if (value === null) return null;
  const result = read(value);
  if (result === undefined)
    throw new AppError('bad_request', `${member.key} cannot be read. ${WANTED[name] ?? ''}`);
  return result;
}

const WANTED: Readonly<Record<string, string>> = {
  tenant: "It is the id of a tenant, or '*' for all of them.",
  idempotencykey: `It is a text of 1 to ${MAX_IDEMPOTENCY_KEY_LENGTH} printable characters.`,
  occurredat: 'It is a time with its zone, such as 2026-09-01T08:00:00Z.',
};

function readTenant(value: unknown): string | undefined {
  return typeof value === 'string' && (value === '*' || isTenantId(value)) ? value : undefined;
}

/** 1 to 255 printable characters, as member or as header; undefined for anything else. */
export function readIdempotencyKey(value: unknown): string | undefined {
  if (typeof value !== 'string' || value.length === 0) return undefined;
  if (value.length > MAX_IDEMPOTENCY_KEY_LENGTH || /[\p{Cc}\p{Cs}]/u.test(value)) return undefined;
  return value;
}

/** The key of an event of our own: it begins with a character that none from outside may have. */
export function ownIdempotencyKey(matter: string): string {
  return `\u0001${matter}`;
}

const INSTANT =
  /^(\d{4})-(\d{2})-(\d{2})T(?:[01]\d|2[0-3]):\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})$/;

/** Date.parse reads 30 February as 2 March. */
function daysIn(year: number, month: number): number {
  return new Date(Date.UTC(year, month, 0)).getUTCDate();
}

function readInstant(value: unknown): number | undefined {
  if (typeof value !== 'string') return undefined;
  const date = INSTANT.exec(value);
  if (date === null || Number(date[3]) > daysIn(Number(date[1]), Number(date[2]))) return undefined;
  const ms = Date.parse(value);
  return Number.isNaN(ms) ? undefined : ms;
}

function twice(key: string): AppError {
  return new AppError('bad_request', `The member ${quote(key)} stands twice.`);
}

function quote(name: string): string {
  return JSON.stringify(name.slice(0, 64));
}
