import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import type { Concern } from '../core/concern.ts';
import { type Registration, registrationKey } from '../core/registration.ts';
import { shardOf } from '../core/shard.ts';
import { testRegistration } from '../core/testing/registration.ts';
import type { StreakChange, StreakOf } from '../store/port.ts';
import { Streaks } from './streaks.ts';
import { Watch } from './watch.ts';

const HOUR = 3_600_000;
const START = Date.UTC(2026, 10, 20, 8);

const REGISTRATION = testRegistration();
const KEY = registrationKey(REGISTRATION);

/** The table of streaks, and how often it was written. */
class Table {
  readonly rows = new Map<string, StreakOf>();
  writes = 0;
  isBroken = false;

  readonly streaks = (shards: readonly number[]): Promise<readonly StreakOf[]> =>
    Promise.resolve([...this.rows.values()].filter((row) => shards.includes(shardOf(row))));

  readonly putStreaks = (changes: readonly StreakChange[]): Promise<void> => {
    if (this.isBroken) return Promise.reject(new Error('disk full'));
    this.writes += 1;
    for (const { streak, ...ref } of changes) {
      if (streak === null) this.rows.delete(registrationKey(ref));
      else this.rows.set(registrationKey(ref), { ...ref, streak });
    }
    return Promise.resolve();
  };
}

/** An endpoint of one registration, an engine's watch over it, and a clock that a test sets. */
class Scene {
  readonly told: string[] = [];
  readonly off: string[] = [];
  readonly clock = { time: START, now: () => this.clock.time };
  readonly table: Table;
  registration: Registration = REGISTRATION;
  streaks: Streaks;
  canSwitchOff = true;
  #watch: Watch;

  constructor(table: Table = new Table(), rule: 'never' | 'after 5 days' = 'after 5 days') {
    this.table = table;
    this.streaks = new Streaks(table, this.clock);
    this.#watch = new Watch({
      streaks: this.streaks,
      clock: this.clock,
      rule: rule === 'never' ? null : { afterMs: 120 * HOUR, failures: 20 },
      switchOff: (registration, reason) => this.#switchOff(registration, reason),
      onConcern: (concern) => this.told.push(lineOf(concern)),
    });
  }

  async fail(hours: number): Promise<void> {
    for (let hour = 0; hour < hours; hour += 1) {
      this.clock.time += HOUR;
      await this.#watch.take(this.registration, KEY, 'retry');
    }
  }

  async answer(verdict: 'delivered' | 'gone'): Promise<void> {
    await this.#watch.take(this.registration, KEY, verdict);
  }

  /** As a PUT by its holder does it. */
  change(): void {
    this.clock.time += HOUR;
    this.registration = { ...REGISTRATION, updatedAt: this.clock.time };
  }

  #switchOff(registration: Registration, reason: string): Promise<boolean> {
    if (!this.canSwitchOff || this.registration.switchedOff !== null) return Promise.resolve(false);
    this.off.push(reason);
    this.registration = { ...registration, switchedOff: { at: this.clock.time, reason } };
    return Promise.resolve(true);
  }
}

function lineOf(concern: Concern): string {
  switch (concern.kind) {
    case 'failing': {
      const left = (concern.switchedOffAt - concern.at) / HOUR;
      return `failing ${concern.percent} %, ${concern.failures} failures, ${left} h left`;
    }
    case 'switched-off':
      return `switched off, ${concern.failures} failures`;
    case 'exhausted':
      return 'exhausted';
    case 'gone':
      return 'gone';
    case 'recovered':
      return concern.wasOff ? 'back, was off' : 'back';
  }
}

test('an endpoint that fails for five days is told of on the way and switched off, once', async () => {
  const scene = new Scene();
  await scene.fail(150);
  assert.deepEqual(scene.told, [
    'failing 50 %, 61 failures, 60 h left',
    'failing 70 %, 85 failures, 36 h left',
    'failing 90 %, 109 failures, 12 h left',
    'switched off, 121 failures',
  ]);
  assert.deepEqual(scene.off, ['endpoint failed 121 times in a row since 2026-11-20 09:00 UTC']);
});

