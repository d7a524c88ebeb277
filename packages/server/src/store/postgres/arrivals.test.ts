import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RegistrationRef } from '../../core/registration.ts';
import { ALL_SHARDS } from '../../core/shard.ts';
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
const LANE = { tenant: 't', registrationId: 'r', room: 10 };
/** Registrations whose arrivals are too long for a message. */
const MANY = 200;

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
  return [{ tenant, id: 'r', count: ids.length, names: ids }];
}

async function claimedOf(store: Store, arrivals: readonly Arrival[]): Promise<string[]> {
  return (await store.claimArrived(arrivals)).map(({ id }) => id);
}

async function claimedIn(store: Store): Promise<string[]> {
  const [claim] = await store.claim([LANE], NOW);
  return (claim?.deliveries ?? []).map(({ id }) => id);
}

test('what is accepted for others is named to them together, with what it was matched with', async () => {
  const { acceptor, heard, done } = await pair();
  const held = { registrationId: 'held', state: 'held' } as const;
  const ordered = { registrationId: 'ordered', orderKeys: ['k'] };
  const { ids, version } = await accept(acceptor, [{}, {}, held, ordered]);
  const { arrivals, version: matched } = await heard;
  const [together] = arrivals.flatMap(({ names }) => names);
  assert.match(together ?? '', /^\d+\.0$/);
  assert.deepEqual(arrivals, [
    { tenant: 't', id: 'r', count: 2, names: [together] },
    { tenant: 't', id: 'held', count: 0, names: [] },
    { tenant: 't', id: 'ordered', count: 1, names: [ids[3]] },
  ]);
  assert.equal(matched, version);
  await done();
});

test('of more than a message holds only the registrations are named, and their lanes find it', async () => {
  const { acceptor, receiver, woken, done } = await pair();
  const registrationIds = Array.from({ length: MANY }, (_, n) => String(n));
  const { ids } = await accept(
    acceptor,
    registrationIds.map((registrationId) => ({ registrationId })),
  );
  assert.deepEqual(
    await woken,
    registrationIds.map((id) => ({ tenant: 't', id })),
  );
  const lanes = registrationIds.map((registrationId) => ({ ...LANE, registrationId }));
  const claims = await receiver.claim(lanes, NOW);
  assert.deepEqual(
    claims.map(({ deliveries }) => deliveries.map(({ id }) => id)),
    ids.map((id) => [id]),
  );
  await done();
});

test('what was posted and not taken is found by the next look', async () => {
  const { acceptor, receiver, done } = await pair();
  const { ids } = await accept(acceptor, [{}]);
  const { pending } = await receiver.waiting(ALL_SHARDS);
  assert.deepEqual(pending, [{ tenant: 't', registrationId: 'r', nextDueAt: NOW }]);
  assert.deepEqual(await claimedIn(receiver), ids);
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
  const { acceptor, receiver, heard, done } = await pair();
  const { event, ids } = await accept(acceptor, [{}, {}]);
  const { arrivals } = await heard;
  const claimed = await receiver.claimArrived(arrivals);
  assert.deepEqual(
    claimed.map(({ id, eventId, notifications, attempts, sequence }) => [
      id,
      eventId,
      notifications,
      attempts,
      sequence,
    ]),
    ids.map((id, index) => [id, event.id, ['{}'], 0, index + 1]),
  );
  assert.deepEqual(await claimedOf(receiver, arrivals), []);
  assert.deepEqual(await claimedIn(receiver), []);
  const [first = '', second = ''] = ids;
  const settled = await receiver.settle([first, second].map((id) => settlementOf(id, NOW)));
  assert.deepEqual(settled, [true, true]);
  await done();
});

test('what somebody looked for before it was claimed by name is claimed in its lane', async () => {
  const { acceptor, receiver, heard, done } = await pair();
  const { ids } = await accept(acceptor, [{}]);
  assert.equal((await acceptor.delivery('t', ids[0] ?? ''))?.row.state, 'pending');
  assert.deepEqual(await claimedOf(receiver, (await heard).arrivals), []);
  assert.deepEqual(await claimedIn(receiver), ids);
  await done();
});

test('what was tried, has ended, is held or is behind is not claimed by name, nor what is another tenant’s', async () => {
  const { acceptor, receiver, done } = await pair();
  const { ids } = await accept(acceptor, [{}, {}, { state: 'held' }, {}]);
  const [tried = '', ended = '', held = '', free = ''] = ids;
  await receiver.deliveries({ tenant: 't', limit: 1 });
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
  const { acceptor, receiver, heard, done } = await pair();
  const { ids } = await accept(acceptor, [{}]);
  const { arrivals } = await heard;
  assert.deepEqual(await claimedOf(acceptor, arrivals), []);
  assert.deepEqual(await claimedOf(receiver, arrivals), ids);
  await done();
});
