/** Work on one thing is done one after another, in the order it was asked for; other things do not wait. */
export class Turns {
  readonly #last = new Map<string, Promise<void>>();

  /** Starts when all earlier work on this thing is done, however it ended. */
  take<T>(thing: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(thing);
    const turn = before === undefined ? work() : before.then(work);
    const done = turn.then(nothing, nothing).then(() => {
      if (this.#last.get(thing) === done) this.#last.delete(thing);
    });
    this.#last.set(thing, done);
    return turn;
  }
}

function nothing(): void {}
