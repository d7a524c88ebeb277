const EVERY_MS = 1000;
/** Where nobody watches, a line now and then is enough for a log. */
const EVERY_MS_IN_LOGS = 10_000;

/** Writes how far something is to stderr, not too often: rows, share and rate. */
export class Progress {
  readonly #stream: NodeJS.WriteStream = process.stderr;
  #stage = '';
  #since = 0;
  #from = 0;
  #shownAt = 0;

  readonly show = (stage: string, done: number, of: number): void => {
    const now = performance.now();
    if (stage !== this.#stage) this.#begin(stage, done, now);
    const isEnd = done >= of;
    const every = this.#stream.isTTY ? EVERY_MS : EVERY_MS_IN_LOGS;
    if (!isEnd && this.#shownAt > 0 && now - this.#shownAt < every) return;
    this.#shownAt = now;
    const seconds = (now - this.#since) / 1000;
    const rate = seconds > 0.1 ? `, ${Math.round((done - this.#from) / seconds)} a second` : '';
    const share = Math.floor((100 * done) / Math.max(1, of));
    const text = `${stage}: ${done} of ${of} rows, ${share} %${rate}`;
    this.#stream.write(
      this.#stream.isTTY && !isEnd
        ? `\r\u001b[K${text}`
        : `${this.#stream.isTTY ? '\r\u001b[K' : ''}${text}\n`,
    );
  };

  #begin(stage: string, done: number, now: number): void {
    this.#stage = stage;
    this.#since = now;
    this.#from = done;
    this.#shownAt = 0;
  }
}
