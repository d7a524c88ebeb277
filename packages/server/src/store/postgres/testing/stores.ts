import { after } from 'node:test';
import pg from 'pg';
import { type TestDatabase, testDatabase } from '../../../../../../tools/postgres/test-database.ts';
import { type Id, idAt, newId } from '../../../core/id.ts';
import { attemptOf } from '../../../core/testing/attempt.ts';
import type { NewEvent, NodeEvents, Settlement, Store } from '../../port.ts';
import type { PostgresOptions } from '../open.ts';
import { openPostgresStore } from '../store.ts';

const databases: TestDatabase[] = [];
after(() => Promise.all(databases.map(({ drop }) => drop())));

export const OPTIONS: Omit<PostgresOptions, 'url'> = {
  listenUrl: null,
  poolSize: 8,
  statementTimeoutMs: 10_000,
  pooled: false,
  allowUnsafe: false,
};

const NODE = { name: 'test', version: '0' };

/** A store that is a node and does nothing of itself. */
export async function joined(url: string, events: Partial<NodeEvents> = {}): Promise<Store> {
  const store = await openPostgresStore({ ...OPTIONS, url });
  const nothing = (): void => undefined;
  const later = (): Promise<void> => Promise.resolve();
  await store.join(NODE, {
    gained: later,
    leaving: later,
    lost: later,
    woken: nothing,
    arrived: nothing,
    dropped: nothing,
    look: nothing,
    changed: nothing,
    ...events,
  });
  return store;
}

/** The URL of a database of its own. */
export async function fresh(): Promise<string> {
  const database = await testDatabase();
  databases.push(database);
  return database.url;
}

/** What a person with psql would see. */
export async function rows(url: string, sql: string): Promise<readonly Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

/** An event of this time with one delivery, in hand. */
export function madeAt(time: number): NewEvent {
  const delivery = {
    id: idOf(time),
    registrationId: 'r',
    state: 'pending',
    leased: true,
    picks: null,
    orderKeys: null,
  } as const;
  const id = idOf(time);
  const times = { acceptedAt: time, occurredAt: null };
  return { id, tenant: 't', ...times, payload: '{}', actions: ['A'], deliveries: [delivery] };
}

/** Ids of one process never go back in time; these do. */
export function idOf(time: number): string {
  return idAt(time) + newId(0).slice(12);
}

/** Its delivery arrived. */
export function endedAt(event: NewEvent, at: number): Settlement {
  return settlementOf(event.deliveries[0]?.id ?? '', at);
}

export function settlementOf(deliveryId: Id, at: number): Settlement {
  const outcome = { kind: 'connect_error', code: 'X' } as const;
  const attempt = attemptOf({ deliveryId, startedAt: at, durationMs: 0, outcome });
  const next = { state: 'delivered', reason: null } as const;
  return { tenant: 't', deliveryId, attempt, next, ordered: false };
}
