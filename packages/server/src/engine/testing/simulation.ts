import assert from 'node:assert/strict';
import { mock } from 'node:test';
import { randomFrom } from '../../../../../tools/random.ts';
import { type Id, newId } from '../../core/id.ts';
import { ORDERINGS } from '../../core/ordering.ts';
import type { Registration } from '../../core/registration.ts';
import { directSender } from '../../sending/direct.ts';
import type { Store } from '../../store/port.ts';
import { Engine } from '../engine.ts';
import { FakeNetwork, type Flight, status } from './fake-network.ts';
import { type MemoryRow, MemoryStore } from './memory-store.ts';

const MAX_IN_FLIGHT = 6;
const LANE_CONCURRENCY = 3;
const SCHEDULE = [0, 0, 1000, 5000, 20_000];
/** Answers that others may get while a lane that could send gets no turn: a few times round. */
const FAIR_WITHIN = 60;

/** One run: publishes, answers, pauses, deletes, crashes and lets time pass, as chance has it. */
export class Simulation {
  readonly #random: () => number;
  readonly #registrations = new Map<string, Registration>();
  readonly #store: MemoryStore;
  readonly #broken = new Set<string>();
  readonly #mayCrash: boolean;
  #network: FakeNetwork;
  #engine: Engine;
  #killStore: () => void = () => undefined;
  #now = 1_790_000_000_000;
  #crashes = 0;
  #made = 0;
  readonly #deliveredBefore = new Map<Id, number>();
  readonly #goners: {
    readonly registration: Registration;
    readonly resolve: (isOff: boolean) => void;
  }[] = [];
  /** The step of the schedule at which a delivery's last attempt was made, where that was a probe. */
  readonly #probedAt = new Map<Id, number>();
  /** Deliveries that a person retried: they may arrive again. */
  readonly #retried = new Set<Id>();
  /** Answers given since a lane that could send was first seen without a turn. */
  readonly #waited = new Map<string, number>();

  constructor(seed: number, mayCrash: boolean) {
    this.#random = randomFrom(seed);
    this.#mayCrash = mayCrash;
    this.#store = new MemoryStore(async () => {
      for (let n = Math.floor(this.#random() * 3); n > 0; n -= 1) await Promise.resolve();
    });
    this.#network = this.#newNetwork();
    this.#engine = this.#newEngine();
  }

  /** Throws when anything happens that must not. */
  async run(steps: number): Promise<void> {
    await this.#engine.start([]);
    for (let n = 0; n < 6; n += 1) this.#register(n);
    for (let step = 0; step < steps; step += 1) {
      await this.#step();
      this.#check();
    }
    await this.#calmDown();
    this.#checkEnd();
  }

  #newNetwork(): FakeNetwork {
    return new FakeNetwork((flight) => this.#onSend(flight));
  }

  #newEngine(): Engine {
    const session = this.#store.session();
    this.#killStore = session.end;
    const clock = { now: () => this.#now };
    return new Engine({
      node: { name: 'simulated', version: '0' },
      configuration: { version: () => 0, refresh: () => Promise.resolve() },
      store: session.store as unknown as Store,
      sender: directSender({ egress: this.#network, clock }),
      clock,
      random: this.#random,
      schedule: SCHEDULE,
      maxPending: () => Infinity,
      maxInFlight: MAX_IN_FLIGHT,
      laneConcurrency: LANE_CONCURRENCY,
      windowBytes: 20_000,
      subjectsOf: (_action, text) => (JSON.parse(text) as { Users: string[] }).Users,
      tally: { published: nothing, matched: nothing, settled: nothing },
      onAttempt: () => undefined,
      switchOffRule: { afterMs: 60_000, failures: 20 },
      switchOff: (registration) =>
        new Promise((resolve) => this.#goners.push({ registration, resolve })),
      onConcern: () => undefined,
    });
  }

  async #step(): Promise<void> {
    const dice = this.#random();
    if (dice < 0.35)
      void this.#engine
        .accept({ events: [this.#event()], idempotency: null })
        .catch(() => undefined);
    else if (dice < 0.39) this.#acceptElsewhere();
    else if (dice < 0.75) this.#answer();
    else if (dice < 0.9) await this.#pass(Math.floor(this.#random() * 3000));
    else if (dice < 0.93) this.#pauseOrResume();
    else if (dice < 0.94) this.#reorder();
    else if (dice < 0.96) this.#breakOrMend();
    else if (dice < 0.97) await this.#deleteOne();
    else if (dice < 0.98) this.#register(Math.floor(this.#random() * 12));
    else if (dice < 0.983 && this.#mayCrash) await this.#crash();
    else if (dice > 0.99) await this.#byHand();
    this.#switchOffGoners();
    await this.#settleDown();
  }

  /** Another node commits some deliveries and names them to this one, which may not hear of it before its next look. */
  #acceptElsewhere(): void {
    const registration = this.#pick();
    if (registration === undefined || registration.ordering !== undefined) return;
    const { tenant, id } = registration;
    const state = isSilent(registration) ? 'held' : 'pending';
    const names = Array.from({ length: Math.ceil(this.#random() * 4) }, () => newId(this.#now));
    const deliveries = names.map((each) => {
      const plain = { leased: false, picks: null, orderKeys: null };
      return { id: each, registrationId: id, state, ...plain } as const;
    });
    const times = { acceptedAt: this.#now, occurredAt: null };
    const payload = JSON.stringify({ Action: 'A', Users: [] });
    const event = { id: newId(this.#now), tenant, ...times, payload, actions: ['A'], deliveries };
    const accepted = this.#store.accept([{ events: [event], idempotency: null }]);
    if (this.#random() < 0.9)
      void accepted.then(() =>
        this.#store.heard?.arrived([{ tenant, id, count: names.length, names }], 0),
      );
  }

  #event() {
    const actions = ['A', 'B'].filter(() => this.#random() < 0.6);
    const names = actions.length === 0 ? ['A'] : actions;
    const notifications = names.map((action) => ({
      action,
      text: JSON.stringify({ Action: action, Users: this.#subjects() }),
    }));
    const tenants = [this.#random() < 0.5 ? 'one' : 'two'];
    return { tenants, notifications, occurredAt: null, isExempt: false };
  }

  /** None, one or several of five learners. */
  #subjects(): string[] {
    return ['a', 'b', 'c', 'd', 'e'].filter(() => this.#random() < 0.3);
  }

  #answer(): void {
    const index = Math.floor(this.#random() * this.#network.flights.length);
    const flight = this.#network.flights[index];
    if (flight === undefined) return;
    for (const [pool, answers] of this.#waited) this.#waited.set(pool, answers + 1);
    const isBroken = this.#broken.has(flight.pool);
    const dice = this.#random();
    if (isBroken)
      this.#network.answer(
        index,
        dice < 0.5 ? status(500) : { kind: 'timeout', phase: 'response', afterMs: 1 },
      );
    else if (dice < 0.9) this.#network.answer(index, status(200));
    else if (dice < 0.995) this.#network.answer(index, status(dice < 0.95 ? 503 : 404));
    else this.#network.answer(index, status(410));
  }

  /** Whatever is sent must be at its place in the order, and a probe must have cost nothing. */
  #onSend({ id, isProbe }: Flight): void {
    const row = this.#store.rows.get(id);
    if (row === undefined) return void this.#network.violations.push(`${id} was never accepted`);
    const older = this.#store.before(row);
    // What a person retried calls back nothing that is in a lane already.
    if (older !== undefined && older.retriedAt <= row.claimedAt)
      this.#network.violations.push(`${id} overtakes ${older.delivery.id}`);
    const step = this.#probedAt.get(id);
    if (step !== undefined && row.step !== step && row.retriedAt === 0)
      this.#network.violations.push(`a probe of ${id} used a step of the schedule`);
    if (isProbe) this.#probedAt.set(id, row.step);
    else this.#probedAt.delete(id);
  }

  #register(n: number): void {
    this.#made += 1;
    const id = `r${this.#made}`;
    const tenant = n % 2 === 0 ? 'one' : 'two';
    if (this.#registrations.size > 12) return;
    const ordering = ORDERINGS[n % 4];
    const registration: Registration = {
      id,
      tenant,
      webHookUri: 'http://receiver.example/',
      secret: 's',
      description: null,
      isPaused: false,
      filters: [n % 3 === 0 ? '*' : 'A'],
      headers: [],
      properties: '{}',
      createdAt: this.#now,
      updatedAt: this.#now,
      secretId: '#1',
      secretChangedAt: null,
      oldSecrets: [],
      conditions: null,
      switchedOff: null,
      ...(ordering === undefined ? {} : { ordering }),
    };
    this.#network.silent.delete(keyOf(registration));
    this.#registrations.set(id, registration);
    this.#engine.onRegistration({ kind: 'added', registration });
  }

  #pauseOrResume(): void {
    const registration = this.#pick();
    if (registration === undefined) return;
    this.#change({ ...registration, isPaused: !registration.isPaused, switchedOff: null });
  }

  #reorder(): void {
    const registration = this.#pick();
    if (registration === undefined) return;
    const { ordering: _, ...rest } = registration;
    const wanted = ORDERINGS[Math.floor(this.#random() * 3)];
    this.#change(wanted === undefined ? rest : { ...rest, ordering: wanted });
  }

  #change(registration: Registration): void {
    this.#registrations.set(registration.id, registration);
    this.#engine.onRegistration({ kind: 'changed', registration });
    const key = keyOf(registration);
    if (isSilent(registration)) this.#network.silent.add(key);
    else this.#network.silent.delete(key);
  }

  #switchOffGoners(): void {
    for (const { registration, resolve } of this.#goners.splice(0)) {
      const current = this.#registrations.get(registration.id);
      if (current !== undefined)
        this.#change({ ...current, switchedOff: { at: this.#now, reason: 'gone' } });
      resolve(current !== undefined);
    }
  }

  #breakOrMend(): void {
    const registration = this.#pick();
    if (registration === undefined) return;
    const key = keyOf(registration);
    if (!this.#broken.delete(key)) this.#broken.add(key);
  }

  async #deleteOne(): Promise<void> {
    const registration = this.#pick();
    if (registration === undefined) return;
    this.#registrations.delete(registration.id);
    this.#engine.onRegistration({ kind: 'removed', registration });
    await this.#settleDown();
    this.#engine.align(registration);
    this.#network.silent.add(keyOf(registration));
  }

  /** A person retries or cancels a delivery, as the service does it. */
  async #byHand(): Promise<void> {
    const rows = [...this.#store.rows.values()].slice(-200);
    const row = rows[Math.floor(this.#random() * rows.length)];
    if (row === undefined) return;
    const { id, registrationId } = row.delivery;
    const registration = this.#registrations.get(registrationId);
    if (registration === undefined || isSilent(registration) || this.#engine.isSending(id)) return;
    this.#engine.drop(registration, id);
    if (this.#random() < 0.5) await this.#store.cancel(id);
    else {
      this.#retried.add(id);
      await this.#store.retry(id, this.#now);
    }
    this.#engine.wake(registration);
  }

  /** The process dies: answers on their way are lost, and a new one begins on the same store. */
  async #crash(): Promise<void> {
    this.#crashes += 1;
    await this.#settleDown();
    for (const [id, count] of this.#network.delivered)
      this.#deliveredBefore.set(id, (this.#deliveredBefore.get(id) ?? 0) + count);
    const { silent } = this.#network;
    const dead = this.#engine;
    this.#killStore();
    this.#network = this.#newNetwork();
    this.#probedAt.clear();
    this.#waited.clear();
    for (const key of silent) this.#network.silent.add(key);
    void dead.stop();
    this.#engine = this.#newEngine();
    await this.#engine.start([...this.#registrations.values()]);
  }

  /** Every ten seconds or so a node looks for what it may not have heard of. */
  async #pass(ms: number): Promise<void> {
    this.#now += ms;
    mock.timers.tick(ms);
    if (this.#random() < ms / 10_000) this.#store.heard?.look();
    await this.#settleDown();
  }

  /** Lets everything run that waits for nothing but its turn. */
  async #settleDown(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
  }

  #pick(): Registration | undefined {
    const all = [...this.#registrations.values()];
    return all[Math.floor(this.#random() * all.length)];
  }

  #check(): void {
    const { flights, violations } = this.#network;
    assert.deepEqual(violations, []);
    assert.ok(flights.length <= MAX_IN_FLIGHT, 'too many in flight');
    for (const [pool, own] of Map.groupBy(flights, (flight) => flight.pool))
      assert.ok(own.length <= LANE_CONCURRENCY, `${pool} has too many in flight`);
    this.#checkFairness();
  }

  /** Lanes that could send and have nothing in flight get a turn before others had many. */
  #checkFairness(): void {
    const claimable = new Set(
      [...this.#registrations.values()].filter((one) => this.#couldGo(one)).map(keyOf),
    );
    for (const pool of this.#waited.keys()) if (!claimable.has(pool)) this.#waited.delete(pool);
    for (const pool of claimable) {
      const answers = this.#waited.get(pool) ?? 0;
      assert.ok(answers <= FAIR_WITHIN, `${pool} waits while ${answers} others are answered`);
      this.#waited.set(pool, answers);
    }
  }

  #couldGo(registration: Registration): boolean {
    const pool = keyOf(registration);
    if (isSilent(registration) || this.#network.isBreakerOpen(pool)) return false;
    if (this.#network.inFlightTo(pool) > 0) return false;
    return this.#store.isDue(registration.id, this.#now);
  }

  /** Everything mends and time goes by: whatever can end must end. */
  async #calmDown(): Promise<void> {
    this.#broken.clear();
    this.#switchOffGoners();
    for (const registration of this.#registrations.values())
      this.#change({ ...registration, isPaused: false, switchedOff: null });
    for (let round = 0; round < 3000; round += 1) {
      while (this.#network.flights.length > 0) this.#network.answer(0, status(200));
      await this.#pass(1000);
      assert.deepEqual(this.#network.violations, []);
      if (this.#unfinished().length === 0 && this.#network.flights.length === 0) return;
    }
  }

  #unfinished(): MemoryRow[] {
    return [...this.#store.rows.values()].filter(
      ({ state }) => state === 'pending' || state === 'held',
    );
  }

  #checkEnd(): void {
    assert.deepEqual(
      this.#unfinished().map(({ delivery, state, leased, dueAt }) => ({
        id: delivery.id,
        to: delivery.registrationId,
        state,
        leased,
        dueIn: dueAt - this.#now,
      })),
      [],
      'left behind',
    );
    for (const [id, row] of this.#store.rows) {
      const times = (this.#network.delivered.get(id) ?? 0) + (this.#deliveredBefore.get(id) ?? 0);
      if (row.state === 'delivered') assert.ok(times >= 1, `${id} is said to be delivered`);
      if (this.#crashes === 0 && !this.#retried.has(id))
        assert.ok(times <= 1, `${id} was delivered ${times} times`);
      assert.ok(
        row.state !== 'exhausted' || !this.#probedAt.has(id),
        `${id} is exhausted by a probe`,
      );
    }
  }
}

function keyOf({ tenant, id }: { readonly tenant: string; readonly id: string }): string {
  return `${tenant}/${id}`;
}

function isSilent({ isPaused, switchedOff }: Registration): boolean {
  return isPaused || switchedOff !== null;
}

function nothing(): void {}
