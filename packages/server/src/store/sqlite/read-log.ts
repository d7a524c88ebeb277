import type { DatabaseSync } from 'node:sqlite';
import type { AttemptsQuery } from '../erasure.ts';
import { ATTEMPTS_SHOWN, type DeliveryQuery, type EventQuery } from '../port.ts';
import type { Methods } from './protocol.ts';
import { toAttempt, toDeliveryRow, toEventRow } from '../rows.ts';
import { DELIVERY_COLUMNS, searchDeliveries, WITH_EVENT_AND_OUTCOME } from './search-deliveries.ts';
import { EVENT_COLUMNS, searchEvents } from './search-events.ts';
import type { SliceQuery } from './search.ts';

const ATTEMPTS = `
select *
  from (select *
          from attempts
         where delivery_id = ?
         order by number desc
         limit ${ATTEMPTS_SHOWN})
 order by number`;

const SOME_ATTEMPTS = `
select a.*
  from deliveries d
  join attempts a
    on a.delivery_id = d.id
 where d.tenant = ?
   and d.id = ?
 order by a.number, a.seq
 limit ? offset ?`;

const ONE_EVENT = `${EVENT_COLUMNS}
  from events e
 where e.tenant = ?
   and e.id = ?`;

const ONE_DELIVERY = `${DELIVERY_COLUMNS}
  from deliveries d${WITH_EVENT_AND_OUTCOME}
 where d.tenant = ?
   and d.id = ?`;

/** What people look up. */
export function logReads(database: DatabaseSync): Methods {
  return {
    deliveries: (query: SliceQuery & DeliveryQuery) => searchDeliveries(database, query),
    delivery: (tenant: string, id: string) => {
      const row = database.prepare(ONE_DELIVERY).get(tenant, id);
      if (row === undefined) return undefined;
      const attempts = database.prepare(ATTEMPTS).all(id).map(toAttempt);
      return { row: toDeliveryRow(row), attempts };
    },
    attempts: ({ tenant, deliveryId, limit, skip }: AttemptsQuery) =>
      database.prepare(SOME_ATTEMPTS).all(tenant, deliveryId, limit, skip).map(toAttempt),
    events: (query: SliceQuery & EventQuery) => searchEvents(database, query),
    event: (tenant: string, id: string) => {
      const row = database.prepare(ONE_EVENT).get(tenant, id);
      return row === undefined ? undefined : toEventRow(row);
    },
  };
}
