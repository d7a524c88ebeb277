import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Id } from '../../core/id.ts';
import type { NewEvent, Settlement, Store } from '../port.ts';
import { handRowsOf, InHand } from './in-hand.ts';
import { openPostgresStore } from './store.ts';
import { endedAt, fresh, joined, madeAt, OPTIONS, rows } from './testing/stores.ts';

const NOW = Date.now();
const LANE = { tenant: 't', registrationId: 'r', room: 1000 };

/** A node, and deliveries that it has in hand together. */
async function holding(count: number) {
  const url = await fresh();
  const store = await joined(url);
  const events = Array.from({ length: count }, () => madeAt(NOW));
  await store.accept([{ events, idempotency: null }]);
  const ids = events.map(idIn);
  return { url, store, events, ids };
}

function idIn(event: NewEvent | undefined): Id {
  return event?.deliveries[0]?.id ?? '';
}

/** How many rows there are of each. */
async function kept(url: string): Promise<Record<string, unknown>> {
  const [counts = {}] = await rows(
    url,
    `select (select count(*)::int from deliveries) as waiting,
            (select count(*)::int from deliveries_in_hand) as in_hand,
            (select count(*)::int from ended_deliveries) as ended,
            (select count(*)::int from attempts) as attempts`,
  );
  return counts;
}

async function failOnce(url: string, table: string): Promise<() => Promise<unknown>> {
  await rows(
    url,
    `create function fail() returns trigger language plpgsql as 'begin raise exception ''no''; end';
     create trigger fail before insert on ${table} for each row execute function fail()`,
  );
  return () => rows(url, `drop trigger fail on ${table}`);
}

const at = (event: NewEvent): Settlement => endedAt(event, NOW + 5);

test('what arrives at once is never a row of what waits, and leaves nothing in hand', async () => {
  const { url, store, events } = await holding(3);
  await failOnce(url, 'deliveries');
  const [first, ...others] = events.map(at);
  assert.ok(first !== undefined);
  assert.deepEqual(await store.settle([first]), [true]);
  assert.deepEqual(await kept(url), { waiting: 0, in_hand: 1, ended: 1, attempts: 1 });
  assert.deepEqual(await store.settle(others), [true, true]);
  assert.deepEqual(await kept(url), { waiting: 0, in_hand: 0, ended: 3, attempts: 3 });
  const found = await store.deliveries({ tenant: 't', limit: 10 });
  assert.deepEqual(
    found.map(({ state, attempts, sequence }) => ({ state, attempts, sequence })),
    [3, 2, 1].map((sequence) => ({ state: 'delivered', attempts: 1, sequence })),
  );
  await store.close();
});

test('who looks finds what is in hand beside what has ended, still in hand', async () => {
  const { url, store, events, ids } = await holding(3);
  const [first, second, third] = events.map(at);
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  await store.settle([second]);
  const looking = await openPostgresStore({ ...OPTIONS, url });
  const found = await looking.deliveries({ tenant: 't', limit: 10 });
  await looking.close();
  const states = new Map(found.map(({ id, state }) => [id, state]));
  assert.deepEqual(
    ids.map((id) => states.get(id)),
    ['pending', 'delivered', 'pending'],
  );
  assert.deepEqual(await kept(url), { waiting: 2, in_hand: 0, ended: 1, attempts: 1 });
  assert.deepEqual((await store.claim([LANE], NOW))[0]?.deliveries, []);
  assert.deepEqual(await store.settle([first, third]), [true, true]);
  assert.deepEqual(await kept(url), { waiting: 0, in_hand: 0, ended: 3, attempts: 3 });
  await store.close();
});

test('what has to be tried again waits as it was told, and what shares its row ends all the same', async () => {
  const { store, events, ids } = await holding(2);
  const [first, second] = events.map(at);
  assert.ok(first !== undefined && second !== undefined);
  const next = { state: 'pending', dueAt: NOW + 1000, step: 1 } as const;
  assert.deepEqual(await store.settle([{ ...first, next }, second]), [true, true]);
  const [one, other] = await Promise.all(ids.map((id) => store.delivery('t', id)));
  assert.deepEqual([one?.row.state, one?.row.dueAt, one?.row.attempts], ['pending', NOW + 1000, 1]);
  assert.equal(other?.row.state, 'delivered');
  const [claim] = await store.claim([LANE], NOW + 1000);
  assert.deepEqual(
    claim?.deliveries.map(({ id, step }) => ({ id, step })),
    [{ id: ids[0], step: 1 }],
  );
  await store.close();
});

test('what is given back can be claimed, and what shares its row stays in hand', async () => {
  const { store, events, ids } = await holding(2);
  await store.release([{ tenant: 't', id: ids[0] ?? '' }]);
  const [claim] = await store.claim([LANE], NOW);
  assert.deepEqual(
    claim?.deliveries.map(({ id }) => id),
    [ids[0]],
  );
  assert.deepEqual(await store.settle(events.map(at)), [true, true]);
  await store.close();
});

