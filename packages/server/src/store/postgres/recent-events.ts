import type { NewEvent, Publication } from '../port.ts';

/** Characters of events in memory; what comes beyond that is read from the database when its turn comes. */
const MAX_LENGTH = 16 * 1024 * 1024;

export type RecentEvent = Pick<NewEvent, 'tenant' | 'id' | 'actions' | 'payload'>;

/** What this node accepted and nobody looked over yet, oldest first: it need not be read again for that. */
export class RecentEvents {
  #events: RecentEvent[] = [];
  #length = 0;

  /** Takes what was written, as far as there is room. */
  add(written: readonly Publication[]): void {
    for (const { events } of written) for (const event of events) this.#add(event);
  }

  /** Hands over the next, each once. */
  take(limit: number): readonly RecentEvent[] {
    const taken = this.#events.splice(0, limit);
    for (const { payload } of taken) this.#length -= payload.length;
    return taken;
  }

  #add({ tenant, id, actions, payload }: NewEvent): void {
    if (this.#length + payload.length > MAX_LENGTH) return;
    this.#events.push({ tenant, id, actions, payload });
    this.#length += payload.length;
  }
}
