import type { Delivery } from '../../core/delivery.ts';
import { NOTIFICATION_SEPARATOR } from '../../core/delivery.ts';
import { aloneCalls } from '../../store/alone.ts';
import type {
  Acceptance,
  Arrival,
  Backlog,
  LaneClaim,
  LaneRoom,
  Move,
  NodeEvents,
  Publication,
  Recovery,
  Settlement,
  Store,
  StreakChange,
  StreakOf,
  Unfinished,
} from '../../store/port.ts';

export type MemoryRow = {
  readonly delivery: Delivery;
  state: 'pending' | 'delivered' | 'exhausted' | 'held' | 'cancelled';
  leased: boolean;
  dueAt: number;
  attempts: number;
  step: number;
  /** Null where it has no order. */
  orderKeys: readonly string[] | null;
  /** When it was last claimed and last retried by hand, in calls of the store. */
  claimedAt: number;
  retriedAt: number;
};

/** The part of the store that the engine uses. */
export type EngineStore = Pick<
  Store,
  | 'queuesWrites'
  | 'accept'
  | 'settle'
  | 'claim'
  | 'claimArrived'
  | 'release'
  | 'recover'
  | 'waiting'
  | 'move'
  | 'unorder'
  | 'join'
  | 'wake'
  | 'drop'
  | 'unfinished'
  | 'streaks'
  | 'putStreaks'
>;

/**
 * The engine's store for simulations: everything in memory, each call applied in order after a
 * delay that the simulation chooses, and able to fail. What a driver does is proved elsewhere; this
 * one exists so that a crash can be simulated a thousand times a second.
 */
export class MemoryStore implements EngineStore {
  readonly queuesWrites = true;
  readonly rows: Map<string, MemoryRow> = new Map();
  /** What the node that joined last listens with. */
  heard: NodeEvents | undefined;
  readonly join: Store['join'] = (node, events) => {
    this.heard = events;
    return aloneCalls().join(node, events);
  };
  readonly wake: Store['wake'] = () => Promise.resolve();
  readonly drop: Store['drop'] = () => Promise.resolve();
  readonly #delay: () => Promise<void>;
  /** Those that have not ended, in order of acceptance. */
  readonly #open = new Map<string, MemoryRow[]>();
  readonly #streaks = new Map<string, StreakOf>();
  readonly #last = new Map<string, number>();
  #calls = 0;
  #order: Promise<unknown> = Promise.resolve();

  constructor(delay: () => Promise<void>) {
    this.#delay = delay;
  }

  /** The store as one process sees it; after its end nothing comes of what it asks for. */
  session(): { readonly store: EngineStore; readonly end: () => void } {
    let isAlive = true;
    const whileAlive = <Args extends unknown[], T>(call: (...args: Args) => Promise<T>) => {
      return (...args: Args): Promise<T> => (isAlive ? call(...args) : new Promise(() => {}));
    };
    const store = {
      queuesWrites: this.queuesWrites,
      accept: whileAlive((batch: readonly Publication[]) => this.accept(batch)),
      settle: whileAlive((batch: readonly Settlement[]) => this.settle(batch)),
      claim: whileAlive((lanes: readonly LaneRoom[], now: number) => this.claim(lanes, now)),
      claimArrived: whileAlive((arrivals: readonly Arrival[]) => this.claimArrived(arrivals)),
      release: whileAlive((given: readonly { readonly id: string }[]) => this.release(given)),
      recover: whileAlive(() => this.recover()),
      waiting: whileAlive(() => this.waiting()),
      join: this.join,
      wake: this.wake,
      drop: this.drop,
      unfinished: whileAlive(() => this.unfinished()),
      streaks: whileAlive(() => this.streaks()),
      putStreaks: whileAlive((changes: readonly StreakChange[]) => this.putStreaks(changes)),
      move: whileAlive((move: Move) => this.move(move)),
      unorder: whileAlive((tenant: string, id: string, limit: number) =>
        this.unorder(tenant, id, limit),
      ),
    };
    return { store, end: () => (isAlive = false) };
  }

