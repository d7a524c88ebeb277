import { setTimeout as wait } from 'node:timers/promises';
import type { Clock } from '../core/clock.ts';
import { type Id, newId } from '../core/id.ts';
import { type Job, picksFor } from '../core/job.ts';
import { orderKeys } from '../core/ordering.ts';
import { type Registration, registrationKey, type RegistrationRef } from '../core/registration.ts';
import type { Candidate, Candidates, JobDelivery, Store } from '../store/port.ts';
import type { Engine } from './engine.ts';
import type { SubjectsOf } from './matching.ts';

/** Jobs that were made or resumed on another node, or left by one, are found so soon. */
const LOOK_EVERY_MS = 2000;
/** Deliveries made in one transaction at most. */
const MAX_STEP = 100;
/** Events that a backfill matches at a time. */
const EVENTS_LOOKED_AT = 500;
/** While a lane is busy it is looked at ever more seldom. */
const FIRST_WAIT_MS = 20;
const LONGEST_WAIT_MS = 500;
const RETRY_AFTER_FAILURE_MS = 1000;

export type JobRunnerOptions = {
  readonly store: Pick<Store, 'runningJobs' | 'candidates' | 'behind' | 'stepJob' | 'moveJob'>;
  readonly engine: Pick<Engine, 'shards' | 'registration' | 'room' | 'wake' | 'waiting'>;
  /** Learns how registrations are now. */
  readonly refresh: () => Promise<void>;
  readonly clock: Clock;
  readonly subjectsOf: SubjectsOf;
  readonly onError: (error: unknown) => void;
};

/**
 * Does the jobs of the registrations that this node sends for, one of a registration at a time. Each
 * step makes a few deliveries when the lane has little else to do, and writes them together with
 * where the job has come to: whoever goes on, after whatever happened, repeats none and skips none.
 */
export class JobRunner {
  readonly #options: JobRunnerOptions;
  readonly #abort = new AbortController();
  readonly #running = new Map<string, Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #lookAgain = false;

