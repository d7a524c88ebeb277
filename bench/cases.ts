import type { Load } from './load.ts';

export type Case = {
  readonly name: string;
  readonly about: string;
  readonly tenants: number;
  readonly registrationsPerTenant: number;
  /** The order its registrations ask for; none where absent. */
  readonly ordering?: 'strict';
  readonly load: Pick<Load, 'publishers' | 'eventsPerRequest' | 'rate'>;
  /** Least ratio to the raw limit that is aimed at, where one is. */
  readonly goals: { readonly [store in StoreName]?: number };
};

export type StoreName = 'sqlite' | 'postgres';

export const CASES: readonly Case[] = [
  {
    name: 'one',
    about: 'one event a request, 64 publishers, one registration',
    tenants: 1,
    registrationsPerTenant: 1,
    load: { publishers: 64, eventsPerRequest: 1, rate: null },
    goals: { sqlite: 0.3, postgres: 0.15 },
  },
  {
    name: 'batch50',
    about: '50 events a request, 8 publishers, one registration',
    tenants: 1,
    registrationsPerTenant: 1,
    load: { publishers: 8, eventsPerRequest: 50, rate: null },
    goals: { sqlite: 0.6, postgres: 0.35 },
  },
  {
    name: 'fanout10',
    about: 'one event to 10 registrations, 32 publishers',
    tenants: 1,
    registrationsPerTenant: 10,
    load: { publishers: 32, eventsPerRequest: 1, rate: null },
    goals: { sqlite: 0.6, postgres: 0.35 },
  },
  {
    name: 'tenants',
    about: '1,000 registrations of 100 tenants, evenly, 32 publishers',
    tenants: 100,
    registrationsPerTenant: 10,
    load: { publishers: 32, eventsPerRequest: 1, rate: null },
    goals: { sqlite: 0.5 },
  },
  {
    name: 'open500',
    about: '500 events a second, open loop, one registration',
    tenants: 1,
    registrationsPerTenant: 1,
    load: { publishers: 64, eventsPerRequest: 1, rate: 500 },
    goals: {},
  },
  {
    name: 'strict',
    about: 'one event a request, one publisher, one registration in a single file',
    tenants: 1,
    registrationsPerTenant: 1,
    ordering: 'strict',
    load: { publishers: 1, eventsPerRequest: 1, rate: null },
    goals: {},
  },
];

/** Settings of the server, all of them documented options; what is not named is its default. */
export const SERVER_FLAGS: readonly string[] = [];
