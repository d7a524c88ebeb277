import { readFileSync } from 'node:fs';

/** One call of the corpus, with the statuses that are right. */
export type BadInput = {
  readonly id: string;
  readonly group: string;
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly gen?: string;
  readonly body_b64?: string;
  readonly expect: readonly number[];
};

export const BAD_INPUT: readonly BadInput[] = JSON.parse(
  readFileSync(new URL('./data/bad-input-corpus.json', import.meta.url), 'utf8'),
);

/** What the corpus leaves to be filled in. */
export type Setting = {
  readonly key: string;
  /** Another tenant, and what is its own. */
  readonly foreign: {
    readonly tenant: string;
    readonly registration: string;
    readonly delivery: string;
  };
};

export type BuiltCall = { readonly pieces: Iterable<Buffer | string>; readonly pauseMs?: number };

const BODY_LIMIT = 1024 * 1024;
const EVENT = '{"Action":"t","data":{}}';

/** The bytes of a call. */
export function build(input: BadInput, setting: Setting): BuiltCall {
  const raw = /^raw:(.*)$/.exec(input.gen ?? '')?.[1];
  if (raw !== undefined) return buildRaw(raw, setting);
  const chunked = /^chunked:(\d+)$/.exec(input.gen ?? '')?.[1];
  if (chunked !== undefined) return { pieces: chunkedBody(input, setting, Number(chunked)) };
  const body = input.method === 'PUT' ? replacement(setting) : bodyOf(input, setting);
  return { pieces: [head(input, setting, [`Content-Length: ${body.length}`]), body] };
}

