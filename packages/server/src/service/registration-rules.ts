import type { Clock } from '../core/clock.ts';
import type { Condition } from '../core/conditions.ts';
import { ConditionsError } from '../core/conditions-limits.ts';
import { readConditions } from '../core/conditions-read.ts';
import { AppError } from '../core/errors.ts';
import { randomHex32 } from '../core/id.ts';
import { JsonError } from '../core/json-scan.ts';
import { readMembers } from '../core/json-text.ts';
import { MASKED, maskQuery } from '../core/mask.ts';
import { isPrivateFilter, type Registration, WILDCARD } from '../core/registration.ts';
import type { Allow } from '../egress/allow.ts';
import { hasNoEcho, verifyEcho } from '../egress/echo.ts';
import type { Egress } from '../egress/port.ts';
import { checkUri } from '../egress/uri.ts';
import { refuseHeaders } from '../core/header-rules.ts';
import type { Filters, RegisterOptions, Registrar, RegistrationDraft } from './library.ts';

/** The most filters of one registration, and the longest texts. */
const MAX_FILTERS = 100;
const MAX_DESCRIPTION_LENGTH = 1024;
const MAX_PROPERTIES = 20;
const MAX_PROPERTIES_LENGTH = 8192;

export type JudgeDeps = {
  readonly filters: Filters;
  readonly egress: Egress;
  readonly allow: Allow;
  /** True for an address and port that this process itself listens on. */
  readonly isOwn: (address: string, port: number) => boolean;
  readonly clock: Clock;
  readonly registrars: readonly Registrar[];
};

/** A registration as asked for. */
export type Candidate = {
  readonly tenant: string;
  readonly id: string;
  readonly draft: RegistrationDraft;
  /** The registration that is replaced; its secret stays where none is given. */
  readonly previous: Registration | undefined;
};

/** Filters, registrars, secret, URI, echo: Microsoft's order, with our limits where it has none. */
export async function judgeRegistration(
  deps: JudgeDeps,
  candidate: Candidate,
  options: RegisterOptions,
): Promise<Registration> {
  const { draft, tenant, id, previous } = candidate;
  if (draft.conditions !== null) judgeConditions(draft.conditions);
  const filters = judgeFilters(deps.filters, draft.filters, options.filtersUri);
  const now = deps.clock.now();
  const asked: Registration = {
    id,
    tenant,
    webHookUri: uriOf(draft.webHookUri, previous),
    secret: secretOf(draft.secret, previous),
    // Named when it is stored.
    secretId: '',
    secretChangedAt: null,
    oldSecrets: [],
    description: draft.description,
    isPaused: draft.isPaused,
    filters,
    headers: headersOf(draft, previous),
    properties: draft.properties,
    conditions: draft.conditions,
    createdAt: now,
    updatedAt: now,
    switchedOff: null,
    ...(draft.ordering === null ? {} : { ordering: draft.ordering }),
  };
  const registration = await askRegistrars(deps.registrars, asked);
  judgeSecret(registration.secret);
  judgeUri(registration.webHookUri, deps);
  judgeSizes(registration);
  if (options.verifyEcho && !hasNoEcho(registration.webHookUri))
    await judgeEcho(deps.egress, registration);
  return registration;
}

/** The conditions as they are matched. Throws with the sentence where Microsoft's model errors stand. */
export function judgeConditions(text: string): Condition {
  try {
    return readConditions(text);
  } catch (error) {
    if (!(error instanceof ConditionsError || error instanceof JsonError)) throw error;
    const modelState = { 'webHook.Conditions': [error.message] };
    throw new AppError('bad_request', 'The request is invalid.', { modelState });
  }
}

function judgeFilters(
  filters: Filters,
  names: readonly (string | null)[],
  listedAt: string,
): string[] {
  if (names.length > MAX_FILTERS)
    throw refusal(`A registration takes at most ${MAX_FILTERS} filters.`);
  const known = new Map<string, string>();
  const unknown: string[] = [];
  for (const name of names) {
    const filter = filters.get(name ?? '');
    if (filter === undefined) unknown.push(name ?? '');
    else if (!known.has(filter.name.toLowerCase()))
      known.set(filter.name.toLowerCase(), filter.name);
  }
  if (unknown.length > 0) {
    throw refusal(
      `The following filters are not valid: '${unknown.join(', ')}'. A list of valid filters can be obtained from the path '${listedAt}'.`,
    );
  }
  return known.size === 0 ? [WILDCARD] : [...known.values()];
}

async function askRegistrars(
  registrars: readonly Registrar[],
  registration: Registration,
): Promise<Registration> {
  let asked = registration;
  for (const registrar of registrars) {
    const added = await ask(registrar, asked);
    asked = { ...asked, filters: [...asked.filters, ...added.filter(isPrivateFilter)] };
  }
  return asked;
}

