import type { SubjectPaths } from '../core/subjects.ts';
import type { Store } from '../store/port.ts';
import type { Filters } from './library.ts';

/** Events looked over in one step: one short transaction. */
const STEP = 500;
/** After an event was accepted, the index follows so much later, with all that came by then. */
const DELAY_MS = 200;

export type IndexerOptions = {
  readonly store: Pick<Store, 'index'>;
  readonly filters: Pick<Filters, 'list'>;
  readonly onError: (error: unknown) => void;
};

/**
 * Notes what events are found by, a moment after they were accepted, so that publishing does not
 * wait for it. How far it has come is in the store: what a crash left is noted at the next start.
 */
export class Indexer {
  readonly #options: IndexerOptions;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  /** True where the run that is under way leaves what other nodes have just accepted. */
  #leaves = false;
  #stopped = false;

  constructor(options: IndexerOptions) {
    this.#options = options;
  }

  /** There are new events. */
  poke(): void {
    if (this.#timer !== undefined || this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#next(true).catch(this.#options.onError);
    }, DELAY_MS);
    this.#timer.unref();
  }

  /** Resolves once everything that was accepted before this call can be found, on whatever node. */
  caughtUp(): Promise<void> {
    return this.#next(false);
  }

  async #next(leavesRecent: boolean): Promise<void> {
    // A run that is under way may have read the last events already: it does not count.
    await this.#running?.catch(() => undefined);
    if (this.#stopped) return;
    // Neither does one that began meanwhile, if it leaves something.
    if (this.#running !== undefined && this.#leaves && !leavesRecent) return this.#next(false);
    this.#running ??= this.#start(leavesRecent);
    return this.#running;
  }

  #start(leavesRecent: boolean): Promise<void> {
    this.#leaves = leavesRecent;
    return this.#run(leavesRecent).finally(() => {
      this.#running = undefined;
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running?.catch(() => undefined);
  }

  async #run(leavesRecent: boolean): Promise<void> {
    const { store } = this.#options;
    const paths = this.#paths();
    while (!this.#stopped && (await store.index(paths, STEP, leavesRecent)) >= STEP);
  }

  #paths(): SubjectPaths {
    const described = this.#options.filters.list().filter(({ subjects }) => subjects.length > 0);
    return Object.fromEntries(
      described.map(({ name, subjects }) => [name.toLowerCase(), subjects]),
    );
  }
}

/** What is looked for by subject or action is found by the index only. */
export async function indexFor(
  index: Pick<Indexer, 'caughtUp'>,
  { subject, action }: { readonly subject?: string; readonly action?: string },
): Promise<void> {
  if (subject !== undefined || action !== undefined) await index.caughtUp();
}