  accept(batch: readonly Publication[]): Promise<readonly Acceptance[]> {
    return this.#inOrder(() =>
      batch.map((publication) => {
        const numbers: number[] = [];
        for (const event of publication.events) {
          const texts = event.payload.split(NOTIFICATION_SEPARATOR);
          for (const made of event.deliveries) {
            const notifications =
              made.picks === null ? texts : made.picks.map((pick) => texts[pick] ?? '');
            const { id, registrationId } = made;
            const actions = made.picks?.map((pick) => event.actions[pick] ?? '') ?? event.actions;
            const place = { id, registrationId, tenant: event.tenant, eventId: event.id };
            const { orderKeys } = made;
            const progress = { attempts: 0, step: 0 };
            const sequence = this.#next(`${event.tenant}/${registrationId}`);
            numbers.push(sequence);
            const content = { notifications, actions, sequence };
            const delivery = { ...place, ...progress, ...content, ordered: orderKeys !== null };
            const state = { state: made.state, leased: made.leased, dueAt: event.acceptedAt };
            this.#add({ delivery, ...state, ...progress, orderKeys, claimedAt: 0, retriedAt: 0 });
          }
        }
        return { kind: 'accepted' as const, numbers };
      }),
    );
  }

  #next(registration: string): number {
    const sequence = (this.#last.get(registration) ?? 0) + 1;
    this.#last.set(registration, sequence);
    return sequence;
  }

  settle(batch: readonly Settlement[]): Promise<readonly boolean[]> {
    return this.#inOrder(() => batch.map((settlement) => this.#settleOne(settlement)));
  }

  claim(lanes: readonly LaneRoom[], now: number): Promise<readonly LaneClaim[]> {
    return this.#inOrder(() => lanes.map((lane) => this.#claimOne(lane, now)));
  }

  claimArrived(arrivals: readonly Arrival[]): Promise<readonly Delivery[]> {
    return this.#inOrder(() =>
      arrivals.flatMap(({ id, names }) => {
        const turns = firstOfEachKey(this.#openOf(id));
        const rows = names.flatMap((each) => this.rows.get(each) ?? []);
        const claimable = rows.filter((row) => isClaimable(row, turns) && row.attempts === 0);
        return this.#lease(claimable);
      }),
    );
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
      for (const row of this.rows.values()) row.leased = false;
      return this.#recovery();
    });
  }

  waiting(): Promise<Recovery> {
    return this.#inOrder(() => this.#recovery());
  }

  move(move: Move): Promise<number> {
    return this.#inOrder(() => {
      const rows = this.#openOf(move.registrationId).filter((row) => row.state === move.from);
      const moved = rows.slice(0, move.limit);
      for (const row of moved) {
        row.state = move.to;
        row.leased = false;
        row.dueAt = move.now;
      }
      return moved.length;
    });
  }

  unorder(_tenant: string, registrationId: string, limit: number): Promise<boolean> {
    return this.#inOrder(() => {
      const rows = this.#openOf(registrationId).filter((row) => row.orderKeys !== null);
      for (const row of rows.slice(0, limit)) row.orderKeys = null;
      return rows.length > 0;
    });
  }

  streaks(): Promise<readonly StreakOf[]> {
    return this.#inOrder(() => [...this.#streaks.values()]);
  }

  putStreaks(changes: readonly StreakChange[]): Promise<void> {
    return this.#inOrder(() => {
      for (const { streak, ...ref } of changes) {
        if (streak === null) this.#streaks.delete(ref.id);
        else this.#streaks.set(ref.id, { ...ref, streak });
      }
    });
  }

  unfinished(): Promise<readonly Unfinished[]> {
    return this.#inOrder(() => {
      const open = [...this.rows.values()].filter(isOpen);
      return [...Map.groupBy(open, ({ delivery }) => delivery.tenant)].map(([tenant, rows]) => {
        const held = rows.filter(({ state }) => state === 'held').length;
        return { tenant, pending: rows.length - held, held };
      });
    });
  }

  retry(id: string, now: number): Promise<void> {
    return this.#inOrder(() => {
      const row = this.rows.get(id);
      if (row === undefined) return;
      row.state = 'pending';
      row.leased = false;
      row.dueAt = now;
      row.step = 0;
      row.retriedAt = this.#calls;
      const { registrationId } = row.delivery;
      const all = [...this.rows.values()];
      this.#open.set(
        registrationId,
        all.filter(({ delivery }) => delivery.registrationId === registrationId),
      );
    });
  }

  cancel(id: string): Promise<void> {
    return this.#inOrder(() => {
      const row = this.rows.get(id);
      if (row === undefined || !isOpen(row)) return;
      row.state = 'cancelled';
      row.leased = false;
    });
  }

  /** An older one with a key in common that has not ended; undefined when this one may be sent. */
  before(row: MemoryRow): MemoryRow | undefined {
    const turns = firstOfEachKey(this.#openOf(row.delivery.registrationId));
    const key = row.orderKeys?.find((each) => (turns.get(each) ?? row) !== row);
    return key === undefined ? undefined : turns.get(key);
  }

  /** True when a delivery of this registration should be on its way. */
  isDue(registrationId: string, now: number): boolean {
    const rows = this.#openOf(registrationId);
    const turns = firstOfEachKey(rows);
    return rows.some((row) => row.state === 'pending' && row.dueAt <= now && isFirst(row, turns));
  }

  #inOrder<T>(work: () => T): Promise<T> {
    const done = this.#order.then(this.#delay).then(() => {
      this.#calls += 1;
      return work();
    });
    this.#order = done.catch(() => undefined);
    return done;
  }

  #add(row: MemoryRow): void {
    this.rows.set(row.delivery.id, row);
    this.#openOf(row.delivery.registrationId).push(row);
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

  #recovery(): Recovery {
    const pending = new Map<string, Backlog>();
    const held = new Map<string, { tenant: string; registrationId: string }>();
    const ordered = new Map<string, { tenant: string; registrationId: string }>();
    for (const row of this.rows.values()) {
      const { tenant, registrationId } = row.delivery;
      if (row.orderKeys !== null && isOpen(row))
        ordered.set(registrationId, { tenant, registrationId });
      if (row.state === 'held') held.set(registrationId, { tenant, registrationId });
      if (row.state !== 'pending' || row.leased) continue;
      const nextDueAt = Math.min(row.dueAt, pending.get(registrationId)?.nextDueAt ?? Infinity);
      pending.set(registrationId, { tenant, registrationId, nextDueAt });
    }
    return {
      pending: [...pending.values()],
      held: [...held.values()],
      ordered: [...ordered.values()],
    };
  }

  #claimOne(lane: LaneRoom, now: number): LaneClaim {
    const rows = this.#openOf(lane.registrationId);
    const turns = firstOfEachKey(rows);
    const waiting = rows
      .filter((row) => isClaimable(row, turns))
      .toSorted((a, b) => a.dueAt - b.dueAt);
    const due = waiting.filter((row) => row.dueAt <= now).slice(0, lane.room);
    const rest = waiting[due.length];
    return { deliveries: this.#lease(due), nextDueAt: rest?.dueAt ?? null };
  }

  #lease(rows: readonly MemoryRow[]): Delivery[] {
    return rows.map((row) => {
      row.leased = true;
      row.claimedAt = this.#calls;
      const { delivery, attempts, step, orderKeys } = row;
      return { ...delivery, attempts, step, ordered: orderKeys !== null };
    });
  }

  #openOf(registrationId: string): MemoryRow[] {
    const open = (this.#open.get(registrationId) ?? []).filter(isOpen);
    this.#open.set(registrationId, open);
    return open;
  }
}

function isOpen({ state }: MemoryRow): boolean {
  return state === 'pending' || state === 'held';
}

function isClaimable(row: MemoryRow, turns: ReadonlyMap<string, MemoryRow>): boolean {
  return row.state === 'pending' && !row.leased && isFirst(row, turns);
}

/** Rows are in order of acceptance. */
function firstOfEachKey(rows: readonly MemoryRow[]): ReadonlyMap<string, MemoryRow> {
  const first = new Map<string, MemoryRow>();
  for (const row of rows) {
    for (const key of row.orderKeys ?? []) if (!first.has(key)) first.set(key, row);
  }
  return first;
}

function isFirst(row: MemoryRow, turns: ReadonlyMap<string, MemoryRow>): boolean {
  return row.orderKeys?.every((key) => turns.get(key) === row) ?? true;
}