  constructor(options: JobRunnerOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => this.look(), LOOK_EVERY_MS);
    this.#timer.unref();
    this.look();
  }

  /** Resolves when no step is under way. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#abort.abort();
    await this.#looking;
    await Promise.all(this.#running.values());
  }

  /** There may be new jobs. */
  look(): void {
    if (this.#abort.signal.aborted) return;
    if (this.#looking !== undefined) this.#lookAgain = true;
    else this.#looking = this.#lookOnce().finally(() => this.#looked());
  }

  #looked(): void {
    this.#looking = undefined;
    if (!this.#lookAgain) return;
    this.#lookAgain = false;
    this.look();
  }

  async #lookOnce(): Promise<void> {
    const { store, engine, onError } = this.#options;
    const shards = engine.shards();
    if (shards.length === 0) return;
    try {
      for (const job of await store.runningJobs(shards)) this.#begin(job);
    } catch (error) {
      onError(error);
    }
  }

  #begin(job: Job): void {
    const key = registrationKey(ownerOf(job));
    if (this.#running.has(key) || this.#abort.signal.aborted) return;
    const run = this.#run(job).finally(() => {
      this.#running.delete(key);
      this.look();
    });
    this.#running.set(key, run);
  }

  /** Until it is done, changed by others, or another node's. */
  async #run(job: Job): Promise<void> {
    let patience = FIRST_WAIT_MS;
    for (let at: Job | undefined = job; at !== undefined && !this.#abort.signal.aborted;) {
      try {
        const room = await this.#room(at);
        if (room === undefined) return;
        if (room === 0) {
          await this.#wait(patience);
          patience = Math.min(LONGEST_WAIT_MS, 2 * patience);
          continue;
        }
        patience = FIRST_WAIT_MS;
        at = await this.#step(at, room);
      } catch (error) {
        this.#options.onError(error);
        await this.#wait(RETRY_AFTER_FAILURE_MS);
        // It may have been written all the same.
        return;
      }
    }
  }

  /** How many deliveries it may make now; undefined when it is not this node's to do. */
  async #room(job: Job): Promise<number | undefined> {
    const { store, engine } = this.#options;
    const { tenant, registrationId } = job;
    const registration = await this.#registration(job);
    const room = engine.room(ownerOf(job));
    if (room === undefined) return undefined;
    if (registration === undefined) {
      await this.#cancel(job, 'registration deleted');
      return undefined;
    }
    if (room === 0 || registration.ordering === undefined) return room;
    return (await store.behind(tenant, registrationId, room)) < room ? room : 0;
  }

  /** One that was made on another node may not be known here yet. */
  async #registration(job: Job): Promise<Registration | undefined> {
    const { engine, refresh } = this.#options;
    const known = engine.registration(ownerOf(job));
    if (known !== undefined) return known;
    await refresh();
    return engine.registration(ownerOf(job));
  }

  async #cancel({ tenant, id }: Job, reason: string): Promise<void> {
    const { store, clock } = this.#options;
    const from = ['running', 'paused'] as const;
    await store.moveJob({ tenant, id, from, to: 'cancelled', reason, now: clock.now() });
  }

  /** The job as it stands then; undefined when it has ended, or others changed it. */
  async #step(job: Job, room: number): Promise<Job | undefined> {
    const { store, engine, clock } = this.#options;
    const registration = engine.registration(ownerOf(job));
    if (registration === undefined) return job;
    const most = Math.min(room, job.rate, MAX_STEP);
    const isBackfill = job.kind === 'backfill';
    const texts = isBackfill || registration.ordering === 'subject';
    const limit = isBackfill ? EVENTS_LOOKED_AT : most;
    const found = await store.candidates(job, { limit, texts });
    const { deliveries, next } = this.#deliveries(registration, { job, found, most });
    const { tenant, id, registrationId, cursor } = job;
    const step = { tenant, id, registrationId, cursor, next, deliveries, now: clock.now() };
    if (!(await store.stepJob(step))) return undefined;
    if (deliveries.length > 0) {
      engine.waiting.moved(tenant, null, 'pending', deliveries.length);
      engine.wake(ownerOf(job));
    }
    if (next === null) return undefined;
    await this.#wait((deliveries.length * 1000) / job.rate);
    return { ...job, cursor: next };
  }

  /** Of what was found, as many as there is room for; and how far the job has come with them. */
  #deliveries(
    registration: Registration,
    { job, found, most }: { readonly job: Job; readonly found: Candidates; readonly most: number },
  ): { readonly deliveries: readonly JobDelivery[]; readonly next: Id | null } {
    const picksOf = picksFor(job.kind, registration);
    const deliveries: JobDelivery[] = [];
    for (const candidate of found.items) {
      const picks = picksOf(candidate);
      if (picks !== undefined) deliveries.push(this.#delivery(registration, candidate, picks));
      if (deliveries.length === most && candidate !== found.items.at(-1))
        return { deliveries, next: candidate.id };
    }
    return { deliveries, next: found.next };
  }

  #delivery(
    { ordering }: Registration,
    { eventId, replayOf, actions, notifications }: Candidate,
    picks: readonly number[] | null,
  ): JobDelivery {
    const subjects = (): readonly string[] =>
      (picks ?? [...notifications.keys()]).flatMap((index) =>
        this.#options.subjectsOf(actions[index] ?? '', notifications[index] ?? ''),
      );
    const id = newId(this.#options.clock.now());
    return { id, eventId, replayOf, picks, orderKeys: orderKeys(ordering, subjects) };
  }

  async #wait(ms: number): Promise<void> {
    await wait(ms, undefined, { signal: this.#abort.signal }).catch(() => undefined);
  }
}

function ownerOf({ tenant, registrationId: id }: Job): RegistrationRef {
  return { tenant, id };
}
