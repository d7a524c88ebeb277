import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RegistrationRef } from '../../core/registration.ts';
import type { Arrival, NewDelivery, Store } from '../port.ts';
import { openPostgresStore } from './store.ts';
import {
  endedAt,
  fresh,
  idOf,
  joined,
  madeAt,
  OPTIONS,
  rows,
  settlementOf,
} from './testing/stores.ts';

const NOW = Date.now();
const WAITING = { leased: false } as const;
/** One whose text is too long for a message. */
const MANY = 500;

type Heard = { readonly arrivals: readonly Arrival[]; readonly version: number };

/** A store that sends nothing itself, one that hears of what it accepts, and what is heard next. */
async function pair() {
  const url = await fresh();
  const heard: PromiseWithResolvers<Heard> = Promise.withResolvers();
  const woken: PromiseWithResolvers<readonly RegistrationRef[]> = Promise.withResolvers();
  const receiver = await joined(url, {
    arrived: (arrivals, version) => heard.resolve({ arrivals, version }),
    woken: (refs) => woken.resolve(refs),
  });
  const acceptor = await openPostgresStore({ ...OPTIONS, url });
  const done = async (): Promise<void> => {
    await acceptor.close();
    await receiver.close();
  };
  return { acceptor, receiver, heard: heard.promise, woken: woken.promise, done };
}

function eventWith(deliveries: readonly Partial<NewDelivery>[]) {
  const event = madeAt(NOW);
  const [made] = event.deliveries;
  assert.ok(made !== undefined);
  const all = deliveries.map((each) => ({ ...made, ...WAITING, id: idOf(NOW), ...each }));
  return { ...event, deliveries: all };
}

/** Accepted by a node that does not send for it. */
async function accept(store: Store, deliveries: readonly Partial<NewDelivery>[]) {
  const event = eventWith(deliveries);
  const { version } = await store.changes(null);
  const [answer] = await store.accept([{ events: [event], idempotency: null }], version);
  assert.equal(answer?.kind, 'accepted');
  return { event, version, ids: event.deliveries.map(({ id }) => id) };
}

function named(ids: readonly string[], tenant = 't'): readonly Arrival[] {
  return [{ tenant, id: 'r', deliveryIds: ids }];
}

async function claimedOf(store: Store, arrivals: readonly Arrival[]): Promise<string[]> {
  return (await store.claimArrived(arrivals)).map(({ id }) => id);
}

test('what is accepted for others is named to them, with what it was matched with', async () => {
  const { acceptor, heard, done } = await pair();
  const held = { registrationId: 'held', state: 'held' } as const;
  const { ids, version } = await accept(acceptor, [{}, {}, held]);
  const expected = [
    { tenant: 't', id: 'r', deliveryIds: ids.slice(0, 2) },
    { tenant: 't', id: 'held', deliveryIds: [] },
  ];
  assert.deepEqual(await heard, { arrivals: expected, version });
  await done();
});

test('of more than a message holds only the registrations are named', async () => {
  const { acceptor, woken, done } = await pair();
  await accept(
    acceptor,
    Array.from({ length: MANY }, () => ({})),
  );
  assert.deepEqual(await woken, [{ tenant: 't', id: 'r' }]);
  await done();
});

test('a node that hears what its version does not know looks in the store', async () => {
  const url = await fresh();
  const looked = Promise.withResolvers<void>();
  // It looks as soon as it listens, too.
  let onLook = (): void => undefined;
  const store = await joined(url, { look: () => onLook() });
  onLook = looked.resolve;
  await rows(url, `select pg_notify('schoolbell', '{"later":[]}')`);
  await looked.promise;
  await store.close();
});

test('what is claimed by name is whole, and claimed once', async () => {
  const { acceptor, receiver, done } = await pair();
  const { event, ids } = await accept(acceptor, [{}, {}]);
  const claimed = await receiver.claimArrived(named(ids));
  assert.deepEqual(
    claimed.map(({ id, eventId, notifications, attempts }) => [
      id,
      eventId,
      notifications,
      attempts,
    ]),
    ids.toSorted().map((id) => [id, event.id, ['{}'], 0]),
  );
  assert.deepEqual(await claimedOf(receiver, named(ids)), []);
  const rooms = [{ tenant: 't', registrationId: 'r', room: 10 }];
  assert.deepEqual((await receiver.claim(rooms, NOW))[0]?.deliveries, []);
  await done();
});

test('what was tried, has ended, is held or is behind is not claimed by name, nor what is another tenant’s', async () => {
  const { acceptor, receiver, done } = await pair();
  const { ids } = await accept(acceptor, [{}, {}, { state: 'held' }, {}]);
  const [tried = '', ended = '', held = '', free = ''] = ids;
  const failed = { state: 'pending', dueAt: NOW, step: 1 } as const;
  await receiver.settle([{ ...settlementOf(tried, NOW), next: failed }, settlementOf(ended, NOW)]);
  assert.deepEqual(await claimedOf(receiver, named(ids, 'stranger')), []);
  assert.deepEqual(await claimedOf(receiver, named([tried, ended, held, free])), [free]);
  await done();
});

test('what is behind another in its order is not claimed by name', async () => {
  const { acceptor, receiver, done } = await pair();
  const first = await accept(acceptor, [{ orderKeys: ['a'] }]);
  const second = await accept(acceptor, [{ orderKeys: ['a'] }]);
  const all = named([...first.ids, ...second.ids]);
  assert.deepEqual(await claimedOf(receiver, all), first.ids);
  await receiver.settle([{ ...endedAt(first.event, NOW), ordered: true }]);
  assert.deepEqual(await claimedOf(receiver, all), second.ids);
  await done();
});

test('a node that was given up claims nothing by name', async () => {
  const { acceptor, receiver, done } = await pair();
  const { ids } = await accept(acceptor, [{}]);
  assert.deepEqual(await claimedOf(acceptor, named(ids)), []);
  assert.deepEqual(await claimedOf(receiver, named(ids)), ids);
  await done();
});
