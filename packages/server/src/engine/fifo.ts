/** A queue whose ends cost the same however long it is. */
export class Fifo<T> {
  #items: (T | undefined)[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  shift(): T | undefined {
    if (this.#head === this.#items.length) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head] = undefined;
    this.#head += 1;
    if (this.#head === this.#items.length) this.#reset();
    else if (this.#head >= 1024 && this.#head * 2 >= this.#items.length) this.#compact();
    return item;
  }

  /** Takes out the first item the test holds for. */
  remove(test: (item: T) => boolean): T | undefined {
    this.#compact();
    const index = this.#items.findIndex((item) => item !== undefined && test(item));
    return index < 0 ? undefined : this.#items.splice(index, 1)[0];
  }

  /** Takes everything out, oldest first. */
  drain(): T[] {
    this.#compact();
    const items = this.#items.filter((item) => item !== undefined);
    this.#reset();
    return items;
  }

  #compact(): void {
    if (this.#head > 0) this.#items.splice(0, this.#head);
    this.#head = 0;
  }

  #reset(): void {
    this.#items = [];
    this.#head = 0;
  }
}