test('one success begins again, and is told where others were told of failures', async () => {
  const scene = new Scene();
  await scene.fail(59);
  await scene.answer('delivered');
  assert.deepEqual(scene.told, []);
  await scene.fail(62);
  await scene.answer('delivered');
  await scene.answer('delivered');
  assert.deepEqual(scene.told, ['failing 50 %, 61 failures, 60 h left', 'back']);
  await scene.fail(60);
  assert.equal(scene.told.length, 2);
});

test('an endpoint that answers 410 is switched off at once, and is told to be back when it is', async () => {
  const scene = new Scene();
  await scene.fail(1);
  await Promise.all([scene.answer('gone'), scene.answer('gone')]);
  assert.deepEqual(scene.off, ['endpoint answered 410 Gone']);
  // Another one was in flight.
  await scene.answer('delivered');
  assert.deepEqual(scene.told, ['gone']);
  scene.change();
  await scene.fail(2);
  await scene.answer('delivered');
  assert.deepEqual(scene.told, ['gone', 'back, was off']);
});

test('what its holder changes counts anew, and so does what is switched on again', async () => {
  const scene = new Scene();
  await scene.fail(119);
  scene.change();
  await scene.fail(120);
  assert.deepEqual(scene.off, []);
  await scene.fail(1);
  assert.equal(scene.off.length, 1);
  scene.change();
  await scene.fail(60);
  assert.equal(scene.off.length, 1);
  await scene.answer('delivered');
  assert.equal(scene.told.at(-1), 'back, was off');
});

test('while it is paused nothing is told; where the rule is never, nothing at all', async () => {
  const paused = new Scene();
  paused.registration = { ...REGISTRATION, isPaused: true };
  await paused.fail(200);
  const never = new Scene(new Table(), 'never');
  await never.fail(200);
  await never.streaks.stop();
  assert.deepEqual([paused.told, paused.off, never.told, never.off], [[], [], [], []]);
  assert.equal(never.table.writes, 0);
});

test('what cannot be switched off now is switched off at the next failure', async () => {
  const scene = new Scene();
  scene.canSwitchOff = false;
  await scene.fail(125);
  assert.deepEqual(scene.off, []);
  scene.canSwitchOff = true;
  await scene.fail(1);
  assert.deepEqual(scene.off, ['endpoint failed 126 times in a row since 2026-11-20 09:00 UTC']);
});

test('streaks are written once a minute, not once a failure, and the next run goes on with them', async () => {
  mock.timers.enable({ apis: ['setInterval'] });
  try {
    const scene = new Scene();
    scene.streaks.start();
    await scene.fail(100);
    assert.equal(scene.table.writes, 0);
    mock.timers.tick(60_000);
    assert.equal(scene.table.writes, 1);
    scene.table.isBroken = true;
    await scene.fail(1);
    mock.timers.tick(60_000);
    await new Promise((resolve) => setImmediate(resolve));
    scene.table.isBroken = false;
    await scene.streaks.stop();
    assert.equal(scene.table.writes, 2);

    const next = new Scene(scene.table);
    next.clock.time = scene.clock.time;
    await next.streaks.load([shardOf(REGISTRATION)]);
    await next.fail(19);
    await next.answer('delivered');
    assert.deepEqual(next.told, ['failing 90 %, 109 failures, 12 h left', 'back']);
    await next.streaks.stop();
    assert.equal(scene.table.rows.size, 0);
  } finally {
    mock.timers.reset();
  }
});

test('who gives a shard away writes down what it knows and forgets it; who loses it forgets at once', async () => {
  const scene = new Scene();
  await scene.fail(30);
  await scene.streaks.leave(new Set([(shardOf(REGISTRATION) + 1) % 64]));
  await scene.fail(1);
  await scene.streaks.leave(new Set([shardOf(REGISTRATION)]));
  assert.equal(scene.table.rows.get(KEY)?.streak.failures, 31);
  await scene.fail(1);
  scene.streaks.clear();
  await scene.streaks.stop();
  assert.equal(scene.table.rows.get(KEY)?.streak.failures, 31);
});

test('of a registration that is gone nothing is kept', async () => {
  const scene = new Scene();
  await scene.fail(3);
  scene.streaks.forget(REGISTRATION);
  await scene.streaks.stop();
  assert.equal(scene.table.rows.size, 0);
});
