import type { Outcome } from '../core/outcome.ts';
import { MAX_INTERIM } from './head-limit.ts';

export const MAX_BODY_BYTES: number = 64 * 1024;

const MAX_CHUNKS = 64;

/** Headers as node and undici give them: lower-case names, arrays for repeated ones. */
export type ParsedHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** Collects an answer, cut to its limits. */
export class ResponseCollector {
  #status = 0;
  #headers: readonly (readonly [string, string])[] = [];
  /** Undefined until there is a body, as most answers have none. */
  #chunks: Uint8Array[] | undefined;
  #size = 0;
  #interim = 0;

  /** True once the final head has arrived: from then on the status decides. */
  get hasHead(): boolean {
    return this.#status !== 0;
  }

  /** False when there were more interim answers than are waited through. */
  interim(): boolean {
    this.#interim += 1;
    return this.#interim <= MAX_INTERIM;
  }

  head(status: number, headers: ParsedHeaders): void {
    this.#status = status;
    this.#headers = listHeaders(headers);
  }

  /** False when the body is longer than is kept: the rest is not wanted. */
  data(chunk: Uint8Array): boolean {
    const room = MAX_BODY_BYTES - this.#size;
    this.#chunks ??= [];
    this.#chunks.push(chunk.length > room ? chunk.subarray(0, room) : chunk);
    // A chunk of one byte holds on to all that was read with it, and there may be very many.
    if (this.#chunks.length === MAX_CHUNKS) this.#chunks = [Buffer.concat(this.#chunks)];
    this.#size += chunk.length;
    return this.#size <= MAX_BODY_BYTES;
  }

  outcome(truncated: boolean): Outcome {
    const body = this.#chunks === undefined ? '' : Buffer.concat(this.#chunks).toString('utf8');
    return {
      kind: 'response',
      status: this.#status,
      response: { headers: this.#headers, body, truncated },
    };
  }
}

/** Cookies are for nobody: their names are kept, their values not. */
function listHeaders(headers: ParsedHeaders): (readonly [string, string])[] {
  const list: (readonly [string, string])[] = [];
  for (const name in headers) {
    const value = headers[name];
    if (value === undefined) continue;
    if (name === 'set-cookie') list.push([name, '(not kept)']);
    else if (typeof value === 'string') list.push([name, value]);
    else for (const each of value) list.push([name, each]);
  }
  return list;
}
