import type { Delivery } from '../../core/delivery.ts';
import { NOTIFICATION_SEPARATOR } from '../../core/delivery.ts';
import type {
  Acceptance,
  LaneClaim,
  LaneRoom,
  Move,
  Publication,
  Recovery,
  Settlement,
  Store,
} from '../../store/port.ts';

export type MemoryRow = {
  readonly delivery: Delivery;
  state: 'pending' | 'delivered' | 'exhausted' | 'held' | 'cancelled';
  leased: boolean;
  dueAt: number;
  attempts: number;
  step: number;
};

/** The part of the store that the engine uses. */
export type EngineStore = Pick<
  Store,
  'accept' | 'settle' | 'claim' | 'release' | 'recover' | 'move'
>;

/**
 * The engine's store for simulations: everything in memory, each call applied in order after a
 * delay that the simulation chooses, and able to fail. What a driver does is proved elsewhere; this
 * one exists so that a crash can be simulated a thousand times a second.
 */
export class MemoryStore implements EngineStore {
  readonly rows: Map<string, MemoryRow> = new Map();
  readonly #delay: () => Promise<void>;
  #order: Promise<unknown> = Promise.resolve();

  constructor(delay: () => Promise<void>) {
    this.#delay = delay;
  }

  accept(batch: readonly Publication[]): Promise<readonly Acceptance[]> {
    return this.#inOrder(() =>
      batch.map((publication) => {
        for (const event of publication.events) {
          const texts = event.payload.split(NOTIFICATION_SEPARATOR);
          for (const made of event.deliveries) {
            const notifications =
              made.picks === null ? texts : made.picks.map((pick) => texts[pick] ?? '');
            const { id, registrationId } = made;
            const place = { id, registrationId, tenant: event.tenant, eventId: event.id };
            const delivery = { ...place, notifications, attempts: 0, step: 0 };
            const state = { state: made.state, leased: made.leased, dueAt: event.acceptedAt };
            this.rows.set(id, { delivery, ...state, attempts: 0, step: 0 });
          }
        }
        return { kind: 'accepted' as const };
      }),
    );
  }

  settle(batch: readonly Settlement[]): Promise<readonly boolean[]> {
    return this.#inOrder(() => batch.map((settlement) => this.#settleOne(settlement)));
  }

  claim(lanes: readonly LaneRoom[], now: number): Promise<readonly LaneClaim[]> {
    return this.#inOrder(() => lanes.map((lane) => this.#claimOne(lane, now)));
  }

  release(deliveries: readonly { readonly id: string }[]): Promise<void> {
    return this.#inOrder(() => {
      for (const { id } of deliveries) {
        const row = this.rows.get(id);
        if (row !== undefined) row.leased = false;
      }
    });
  }

  recover(): Promise<Recovery> {
    return this.#inOrder(() => {
      const pending = new Map<
        string,
        { tenant: string; registrationId: string; nextDueAt: number }
      >();
      const held = new Map<string, { tenant: string; registrationId: string }>();
      for (const row of this.rows.values()) {
        const { tenant, registrationId } = row.delivery;
        row.leased = false;
        if (row.state === 'held') held.set(registrationId, { tenant, registrationId });
        if (row.state !== 'pending') continue;
        const nextDueAt = Math.min(row.dueAt, pending.get(registrationId)?.nextDueAt ?? Infinity);
        pending.set(registrationId, { tenant, registrationId, nextDueAt });
      }
      return { pending: [...pending.values()], held: [...held.values()] };
    });
  }

  move(move: Move): Promise<number> {
    return this.#inOrder(() => {
      const rows = this.#of(move.registrationId).filter((row) => row.state === move.from);
      const moved = rows.slice(0, move.limit);
      for (const row of moved) {
        row.state = move.to;
        row.leased = false;
        row.dueAt = move.now;
      }
      return moved.length;
    });
  }

  #inOrder<T>(work: () => T): Promise<T> {
    const done = this.#order.then(this.#delay).then(work);
    this.#order = done.catch(() => undefined);
    return done;
  }

  #settleOne({ deliveryId, next }: Settlement): boolean {
    const row = this.rows.get(deliveryId);
    if (row === undefined) return false;
    row.attempts += 1;
    const wasPending = row.state === 'pending';
    if (!wasPending && next.state !== 'delivered') return false;
    row.state = next.state;
    row.leased = false;
    if (next.state === 'pending') {
      row.dueAt = next.dueAt;
      row.step = next.step;
    }
    return wasPending;
  }

  #claimOne(lane: LaneRoom, now: number): LaneClaim {
    const waiting = this.#of(lane.registrationId)
      .filter((row) => row.state === 'pending' && !row.leased)
      .toSorted((a, b) => a.dueAt - b.dueAt);
    const due = waiting.filter((row) => row.dueAt <= now).slice(0, lane.room);
    for (const row of due) row.leased = true;
    const rest = waiting[due.length];
    const deliveries = due.map(({ delivery, attempts, step }) => ({ ...delivery, attempts, step }));
    return { deliveries, nextDueAt: rest?.dueAt ?? null };
  }

  #of(registrationId: string): MemoryRow[] {
    return [...this.rows.values()].filter((row) => row.delivery.registrationId === registrationId);
  }
}
