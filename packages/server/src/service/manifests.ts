import type { Clock } from '../core/clock.ts';
import type { Id } from '../core/id.ts';
import {
  dayOf,
  MANIFEST,
  type Manifest,
  ManifestSum,
  startOfDay,
  toldIn,
} from '../core/manifest.ts';
import { ownIdempotencyKey } from '../core/publication.ts';
import { type Registration, registrationKey } from '../core/registration.ts';
import { shardOf } from '../core/shard.ts';
import { manifestOf, notificationText } from '../core/warning.ts';
import type { AcceptAnswer, AcceptRequest } from '../engine/acceptor.ts';
import type { FeedRow, Store } from '../store/port.ts';
import type { Indexer } from './indexer.ts';
import type { Registrations, Tenants } from './library.ts';

export type ManifestsOptions = {
  readonly store: Pick<Store, 'feed' | 'events'>;
  readonly tenants: Pick<Tenants, 'list'>;
  readonly registrations: Pick<Registrations, 'list'>;
  /** The shards that this node sends for. */
  readonly shards: () => readonly number[];
  readonly accept: (request: AcceptRequest) => Promise<AcceptAnswer>;
  /** Notes what was accepted, and so what was told. */
  readonly index: Pick<Indexer, 'caughtUp' | 'poke'>;
  readonly clock: Clock;
  readonly onError: (error: unknown) => void;
};

const LOOKS_EVERY_MS = 10 * 60_000;
/** After midnight, so that what was accepted just before it is on disk, by every node's clock. */
const DAY_ENDS_AFTER_MS = 5 * 60_000;
/** A day that ended longer ago than this is told of no more. */
const MADE_UP_FOR_DAYS = 31;
/** Rows read at a time, because they can be large. */
const STEP = 32;
/** Manifests read at a time. */
const TOLD_STEP = 200;

/**
 * Sends each registration that asks for it manifests of the days since the last one that it was told
 * of, in their order; where it was told of none lately, of the last day on which it was sent anything.
 * Nothing is kept about manifests: what was told is in the log as events of their own, and when days
 * began and ended is read from the numbers. A day of nothing but manifests has none. The idempotency
 * key keeps two nodes from telling the same.
 */
export class Manifests {
  readonly #options: ManifestsOptions;
  readonly #abort = new AbortController();
  /** Registrations that have been seen to, and for which day. */
  readonly #done = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;

  constructor(options: ManifestsOptions) {
    this.#options = options;
  }

  /** Begins at once: midnight may have passed while nothing ran. */
  start(): void {
    void this.look();
    this.#timer = setInterval(() => void this.look(), LOOKS_EVERY_MS);
    this.#timer.unref();
  }

