import type { Outcome } from '../core/outcome.ts';
import { MAX_BODY_BYTES } from './limits.ts';
import type { Field } from './lines.ts';

const MAX_CHUNKS = 64;

/** Collects an answer, cut to its limits. */
export class ResponseCollector {
  #status = 0;
  #headers: readonly Field[] = [];
  /** Undefined until there is a body, as most answers have none. */
  #chunks: Uint8Array[] | undefined;
  #size = 0;

  /** True once the final head has arrived: from then on the status decides. */
  get hasHead(): boolean {
    return this.#status !== 0;
  }

  /** Cookies are for nobody: their names are kept, their values not. */
  head(status: number, fields: readonly Field[]): void {
    this.#status = status;
    this.#headers = fields.map((field) =>
      field[0] === 'set-cookie' ? ['set-cookie', '(not kept)'] : field,
    );
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
