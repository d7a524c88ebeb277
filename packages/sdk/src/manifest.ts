/** What a `Schoolbell.Manifest` says of one day of one registration. */
export type Manifest = {
  readonly Count: number;
  readonly First: number;
  readonly Last: number;
  readonly Digest: string;
};

/** A delivery that a receiver has: its `schoolbell-sequence` and its id. */
export type Had = readonly [sequence: number, id: string];
type Rows = Iterable<Had> | AsyncIterable<Had>;

export type ManifestCheck = {
  /** True when everything has come that the manifest tells of. */
  readonly complete: boolean;
  /** True when the digest is that of what has come. */
  readonly matches: boolean;
  /** How many have come, of the manifest's numbers. */
  readonly count: number;
  /** Numbers that have not come, lowest first, the first of them where there are many. */
  readonly missing: readonly number[];
};

/**
 * Compares a manifest with what a receiver has: rows in the order of their numbers, or a function
 * that reads those from one number to another, both included, from where they are kept. Rows outside
 * and repetitions are passed over. Takes some 45 bytes of memory a row, for the digest.
 */
export async function checkManifest(
  manifest: Manifest,
  have: Rows | ((first: number, last: number) => Rows | Promise<Rows>),
  { limit = 1000 }: { readonly limit?: number } = {},
): Promise<ManifestCheck> {
  const { Count, First, Last, Digest } = manifest;
  const rows = typeof have === 'function' ? await have(First, Last) : have;
  const missing: number[] = [];
  const lines = new Lines();
  let next = First;
  const miss = (end: number): void => {
    for (let n = next; n < end && missing.length < limit; n += 1) missing.push(n);
  };
  for await (const [sequence, id] of inOrder(rows)) {
    if (sequence < First || sequence > Last) continue;
    miss(sequence);
    next = sequence + 1;
    lines.add(`${sequence} ${id}\n`);
  }
  miss(Last + 1);
  const matches = (await lines.digest()) === Digest.toLowerCase();
  const all = Last - First + 1;
  // What is not kept any more is not in the manifest, but the receiver may have it.
  const hasAll = lines.count === all && Count < all;
  return { complete: matches || hasAll, matches, count: lines.count, missing };
}

async function* inOrder(rows: Rows): AsyncGenerator<Had> {
  let last = 0;
  for await (const row of rows) {
    const [sequence] = row;
    if (sequence < last)
      throw new RangeError(
        `Number ${sequence} comes after ${last}: give what has come in the order of the numbers.`,
      );
    if (sequence > last) yield row;
    last = sequence;
  }
}

/** Text that grows in one buffer: strings of so many lines would take several times as much. */
class Lines {
  #bytes = new Uint8Array(4096);
  #length = 0;
  count = 0;

  add(line: string): void {
    // A character takes three bytes at most.
    while (this.#bytes.length - this.#length < line.length * 3) {
      const larger = new Uint8Array(this.#bytes.length * 2);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    const { written } = new TextEncoder().encodeInto(line, this.#bytes.subarray(this.#length));
    this.#length += written;
    this.count += 1;
  }

  async digest(): Promise<string> {
    const hash = await crypto.subtle.digest('SHA-256', this.#bytes.subarray(0, this.#length));
    return Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, '0')).join('');
  }
}