  /** Resolves when none is being made any more. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#abort.abort();
    await this.#looking;
  }

  /** Resolves when all registrations have been seen to. */
  look(): Promise<void> {
    this.#looking ??= this.#lookOnce().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #lookOnce(): Promise<void> {
    const { clock, onError } = this.#options;
    const today = dayOf(clock.now() - DAY_ENDS_AFTER_MS);
    const asking = new Set<string>();
    const told = new Map<string, Told>();
    for (const registration of this.#asking()) {
      if (this.#abort.signal.aborted) return;
      const key = registrationKey(registration);
      asking.add(key);
      if (this.#done.get(key) === today) continue;
      const { tenant } = registration;
      try {
        const days = told.get(tenant) ?? (await this.#told(tenant, today));
        told.set(tenant, days);
        await this.#tellDays(registration, days.get(registration.id), today);
        this.#done.set(key, today);
      } catch (error) {
        onError(error);
      }
    }
    for (const key of this.#done.keys()) if (!asking.has(key)) this.#done.delete(key);
  }

  /** Those of this node, so that one does it; where two think so, the key makes it one event. */
  *#asking(): Generator<Registration> {
    const { tenants, registrations, shards } = this.#options;
    const owned = new Set(shards());
    for (const { id: tenant } of tenants.list())
      for (const registration of registrations.list(tenant))
        if (asksForManifests(registration) && owned.has(shardOf(registration))) yield registration;
  }

  /** The last day that each registration of the tenant was told of, as far as it can be made up for. */
  async #told(tenant: string, today: number): Promise<Told> {
    const { store, index } = this.#options;
    await index.caughtUp();
    const days = new Map<Id, number>();
    const from = startOfDay(today - MADE_UP_FOR_DAYS);
    const query = { tenant, action: MANIFEST, from, limit: TOLD_STEP };
    for (let below: { readonly before?: Id } = {}; ;) {
      const page = await store.events({ ...query, ...below });
      for (const text of page.flatMap(({ notifications }) => notifications)) {
        const told = toldIn(text);
        if (told !== undefined) days.set(told.id, Math.max(told.day, days.get(told.id) ?? 0));
      }
      const last = page.at(-1);
      if (last === undefined || page.length < TOLD_STEP) return days;
      below = { before: last.id };
    }
  }

  async #tellDays(
    registration: Registration,
    told: number | undefined,
    today: number,
  ): Promise<void> {
    const first = told === undefined ? await this.#lastDayBefore(registration, today) : told + 1;
    if (first === undefined) return;
    for (let day = Math.max(first, today - MADE_UP_FOR_DAYS); day < today;) {
      const before = await this.#lastBefore(registration, startOfDay(day));
      const row = await this.#firstFrom(registration, before + 1);
      if (row === undefined || this.#abort.signal.aborted) return;
      const next = dayOf(row.createdAt);
      if (next === day) await this.#tellDay(registration, before, day);
      day = Math.max(day + 1, next);
    }
  }

  async #lastDayBefore(registration: Registration, today: number): Promise<number | undefined> {
    const last = await this.#lastBefore(registration, startOfDay(today));
    const row = await this.#firstFrom(registration, last);
    const day = row === undefined ? today : dayOf(row.createdAt);
    return day >= today - MADE_UP_FOR_DAYS ? day : undefined;
  }

  async #tellDay(registration: Registration, before: number, day: number): Promise<void> {
    const { accept, index, clock } = this.#options;
    const manifest = await this.#manifest(registration, before, day);
    if (manifest === undefined || this.#abort.signal.aborted) return;
    const { tenant, id } = registration;
    const now = clock.now();
    const text = notificationText(manifestOf(registration, manifest), now);
    const key = ownIdempotencyKey(`${MANIFEST} ${id} ${manifest.day}`);
    const answer = await accept({
      events: [
        {
          tenants: [tenant],
          notifications: [{ text, action: MANIFEST }],
          occurredAt: now,
          isExempt: true,
          only: id,
        },
      ],
      idempotency: { tenant, key, hash: key },
    });
    if (answer.kind === 'accepted' && !answer.isRepeated) index.poke();
  }

  /** Of what has higher numbers than `before`; undefined where there is nothing to tell of the day. */
  async #manifest(
    registration: Registration,
    before: number,
    day: number,
  ): Promise<Manifest | undefined> {
    const last = await this.#lastBefore(registration, startOfDay(day + 1));
    const sum = new ManifestSum();
    let isWorthIt = false;
    for await (const { sequence, id, actions } of this.#rows(registration, before)) {
      if (sequence > last || this.#abort.signal.aborted) break;
      sum.add(sequence, id);
      isWorthIt ||= actions.some((action) => action !== MANIFEST);
    }
    return isWorthIt ? sum.of(day) : undefined;
  }

  /**
   * The highest number that was given before this time; 0 where none was. It is looked for by halves
   * that are the same however many numbers follow, so that two days agree about where they meet.
   */
  async #lastBefore(registration: Registration, time: number): Promise<number> {
    const isBefore = async (sequence: number): Promise<boolean> => {
      const row = await this.#firstFrom(registration, sequence);
      return row !== undefined && row.createdAt < time;
    };
    let step = 1;
    while (await isBefore(step)) step *= 2;
    let last = 0;
    for (; step >= 1; step /= 2) if (await isBefore(last + step)) last += step;
    return last;
  }

  /** The first that is kept of this number and those after it. */
  async #firstFrom(
    { tenant, id: registrationId }: Registration,
    sequence: number,
  ): Promise<FeedRow | undefined> {
    const after = Math.max(0, sequence - 1);
    const [row] = await this.#options.store.feed({ tenant, registrationId, after, limit: 1 });
    return row;
  }

  async *#rows(
    { tenant, id: registrationId }: Registration,
    before: number,
  ): AsyncGenerator<FeedRow> {
    for (let after = before; ;) {
      const rows = await this.#options.store.feed({ tenant, registrationId, after, limit: STEP });
      yield* rows;
      const last = rows.at(-1);
      if (last === undefined || rows.length < STEP) return;
      after = last.sequence;
    }
  }
}

type Told = ReadonlyMap<Id, number>;

function asksForManifests({ filters }: Registration): boolean {
  return filters.some((name) => name.toLowerCase() === MANIFEST.toLowerCase());
}
