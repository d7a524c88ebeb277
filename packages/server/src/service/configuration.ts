import type { ConfigurationChange, Store } from '../store/port.ts';

/**
 * What this node knows of registrations, filters, tenants and keys: everything up to `version`, and
 * perhaps its own changes after that. What other nodes change is learnt by `refresh`.
 */
export class Configuration {
  readonly #store: Pick<Store, 'changes'>;
  readonly #learn: (change: ConfigurationChange) => void;
  #version = 0;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(store: Pick<Store, 'changes'>, learn: (change: ConfigurationChange) => void) {
    this.#store = store;
    this.#learn = learn;
  }

  /** Call it before everything is read from the store. */
  async open(): Promise<void> {
    this.#version = (await this.#store.changes(null)).version;
  }

  readonly version = (): number => this.#version;

  /** Resolves when all is known that was committed before the call; calls at one time share a look-up. */
  readonly refresh = (): Promise<void> => {
    if (this.#running === undefined) return this.#run();
    // The one under way may have looked before.
    this.#next ??= this.#running.then(
      () => this.#run(),
      () => this.#run(),
    );
    return this.#next;
  };

  #run(): Promise<void> {
    this.#next = undefined;
    this.#running = this.#look().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #look(): Promise<void> {
    const { version, changes } = await this.#store.changes(this.#version);
    for (const change of changes) this.#learn(change);
    this.#version = version;
  }
}
