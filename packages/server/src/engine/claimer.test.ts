import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import type { Delivery } from '../core/delivery.ts';
import { testRegistration } from '../core/testing/registration.ts';
import type { Arrival, LaneRoom } from '../store/port.ts';
import { Claimer } from './claimer.ts';
import { Lane } from './lane.ts';
import { MemoryStore } from './testing/memory-store.ts';
import { Window } from './window.ts';

const NOW = 1_790_000_000_000;

function named(...names: string[]): { readonly count: number; readonly names: readonly string[] } {
  return { count: names.length, names };
}

/** A lane, and a store that another node accepts into; which calls it got, and what they brought. */
async function scene(most = 64) {
  const store = new MemoryStore(() => Promise.resolve());
  const registration = testRegistration({});
  const { tenant, id: registrationId } = registration;
  const lane = new Lane(registration, most);
  const window = new Window(64 * 1024 * 1024);
  const calls: string[] = [];
  const claimed: string[] = [];
  const failures: Error[] = [];
  const clock = { now: NOW };
  const claimer = new Claimer({
    store: {
      claim: (lanes: readonly LaneRoom[], now: number) => {
        calls.push('claim');
        const failure = failures.pop();
        return failure === undefined ? store.claim(lanes, now) : Promise.reject(failure);
      },
      claimArrived: (arrivals: readonly Arrival[]) => {
        calls.push('claim arrived');
        const failure = failures.pop();
        return failure === undefined ? store.claimArrived(arrivals) : Promise.reject(failure);
      },
    },
    now: () => clock.now,
    window,
    onClaimed: (to, deliveries) => {
      for (const delivery of deliveries) window.enqueue(to, delivery);
      claimed.push(...deliveries.map(({ id }: Delivery) => id));
    },
    onWake: (to) => claimer.consider(to),
  });
  const acceptElsewhere = async (...ids: string[]): Promise<void> => {
    const plain = { state: 'pending', leased: false, picks: null, orderKeys: null } as const;
    const deliveries = ids.map((id) => ({ id, registrationId, ...plain }));
    const times = { acceptedAt: NOW, occurredAt: null };
    const event = { id: 'e', tenant, ...times, payload: '{}', actions: ['A'], deliveries };
    await store.accept([{ events: [event], idempotency: null }]);
  };
  const quiet = async (): Promise<void> => {
    for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  };
  return { lane, claimer, calls, claimed, failures, clock, acceptElsewhere, quiet };
}

test('what others accept is claimed by its name, and nothing is looked through for it', async () => {
  const { lane, claimer, calls, claimed, acceptElsewhere, quiet } = await scene();
  await acceptElsewhere('1', '2');
  claimer.arrive(lane, named('1'));
  claimer.arrive(lane, named('2'));
  await quiet();
  assert.deepEqual([calls, claimed, lane.reserved], [['claim arrived'], ['1', '2'], 0]);
});

test('it waits its turn behind what is older', async () => {
  const { lane, claimer, calls, claimed, acceptElsewhere, quiet } = await scene();
  await acceptElsewhere('older', 'newer');
  lane.noteDue(NOW);
  claimer.arrive(lane, named('newer'));
  await quiet();
  assert.deepEqual([calls, claimed, lane.reserved], [['claim'], ['older', 'newer'], 0]);
});

test('what comes while the lane is looked through is not looked for once more', async () => {
  const { lane, claimer, calls, claimed, acceptElsewhere, quiet } = await scene();
  await acceptElsewhere('1');
  lane.noteDue(NOW);
  claimer.consider(lane);
  await Promise.resolve();
  await Promise.resolve();
  assert.equal(lane.claiming, true);
  await acceptElsewhere('2');
  claimer.arrive(lane, named('2'));
  await quiet();
  assert.deepEqual(
    [calls, claimed],
    [
      ['claim', 'claim arrived'],
      ['1', '2'],
    ],
  );
});

test('more than the lane has room for waits in the store', async () => {
  const { lane, claimer, calls, claimed, acceptElsewhere, quiet } = await scene(1);
  const ids = Array.from({ length: lane.room() + 1 }, (_, n) => String(n));
  await acceptElsewhere(...ids);
  claimer.arrive(lane, named(...ids));
  await quiet();
  assert.deepEqual([calls, claimed], [['claim'], ids.slice(0, -1)]);
});

for (const [what, first] of [
  ['what arrived', 'claim arrived'],
  ['what waits', 'claim'],
] as const) {
  test(`where the store does not answer for ${what} the lane is looked through a second later`, async () => {
    mock.timers.enable({ apis: ['setTimeout'] });
    try {
      const { lane, claimer, calls, claimed, failures, clock, acceptElsewhere, quiet } =
        await scene();
      await acceptElsewhere('1');
      failures.push(new Error('away'));
      if (first === 'claim') {
        lane.noteDue(NOW);
        claimer.consider(lane);
      } else claimer.arrive(lane, named('1'));
      await quiet();
      assert.deepEqual([calls, claimed, lane.reserved], [[first], [], 0]);
      clock.now += 1000;
      mock.timers.tick(1000);
      await quiet();
      assert.deepEqual([calls, claimed], [[first, 'claim'], ['1']]);
    } finally {
      mock.timers.reset();
    }
  });
}

test('what is there no more under its name is looked for in the lane', async () => {
  const { lane, claimer, calls, claimed, acceptElsewhere, quiet } = await scene();
  await acceptElsewhere('1', '2');
  claimer.arrive(lane, named('1', 'of yore'));
  await quiet();
  assert.deepEqual([calls, claimed, lane.reserved], [['claim arrived', 'claim'], ['1', '2'], 0]);
});

test('a lane that is over gets nothing, and no other waits for it', async () => {
  const { lane, claimer, calls, claimed, acceptElsewhere, quiet } = await scene();
  await acceptElsewhere('1');
  claimer.arrive(lane, named('1'));
  lane.isOver = true;
  await quiet();
  assert.deepEqual([calls, claimed], [[], []]);
});