test('what is settled again, because the answer was lost, is written once', async () => {
  const { url, store, events } = await holding(2);
  const [first, second] = events.map(at);
  assert.ok(first !== undefined && second !== undefined);
  for (let time = 1; time <= 2; time += 1) assert.deepEqual(await store.settle([first]), [true]);
  assert.deepEqual(await kept(url), { waiting: 0, in_hand: 1, ended: 1, attempts: 1 });
  for (let time = 1; time <= 2; time += 1) assert.deepEqual(await store.settle([second]), [true]);
  assert.deepEqual(await kept(url), { waiting: 0, in_hand: 0, ended: 2, attempts: 2 });
  await store.close();
});

test('a settlement that failed is written when it is tried again, also beside one with an order', async () => {
  const { url, store, events } = await holding(2);
  const [made] = madeAt(NOW).deliveries;
  assert.ok(made !== undefined);
  const ordered = { ...madeAt(NOW), deliveries: [{ ...made, leased: false, orderKeys: ['k'] }] };
  await store.accept([{ events: [ordered], idempotency: null }]);
  await store.claim([LANE], NOW);
  const settlements = [...events.map(at), { ...at(ordered), ordered: true }];
  const mend = await failOnce(url, 'attempts');
  await assert.rejects(store.settle(settlements));
  await mend();
  assert.deepEqual(await store.settle(settlements), [true, true, true]);
  assert.deepEqual(await kept(url), { waiting: 0, in_hand: 0, ended: 3, attempts: 3 });
  await store.close();
});

test('deliveries that end while others look for them end once, and none is forgotten', async () => {
  const { url, store, events } = await holding(400);
  const looking = await openPostgresStore({ ...OPTIONS, url });
  const more = async (): Promise<NewEvent[]> => {
    const made = Array.from({ length: 30 }, () => madeAt(NOW));
    await store.accept([{ events: made, idempotency: null }]);
    return made;
  };
  const end = async (some: readonly NewEvent[]): Promise<boolean[]> => {
    const written: boolean[] = [];
    for (let from = 0; from < some.length; from += 7)
      written.push(...(await store.settle(some.slice(from, from + 7).map(at))));
    return written;
  };
  const over = new AbortController();
  const look = async (by: Store): Promise<void> => {
    while (!over.signal.aborted) await by.unfinished();
  };
  const lookers = [look(looking), look(looking), look(store)];
  const written = await end(events);
  for (let round = 0; round < 10; round += 1) written.push(...(await end(await more())));
  over.abort();
  await Promise.all(lookers);
  assert.deepEqual(new Set(written), new Set([true]));
  assert.deepEqual(await kept(url), { waiting: 0, in_hand: 0, ended: 700, attempts: 700 });
  await looking.close();
  await store.close();
});

test('retention keeps the event of what is in hand', async () => {
  const url = await fresh();
  const store = await joined(url);
  const old = madeAt(NOW - 40 * 86_400_000);
  await store.accept([{ events: [old], idempotency: null }]);
  while ((await store.prune(NOW - 86_400_000, 10)) > 0);
  const some = { tenant: 't', action: null, before: NOW - 86_400_000, limit: 10 };
  assert.equal((await store.pruneSome(some)).deliveries, 0);
  assert.equal((await store.event('t', old.id))?.id, old.id);
  assert.deepEqual(await store.settle([at(old)]), [true]);
  await store.close();
});

test('rows hold deliveries of one tenant, and no more than a statement can take', () => {
  const events = Array.from({ length: 501 }, () => madeAt(NOW));
  const other = { ...madeAt(NOW), tenant: 'u' };
  const waits = madeAt(NOW);
  const deliveries = waits.deliveries.map((delivery) => ({ ...delivery, leased: false }));
  const all = [...events.slice(0, 1), other, { ...waits, deliveries }, ...events.slice(1)];
  const found = handRowsOf(7, [{ events: all, idempotency: null }], () => true);
  const sizes = [...Map.groupBy(found.values(), (row) => row)].map(([row, { length }]) => ({
    ...row,
    length,
  }));
  assert.deepEqual(sizes, [
    { tenant: 't', batch: 7, part: 0, length: 500 },
    { tenant: 'u', batch: 7, part: 1, length: 1 },
    { tenant: 't', batch: 7, part: 2, length: 1 },
  ]);
  assert.equal(found.get(idIn(waits)), undefined);
});

test('a row is over with the last of its deliveries, and what others laid out is forgotten', () => {
  const inHand = new InHand();
  const [row, other] = [1, 2].map((part) => ({ tenant: 't', batch: 1, part }));
  assert.ok(row !== undefined && other !== undefined);
  const delivery = { row, eventId: 'e', registrationId: 'r', picks: null, sequence: 1 };
  for (const id of ['a', 'b']) inHand.add(id, delivery);
  inHand.add('c', { ...delivery, row: other });
  assert.equal(inHand.isAllOf(row, new Set(['a'])), false);
  inHand.remove('b');
  assert.equal(inHand.isAllOf(row, new Set(['a'])), true);
  inHand.removeRow(row);
  assert.equal(inHand.get('a'), undefined);
  assert.deepEqual(inHand.rows, [other]);
});
