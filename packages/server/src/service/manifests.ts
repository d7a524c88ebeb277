import type { Clock } from '../core/clock.ts';
import { dayOf, MANIFEST, type Manifest, ManifestSum, startOfDay } from '../core/manifest.ts';
import { type Registration, registrationKey } from '../core/registration.ts';
import { shardOf } from '../core/shard.ts';
import { manifestOf, notificationText } from '../core/warning.ts';
import type { AcceptAnswer, AcceptRequest } from '../engine/acceptor.ts';
import type { FeedRow, Store } from '../store/port.ts';
import type { Registrations, Tenants } from './library.ts';

export type ManifestsOptions = {
  readonly store: Pick<Store, 'feed'>;
  readonly tenants: Pick<Tenants, 'list'>;
  readonly registrations: Pick<Registrations, 'list'>;
  /** The shards that this node sends for. */
  readonly shards: () => readonly number[];
  readonly accept: (request: AcceptRequest) => Promise<AcceptAnswer>;
  /** Has what was accepted noted in the index. */
  readonly poke: () => void;
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

/**
 * Sends each registration that asks for it a manifest of the last day on which it was sent anything.
 * That day is read from the numbers themselves, so that nothing is kept about manifests: one that was
 * sent is a numbered delivery of a later day, and a day of nothing but manifests has none. Until that
 * day is over, its idempotency key keeps it from being sent twice.
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
    this.look();
    this.#timer = setInterval(() => this.look(), LOOKS_EVERY_MS);
    this.#timer.unref();
  }

  /** Resolves when none is being made any more. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#abort.abort();
    await this.#looking;
  }

  look(): void {
    this.#looking ??= this.#lookOnce().finally(() => {
      this.#looking = undefined;
    });
  }

  async #lookOnce(): Promise<void> {
    const { clock, onError } = this.#options;
    const today = dayOf(clock.now() - DAY_ENDS_AFTER_MS);
    const asking = new Set<string>();
    for (const registration of this.#asking()) {
      if (this.#abort.signal.aborted) return;
      const key = registrationKey(registration);
      asking.add(key);
      if (this.#done.get(key) === today) continue;
      try {
        await this.#tell(registration, today);
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

  async #tell(registration: Registration, today: number): Promise<void> {
    const { accept, poke, clock } = this.#options;
    const manifest = await this.#manifest(registration, today);
    if (manifest === undefined || this.#abort.signal.aborted) return;
    const { tenant, id } = registration;
    const now = clock.now();
    const text = notificationText(manifestOf(registration, manifest), now);
    const key = `${MANIFEST} ${id} ${manifest.day}`;
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
    if (answer.kind === 'accepted' && !answer.isRepeated) poke();
  }

  /** Of the last day before today that has numbers; undefined where there is nothing to tell. */
  async #manifest(registration: Registration, today: number): Promise<Manifest | undefined> {
    const newest = await this.#firstFrom(
      registration,
      await this.#lastBefore(registration, startOfDay(today)),
    );
    if (newest === undefined) return undefined;
    const day = dayOf(newest.createdAt);
    if (day >= today || day < today - MADE_UP_FOR_DAYS) return undefined;
    const before = await this.#lastBefore(registration, startOfDay(day));
    const sum = new ManifestSum();
    let isWorthIt = false;
    for await (const { sequence, id, actions } of this.#rows(registration, before)) {
      if (sequence > newest.sequence || this.#abort.signal.aborted) break;
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

function asksForManifests({ filters }: Registration): boolean {
  return filters.some((name) => name.toLowerCase() === MANIFEST.toLowerCase());
}