async function ask(registrar: Registrar, registration: Registration): Promise<readonly string[]> {
  try {
    return await registrar.register(registration);
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw refusal(
      `The '${registrar.name}' implementation of 'IWebHookRegistrar' caused an exception: ${reason}`,
    );
  }
}

/** None, or the masked form that answers show, keeps the secret there is. */
function secretOf(given: string | null, previous: Registration | undefined): string {
  const isAbsent =
    given === null || given === '' || (previous !== undefined && isMasked(given, previous));
  return isAbsent ? (previous?.secret ?? randomHex32()) : given;
}

/** It may have been changed since the answer that showed it. */
function isMasked(given: string, { secret, oldSecrets }: Registration): boolean {
  return [{ secret }, ...oldSecrets].some((one) => given === maskSecret(one.secret));
}

/** What answers show of a secret after it was first given out. */
export function maskSecret(secret: string): string {
  return `${MASKED}${secret.slice(-4)}`;
}

/** What answers show of a registration after it was made. */
export function maskRegistration(registration: Registration): Registration {
  const { webHookUri, secret, headers } = registration;
  return {
    ...registration,
    webHookUri: maskQuery(webHookUri),
    secret: maskSecret(secret),
    headers: headers.map(([name]) => [name, MASKED]),
  };
}

/** The masked form that answers show keeps the URI there is. */
function uriOf(given: string, previous: Registration | undefined): string {
  if (previous !== undefined && given === maskQuery(previous.webHookUri))
    return previous.webHookUri;
  if (/[=?&]\*\*\*\*(&|$)/.test(given)) {
    throw refusal(
      'The WebHookUri has masked values (****) that are not those of this registration. Send the whole URI, or exactly the one that was read.',
    );
  }
  return given;
}

/** A masked value keeps the value there is, for the host that it was given for only. */
function headersOf(
  draft: Pick<RegistrationDraft, 'headers' | 'webHookUri'>,
  previous: Registration | undefined,
): Registration['headers'] {
  const mayKeep = previous !== undefined && isSameOrigin(draft.webHookUri, previous.webHookUri);
  const known = mayKeep ? previous.headers : [];
  return draft.headers.map(([name, value]) => {
    if (value !== MASKED) return [name, value];
    const kept = known.find((header) => header[0].toLowerCase() === name.toLowerCase());
    if (kept !== undefined) return [name, kept[1]];
    throw refusal(
      `The value of the header ${JSON.stringify(name.slice(0, 64))} is masked (****), and there is none to keep for this host. Send the value.`,
    );
  });
}

function isSameOrigin(one: string, other: string): boolean {
  return URL.canParse(one) && URL.canParse(other) && new URL(one).origin === new URL(other).origin;
}

/** Microsoft's rule, and no control characters. */
export function judgeSecret(secret: string): void {
  if (secret.length < 32 || secret.length > 64) {
    throw refusal('The WebHook secret key parameter must be between 32 and 64 characters long.');
  }
  if (/\p{Cc}/u.test(secret))
    throw refusal('The WebHook secret key parameter has no control characters.');
}

function judgeUri(uri: string, { allow, isOwn }: Pick<JudgeDeps, 'allow' | 'isOwn'>): void {
  if (!/^\s*https?:/i.test(uri)) {
    throw refusal(
      `The WebHook URI must be absolute with a scheme of either 'http' or 'https' but received '${asDotNet(uri)}'.`,
    );
  }
  const verdict = checkUri(uri, allow);
  if (!verdict.ok) throw refusal(verdict.sentence);
  const { isLiteral, hostname, port } = verdict.target;
  // A name is judged by where it leads at the moment that something is sent.
  if (isLiteral && isOwn(hostname, port))
    throw refusal('The WebHook URI points at this very service.');
}

/** How .NET writes a URI of another scheme: ftp has no query there. */
function asDotNet(uri: string): string {
  const shown = maskQuery(uri).slice(0, 200);
  return /^ftp:/i.test(shown) ? shown.replaceAll('?', '%3F') : shown;
}

function judgeSizes({ description, properties, headers }: Registration): void {
  if ((description?.length ?? 0) > MAX_DESCRIPTION_LENGTH) {
    throw refusal(`Description takes at most ${MAX_DESCRIPTION_LENGTH} characters.`);
  }
  if (properties.length > MAX_PROPERTIES_LENGTH) {
    throw refusal(`Properties take at most ${MAX_PROPERTIES_LENGTH} characters of JSON.`);
  }
  if (readMembers(properties).length > MAX_PROPERTIES)
    throw refusal(`A registration takes at most ${MAX_PROPERTIES} properties.`);
  const refused = refuseHeaders(headers);
  if (refused !== undefined) throw refusal(refused);
}

async function judgeEcho(egress: Egress, registration: Registration): Promise<void> {
  const { webHookUri: uri, headers } = registration;
  const result = await verifyEcho(egress, { uri, headers, token: randomHex32() });
  if (!result.ok) throw refusal(result.text);
}

function refusal(message: string): AppError {
  return new AppError('bad_request', message);
}
