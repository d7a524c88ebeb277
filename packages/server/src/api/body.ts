import { isUtf8 } from 'node:buffer';
import type { FastifyRequest } from 'fastify';
import type { Static, TObject } from 'typebox';
import Value from 'typebox/value';
import { AppError } from '../core/errors.ts';
import { JsonError, JsonScanner } from '../core/json-scan.ts';

/** `application/json`, and Microsoft's other name for it. */
const JSON_TYPES: ReadonlySet<string> = new Set(['application/json', 'text/json']);

/** The body as text. Throws 415 for other media types, 400 for what is not UTF-8. */
export function textBody(request: FastifyRequest, types: ReadonlySet<string> = JSON_TYPES): string {
  const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
  checkMediaType(request.headers['content-type'], types, body.length);
  if (!isUtf8(body)) throw new AppError('bad_request', 'The body is not valid UTF-8.');
  // .NET writes a byte order mark, and its readers pass over it.
  return body.toString('utf8').replace(/^\uFEFF/, '');
}

/** The media type of the request in lower case, without parameters. */
export function mediaType(request: FastifyRequest): string {
  return (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

function checkMediaType(
  header: string | undefined,
  types: ReadonlySet<string>,
  length: number,
): void {
  if (header === undefined || header.trim() === '') {
    if (length === 0) return;
    throw new AppError(
      'unsupported_media_type',
      "The request contains an entity body but no Content-Type header. The inferred media type 'application/octet-stream' is not supported for this resource.",
    );
  }
  const [type = '', ...parameters] = header.split(';').map((part) => part.trim());
  if (!types.has(type.toLowerCase())) {
    throw new AppError(
      'unsupported_media_type',
      `The request entity's media type '${type}' is not supported for this resource.`,
    );
  }
  if (!parameters.every(isUtf8Parameter)) {
    throw new AppError(
      'unsupported_media_type',
      'JSON is read in UTF-8 only; send it without another charset.',
    );
  }
}

function isUtf8Parameter(parameter: string): boolean {
  const [name = '', value = ''] = parameter.toLowerCase().split('=');
  return name.trim() !== 'charset' || /^"?utf-?8"?$/.test(value.trim());
}

/** False where a body may be left out, and was. */
export function hasBody({ body }: FastifyRequest): boolean {
  return Buffer.isBuffer(body) && body.length > 0;
}

/** A JSON object by its schema: member names in any case, unknown and repeated ones refused with sentences. */
export function objectBody<T extends TObject>(request: FastifyRequest, schema: T): Static<T> {
  const members = readMembers(textBody(request), Object.keys(schema.properties));
  const problems = Value.Errors(schema, members);
  if (problems.length > 0) {
    const modelState: Record<string, string[]> = {};
    for (const { instancePath, message } of problems) {
      const name = instancePath.slice(1).replaceAll('/', '.') || 'body';
      (modelState[name] ??= []).push(`${name} ${message}.`);
    }
    throw new AppError('bad_request', 'The request is invalid.', { modelState });
  }
  return members as Static<T>;
}

function readMembers(text: string, names: readonly string[]): Record<string, unknown> {
  const members: Record<string, unknown> = {};
  for (const [name, raw] of rawMembers(text, names)) members[name] = JSON.parse(raw);
  return members;
}

/** The members of a JSON object as they are written, by name in any case; others and repeated ones are refused. */
export function rawBody(
  request: FastifyRequest,
  names: readonly string[],
): ReadonlyMap<string, string> {
  return rawMembers(textBody(request), names);
}

function rawMembers(text: string, names: readonly string[]): Map<string, string> {
  const byLower = new Map(names.map((name) => [name.toLowerCase(), name]));
  const members = new Map<string, string>();
  const scanner = new JsonScanner(text);
  try {
    if (!scanner.atObject()) throw new AppError('bad_request', 'The body is a JSON object.');
    scanner.object((key) => {
      const name = byLower.get(key.toLowerCase());
      if (name === undefined) {
        throw new AppError(
          'bad_request',
          `There is no member '${key.slice(0, 64)}'; known are ${names.join(', ')}.`,
        );
      }
      if (members.has(name))
        throw new AppError('bad_request', `The member '${name}' stands twice.`);
      members.set(name, scanner.raw());
    });
    scanner.expectEnd();
  } catch (error) {
    if (error instanceof JsonError) throw new AppError('bad_request', error.message);
    throw error;
  }
  return members;
}
