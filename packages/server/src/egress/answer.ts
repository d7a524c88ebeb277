import type { Outcome } from '../core/outcome.ts';
import { Failure } from './failure.ts';
import { type Framing, framingOf } from './framing.ts';
import { MAX_HEAD_BYTES, MAX_INTERIM, MAX_WIRE_BYTES } from './limits.ts';
import {
  type Field,
  invalid,
  mayBeStatusLine,
  parseChunkSize,
  parseField,
  parseStatusLine,
  type StatusLine,
} from './lines.ts';
import { ResponseCollector } from './response.ts';

/** What comes next: a line of the head or between chunks, or bytes of the body. */
type Next =
  | 'status'
  | 'field'
  | 'body'
  | 'chunk size'
  | 'chunk'
  | 'chunk end'
  | 'trailer'
  | 'nothing';

const LF = '\n';

/**
 * Reads one HTTP/1 answer (RFC 9112) from the bytes of a connection, in whatever pieces they come.
 * It reads strictly and repairs nothing: what may mean two things is no answer. Each limit of
 * `limits.ts` holds for it, so that it keeps and reads a bounded number of bytes.
 */
export class Answer {
  readonly #collector = new ResponseCollector();
  #next: Next = 'status';
  #statusLine: StatusLine = { status: 0, isHttp10: false };
  #fields: Field[] = [];
  #framing: Framing = { length: 0, idleMs: 0 };
  /** Bytes of the body or of the chunk that are still to come. */
  #left = 0;
  /** The beginning of a line whose end has not come. */
  #held = '';
  /** Bytes that the lines of this head, or this one between chunks, may still take. */
  #room = MAX_HEAD_BYTES;
  #interim = 0;
  #wire = 0;

  /** False until the first byte. */
  get hasBegun(): boolean {
    return this.#wire > 0;
  }

  get hasHead(): boolean {
    return this.#collector.hasHead;
  }

  get isComplete(): boolean {
    return this.#next === 'nothing';
  }

  /** How long its connection may wait for another request; 0 when it takes none. */
  get idleMs(): number {
    return this.#framing.idleMs;
  }

  /** `truncated`: there was more of the body than came, or than is kept. */
  outcome(truncated: boolean): Outcome {
    return this.#collector.outcome(truncated);
  }

  /**
   * Takes the next bytes. Returns how many of them belong to this answer: fewer than all when
   * something stands behind it. Throws Failure when it is none, or larger than is taken.
   */
  read(bytes: Buffer): number {
    this.#wire += bytes.length;
    let at = 0;
    // Made once: a body of very many chunks has a line before each.
    let text: string | undefined;
    while (at < bytes.length && !this.isComplete) {
      if (this.#next === 'body' || this.#next === 'chunk') at = this.#readBody(bytes, at);
      else at = this.#readLine((text ??= bytes.toString('latin1')), at);
    }
    if (this.#wire > MAX_WIRE_BYTES && !this.isComplete) throw tooMuch('RESPONSE_TOO_LARGE');
    return at;
  }

  /** The other side says nothing more: that is the end of a body that has no other. */
  end(): void {
    if (this.#next === 'body' && this.#framing.length === 'open') this.#next = 'nothing';
  }

  /** Returns where the next part begins. */
  #readBody(bytes: Buffer, from: number): number {
    const to = Math.min(from + this.#left, bytes.length);
    if (!this.#collector.data(bytes.subarray(from, to))) throw tooMuch('BODY_CUT');
    this.#left -= to - from;
    if (this.#left === 0) this.#next = this.#next === 'body' ? 'nothing' : 'chunk end';
    return to;
  }

  /** Returns where the next part begins. */
  #readLine(text: string, from: number): number {
    const end = text.indexOf(LF, from);
    if (end < 0) {
      this.#hold(text.slice(from));
      return text.length;
    }
    this.#take(end + 1 - from);
    this.#line(lineOf(this.#held + text.slice(from, end)));
    this.#held = '';
    return end + 1;
  }

  #hold(part: string): void {
    this.#take(part.length);
    this.#held += part;
    if (this.#next === 'status' && !mayBeStatusLine(this.#held)) throw invalid('STATUS_LINE');
  }

  #take(length: number): void {
    this.#room -= length;
    if (this.#room >= 0) return;
    throw this.hasHead ? tooMuch('RESPONSE_TOO_LARGE') : new Failure({ kind: 'headers_too_large' });
  }

  #line(line: string): void {
    switch (this.#next) {
      case 'status':
        this.#statusLine = parseStatusLine(line);
        this.#next = 'field';
        return;
      case 'field':
        if (line === '') this.#onHead();
        else this.#fields.push(parseField(line));
        return;
      case 'chunk size':
        return this.#onChunk(parseChunkSize(line));
      case 'chunk end':
        if (line !== '') throw invalid('CHUNK');
        return this.#awaitChunk();
      case 'trailer':
        // Nobody needs what stands there, and it may not be anything else.
        if (line === '') this.#next = 'nothing';
        else parseField(line);
        return;
      case 'body':
      case 'chunk':
      case 'nothing':
        // No lines there.
        return;
    }
  }

  #onHead(): void {
    const { status } = this.#statusLine;
    if (status < 200) return this.#onInterim(status);
    this.#framing = framingOf(this.#statusLine, this.#fields);
    this.#collector.head(status, this.#fields);
    const { length } = this.#framing;
    if (length === 'chunked') return this.#awaitChunk();
    this.#left = length === 'open' ? Infinity : length;
    this.#next = length === 0 ? 'nothing' : 'body';
  }

  #onInterim(status: number): void {
    this.#interim += 1;
    if (status === 101) throw invalid('UPGRADE');
    if (this.#interim > MAX_INTERIM) throw tooMuch('TOO_MANY_INTERIM_RESPONSES');
    this.#fields = [];
    this.#room = MAX_HEAD_BYTES;
    this.#next = 'status';
  }

  #awaitChunk(): void {
    this.#room = MAX_HEAD_BYTES;
    this.#next = 'chunk size';
  }

  #onChunk(size: number): void {
    this.#room = MAX_HEAD_BYTES;
    this.#left = size;
    this.#next = size === 0 ? 'trailer' : 'chunk';
  }
}

/** Lines end in CRLF. A bare LF, or another CR, is a line end to some and none to others. */
function lineOf(text: string): string {
  if (!text.endsWith('\r')) throw invalid('LINE_END');
  return text.slice(0, -1);
}

function tooMuch(code: string): Failure {
  return new Failure({ kind: 'protocol_error', code });
}
