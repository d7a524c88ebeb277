import { readFileSync } from 'node:fs';
import { readItems, readMembers } from '../../packages/server/src/core/json-text.ts';

/** Header lines as recorded. */
export type HeaderLines = readonly (readonly [name: string, value: string])[];

export type CallCase = {
  readonly name: string;
  readonly instance: string;
  readonly request: {
    readonly method: string;
    readonly path: string;
    readonly headers: HeaderLines;
    readonly body?: string;
    readonly body_base64?: string;
  };
  readonly response: {
    readonly status: number;
    readonly headers: HeaderLines;
    readonly body: string;
  };
  readonly requests_seen_by_webhook_uri?: readonly { readonly request_line: string }[];
};

/** `all`: fired for every tenant. A text: fired by code that has no JSON. */
export type Fired =
  | { readonly all: boolean; readonly notificationTexts: readonly string[] }
  | string;

export type NotificationCase = {
  readonly name: string;
  /** The bodies of the registrations, as written: numbers keep their spelling. */
  readonly registrationTexts: readonly string[];
  readonly fired: readonly Fired[];
  readonly result?: { readonly count?: number };
  /** When each attempt came, where that is what the case is about. */
  readonly timeline_seconds_and_attempt?: unknown;
  /** Events fired later, where the case has some. */
  readonly afterwards?: unknown;
  readonly deliveries?: readonly {
    readonly request_line: string;
    readonly headers: HeaderLines;
    readonly body_utf8?: string;
    readonly secret: string;
  }[];
};

type Recorded = {
  readonly registration: readonly CallCase[];
  readonly notifications: readonly NotificationCase[];
  readonly default_delays_and_timeout: readonly { readonly name: string }[];
};

const text = readFileSync(new URL('./data/aspnet-webhooks.json', import.meta.url), 'utf8');

/** Everything recorded that a sender answers for. */
export const recorded: Recorded = {
  ...(JSON.parse(text) as Recorded),
  notifications: notificationCases(),
};

function notificationCases(): readonly NotificationCase[] {
  const section = new Map(readMembers(text)).get('notifications') ?? '[]';
  return readItems(section).map((raw) => {
    const members = new Map(readMembers(raw));
    const registrations = readItems(members.get('registrations') ?? '[]');
    return {
      ...(JSON.parse(raw) as NotificationCase),
      registrationTexts: registrations.map(
        (each) => new Map(readMembers(each)).get('request_body') ?? '',
      ),
      fired: readItems(members.get('fired') ?? '[]').map(firedFrom),
    };
  });
}

function firedFrom(raw: string): Fired {
  if (raw.startsWith('"')) return raw;
  const members = new Map(readMembers(raw));
  const notificationTexts = readItems(members.get('notifications') ?? '[]').map(flatten);
  return { all: members.get('all') === 'true', notificationTexts };
}

/** `{"Action", "Data": {…}}` as a publisher writes it: the data flat beside the action. */
function flatten(raw: string): string {
  const members = new Map(readMembers(raw));
  const data = members.get('Data') ?? 'null';
  const flat = data === 'null' ? [] : readMembers(data);
  const all = [['Action', members.get('Action') ?? ''], ...flat];
  return `{${all.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(',')}}`;
}

/** The rows of docs/compatibility.md. */
export function compatibilityRows(): ReadonlySet<string> {
  const page = readFileSync(new URL('../../docs/compatibility.md', import.meta.url), 'utf8');
  return new Set([...page.matchAll(/<a id="([a-z-]+)">/g)].map((match) => match[1] ?? ''));
}
