const EVERY_MS = 1000;
/** Where nobody watches, a line now and then is enough for a log. */
const EVERY_MS_IN_LOGS = 10_000;

/** Writes how far something is to stderr, not too often: rows, share and rate. */
export class Progress {
  readonly #stream: NodeJS.WriteStream = process.stderr;
  #stage = '';
  #since = 0;
  #from = 0;
  #shownAt = -Infinity;
  #hasEnded = false;

  readonly show = (stage: string, done: number, of: number): void => {
    const now = performance.now();
    if (stage !== this.#stage) this.#begin(stage, done, now);
    const isEnd = done >= of;
    const every = this.#stream.isTTY ? EVERY_MS : EVERY_MS_IN_LOGS;
    if (this.#hasEnded || (!isEnd && now - this.#shownAt < every)) return;
    this.#hasEnded = isEnd;
    this.#shownAt = now;
    this.#write(`${stage}: ${done} of ${of} rows, ${shareOf(done, of)} %${this.#rate(done, now)}`);
  };

  #write(text: string): void {
    if (!this.#stream.isTTY) this.#stream.write(`${text}\n`);
    else this.#stream.write(`\r\u001b[K${text}${this.#hasEnded ? '\n' : ''}`);
  }

  #rate(done: number, now: number): string {
    const seconds = (now - this.#since) / 1000;
    return seconds > 0.1 ? `, ${Math.round((done - this.#from) / seconds)} a second` : '';
  }

  #begin(stage: string, done: number, now: number): void {
    this.#stage = stage;
    this.#since = now;
    this.#from = done;
    this.#shownAt = -Infinity;
    this.#hasEnded = false;
  }
}

function shareOf(done: number, of: number): number {
  return Math.floor((100 * done) / Math.max(1, of));
}
