import { after, before } from 'node:test';
import type { Store } from '../port.ts';

/** Gives an empty store; `done` closes it. */
export type OpenStore = () => Promise<{
  readonly store: Store;
  readonly done: () => Promise<void>;
}>;

/** One store for all tests of a part of the contract. */
export function openForTests(open: OpenStore, use: (store: Store) => void): void {
  let opened: Awaited<ReturnType<OpenStore>>;
  before(async () => {
    opened = await open();
    use(opened.store);
  });
  after(() => opened.done());
}
