import { AppError } from '../core/errors.ts';
import { JsonError, JsonScanner } from '../core/json-scan.ts';
import { compactJson, readItems, readMembers } from '../core/json-text.ts';
import { strictJson } from '../core/lenient-json.ts';
import { type Ordering, ORDERINGS } from '../core/ordering.ts';
import type { RegistrationDraft } from './library.ts';

/** Microsoft's texts of model errors. */
const ERROR = 'An error has occurred.';
const URI_REQUIRED = 'The WebHookUri field is required.';

/**
 * Reads a registration as Microsoft's model binder does: member names in any case, the last of
 * duplicates wins, unknown members are passed over, comments and the like are let pass. Undefined
 * for no body at all. Throws `bad_request` with ModelState.
 */
export function readRegistration(body: string): RegistrationDraft | undefined {
  if (body.trim() === '') return undefined;
  const members = membersOf(body);
  if (members === null) return undefined;
  const state = new ModelState();
  const draft = {
    id: readText(members.get('id')),
    webHookUri: readUri(members.get('webhookuri'), state),
    secret: readText(members.get('secret')),
    description: readText(members.get('description')),
    isPaused: readFlag(members.get('ispaused'), state),
    filters: readFilters(members.get('filters'), state),
    headers: readHeaders(members.get('headers'), state),
    properties: readProperties(members.get('properties')),
    conditions: readConditions(members.get('conditions')),
    ordering: readOrdering(members.get('ordering'), state),
  };
  state.throwIfAny();
  return draft;
}

class ModelState {
  readonly #errors: Record<string, string[]> = {};

  add(member: string, ...messages: string[]): void {
    this.#errors[`webHook${member}`] = messages;
  }

  throwIfAny(): void {
    if (Object.keys(this.#errors).length > 0) throw invalid(this.#errors);
  }
}

function invalid(modelState: Record<string, string[]>): AppError {
  return new AppError('bad_request', 'The request is invalid.', { modelState });
}

/** Raw values by lower-case name; null for the JSON `null`. */
function membersOf(body: string): Map<string, string> | null {
  const text = readable(body);
  const scanner = new JsonScanner(text);
  if (text.trim() === 'null') return null;
  if (!scanner.atObject()) throw invalid({ webHook: [ERROR] });
  return new Map(readMembers(text).map(([name, value]) => [name.toLowerCase(), value]));
}

/** The body as strict JSON; Microsoft names the member at which a body ends too early. */
function readable(body: string): string {
  try {
    return compactJson(body);
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
  }
  try {
    return compactJson(strictJson(body));
  } catch {
    const cut = /^\s*\{\s*"(\w+)"\s*:\s*$/.exec(body);
    throw invalid({ [cut === null ? 'webHook' : `webHook.${cut[1] ?? ''}`]: [ERROR] });
  }
}

/** Numbers and booleans become their text, as in Json.NET; null and other kinds are absent. */
function readText(raw: string | undefined): string | null {
  if (raw === undefined || raw === 'null') return null;
  if (raw.startsWith('"')) return String(JSON.parse(raw));
  return raw.startsWith('{') || raw.startsWith('[') ? null : raw;
}

function readUri(raw: string | undefined, state: ModelState): string {
  const uri = raw?.startsWith('"') === true ? readText(raw) : null;
  if (raw !== undefined && raw !== 'null' && (uri === null || isUnparsable(uri))) {
    state.add('.WebHookUri', ERROR, URI_REQUIRED);
    return '';
  }
  if (uri === null || uri === '') state.add('.WebHookUri', URI_REQUIRED);
  return uri ?? '';
}

/** What .NET's Uri refuses to be made of: no host after http:, or a port past 65535. */
function isUnparsable(uri: string): boolean {
  if (/^https?:\/\/([/?#:]|$)/i.test(uri.trim())) return true;
  const port = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*:(\d+)(?:[/?#]|$)/i.exec(uri.trim());
  return port !== null && Number(port[1]) > 65_535;
}

function readFlag(raw: string | undefined, state: ModelState): boolean {
  if (raw === undefined) return false;
  const text = raw.startsWith('"') ? (readText(raw) ?? '').trim().toLowerCase() : raw;
  if (text === 'true' || /^-?[1-9]\d*$/.test(raw)) return true;
  if (text !== 'false' && raw !== '0') state.add('.IsPaused', ERROR);
  return false;
}

function readOrdering(raw: string | undefined, state: ModelState): Ordering | null {
  if (raw === undefined || raw === 'null') return null;
  const name = raw.startsWith('"') ? readText(raw) : null;
  const ordering = ORDERINGS.find((known) => known === name);
  if (ordering === undefined && name !== 'none')
    state.add('.Ordering', "Ordering is 'none', 'subject' or 'strict'.");
  return ordering ?? null;
}

/** A single name in place of a list is refused: Microsoft's reader would silently subscribe to everything. */
function readFilters(raw: string | undefined, state: ModelState): string[] {
  if (raw === undefined || raw === 'null') return [];
  if (!raw.startsWith('[')) {
    state.add('.Filters', 'Filters is a list of names, such as ["CourseCompleted"].');
    return [];
  }
  const names: string[] = [];
  for (const [index, item] of readItems(raw).entries()) {
    const name = item.startsWith('"') ? readText(item) : null;
    if (name === null) state.add(`.Filters[${index}]`, 'A filter is given by its name.');
    else names.push(name);
  }
  return names;
}

/** A repeated name keeps its first spelling and its last value. */
function readHeaders(raw: string | undefined, state: ModelState): [string, string][] {
  const headers = new Map<string, [string, string]>();
  for (const [name, value] of objectMembers(raw)) {
    if (value.startsWith('{') || value.startsWith('[')) {
      state.add(`.Headers.${name}`, ERROR, ERROR, ERROR);
      continue;
    }
    const known = headers.get(name.toLowerCase());
    headers.set(name.toLowerCase(), [known?.[0] ?? name, readText(value) ?? '']);
  }
  return [...headers.values()];
}

/** Compact JSON text; names are unique ignoring case, values keep their spelling. */
function readProperties(raw: string | undefined): string {
  const properties = new Map<string, [string, string]>();
  for (const [name, value] of objectMembers(raw)) {
    const known = properties.get(name.toLowerCase());
    properties.set(name.toLowerCase(), [known?.[0] ?? name, value]);
  }
  const members = [...properties.values()].map(
    ([name, value]) => `${JSON.stringify(name)}:${value}`,
  );
  return `{${members.join(',')}}`;
}

/** As written: what it must be is judged with the rest of the registration. */
function readConditions(raw: string | undefined): string | null {
  return raw === undefined || raw === 'null' ? null : raw;
}

/** None where the value is not an object: Microsoft's reader passes over other kinds. */
function objectMembers(raw: string | undefined): [string, string][] {
  return raw?.startsWith('{') === true ? readMembers(raw) : [];
}