function bodyOf({ gen, body_b64: encoded }: BadInput, { foreign }: Setting): Buffer {
  if (gen !== undefined) return Buffer.from(generated(gen));
  const body = Buffer.from(encoded ?? '', 'base64').toString('latin1');
  return Buffer.from(
    body.replaceAll(/(["'])type\1/g, '$1Action$1').replaceAll('<B>', foreign.tenant),
    'latin1',
  );
}

/** The corpus leaves out what would replace the registration. */
function replacement({ foreign }: Setting): Buffer {
  const uri = 'https://example.com/hook?noecho';
  return Buffer.from(JSON.stringify({ Id: foreign.registration, WebHookUri: uri }));
}

/** `n` levels in all, that of the notification itself included. */
function generated(gen: string): string {
  const [kind = '', size = ''] = gen.split(':');
  const count = Number(size);
  switch (kind) {
    case 'nest-array':
      return `{"Action":"t","data":${'['.repeat(count - 1)}${']'.repeat(count - 1)}}`;
    case 'nest-object':
      return `${'{"Action":'.repeat(count)}1${'}'.repeat(count)}`;
    case 'keys':
      return `{"Action":"t","data":{${Array.from({ length: count }, (_, n) => `"k${n}":${n}`).join(',')}}}`;
    case 'filters':
      return JSON.stringify({
        WebHookUri: 'https://example.com/hook?noecho',
        Filters: Array.from({ length: count }, (_, n) => `f${n}`),
      });
    case 'size':
      return sized(size === 'limit' ? BODY_LIMIT : BODY_LIMIT + 1);
    default:
      throw new Error(`the corpus has a new kind of body: ${gen}`);
  }
}

/** Many notifications, for one alone is bounded too. */
function sized(bytes: number): string {
  const count = 8;
  const frame = `{"Action":"t","x":""}`.length + 1;
  const each = Math.floor((bytes - 1) / count) - frame;
  const items = Array.from({ length: count }, (_, n) => {
    const rest = n === 0 ? bytes - 1 - count * (frame + each) : 0;
    return `{"Action":"t","x":"${'x'.repeat(each + rest)}"}`;
  });
  return `[${items.join(',')}]`;
}

function head(input: BadInput, setting: Setting, more: readonly string[]): string {
  const headers: Record<string, string> = { authorization: `Bearer ${setting.key}` };
  for (const [name, value] of Object.entries(input.headers)) {
    headers[name] = value.replace('VALID', setting.key).replace('<B>', setting.foreign.tenant);
  }
  if (input.name.includes('authorization absent')) delete headers['authorization'];
  if (input.path === '<portal-action>') delete headers['authorization'];
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return request(`${input.method} ${pathOf(input, setting)}`, [...lines, ...more]);
}

function request(line: string, headers: readonly string[]): string {
  return [`${line} HTTP/1.1`, 'Host: 127.0.0.1', 'Connection: close', ...headers, '', ''].join(
    '\r\n',
  );
}

function pathOf({ path }: BadInput, { foreign }: Setting): string {
  return path
    .replace('<events>', '/webhooks/events')
    .replace('<deliveries>/<id-of-B>', `/webhooks/deliveries/${foreign.delivery}`)
    .replace('<registrations>', '/webhooks/registrations')
    .replace('<id-of-B>', foreign.registration)
    .replace('<portal-action>', '/webhooks/registrations')
    .replace('<portal>', '/swagger/');
}

function* chunkedBody(input: BadInput, setting: Setting, bytes: number): Iterable<string> {
  const piece = 64 * 1024;
  yield head(input, setting, ['Transfer-Encoding: chunked']);
  for (let sent = 0; sent < bytes; sent += piece)
    yield `${piece.toString(16)}\r\n${'x'.repeat(piece)}\r\n`;
  yield '0\r\n\r\n';
}

/** Calls that no client library makes. */
function buildRaw(name: string, { key }: Setting): BuiltCall {
  const post = 'POST /webhooks/events';
  const auth = `Authorization: Bearer ${key}`;
  const json = 'Content-Type: application/json';
  const length = `Content-Length: ${EVENT.length}`;
  const chunks = `${EVENT.length.toString(16)}\r\n${EVENT}\r\n0\r\n\r\n`;
  const sent = (headers: readonly string[], body = EVENT, line = post): BuiltCall => ({
    pieces: [request(line, [auth, json, ...headers]) + body],
  });
  const get = (target: string): BuiltCall => ({ pieces: [request(`GET ${target}`, [auth])] });
  switch (name) {
    case 'cl-1tb':
      return sent([`Content-Length: ${2 ** 40}`], '');
    case 'cl-and-te':
      return sent([length, 'Transfer-Encoding: chunked'], chunks);
    case 'two-cl-different':
      return sent([length, 'Content-Length: 5']);
    case 'te-xchunked':
      return sent(['Transfer-Encoding: xchunked'], chunks);
    case 'te-chunked-identity':
      return sent(['Transfer-Encoding: chunked, identity'], chunks);
    case 'lf-only':
      return { pieces: [request(post, [auth, json, length]).replaceAll('\r\n', '\n') + EVENT] };
    case 'bare-cr-in-header':
      return sent([length, 'X-A: a\rX-B: b']);
    case 'no-host':
      return {
        pieces: [request(post, [auth, json, length]).replace('Host: 127.0.0.1\r\n', '') + EVENT],
      };
    case 'two-host':
      return sent([length, 'Host: other.example']);
    case 'header 20 KiB':
      return sent([length, `X-Big: ${'x'.repeat(20 * 1024)}`]);
    case '2001 headers':
      return sent([length, ...Array.from({ length: 2001 }, () => 'a:1')]);
    case 'TRACE':
      return { pieces: [request('TRACE /webhooks/events', [auth])] };
    case 'method override header':
      return sent([length, 'X-HTTP-Method-Override: DELETE']);
    case 'slow headers 1 B/s':
      return { pieces: request(post, [auth, json, length]), pauseMs: 200 };
    case 'slow body 1 B/s':
      return { pieces: [request(post, [auth, json, length]), ...EVENT.split('')], pauseMs: 400 };
    case 'path /../../etc/passwd':
      return get('/../../etc/passwd');
    case 'path %2e%2e%2f':
      return get('/webhooks/%2e%2e%2f%2e%2e%2fetc/passwd');
    case 'path /%zz':
      return get('/%zz');
    case 'path //evil.example':
      return get('//evil.example');
    default:
      throw new Error(`the corpus has a new raw call: ${name}`);
  }
}
