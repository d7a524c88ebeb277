import type { Attempt } from '../../core/attempt.ts';
import type { Id } from '../../core/id.ts';
import type { AttemptsQuery } from '../erasure.ts';
import { ATTEMPTS_SHOWN, type DeliveryRow, type EventRow, type Unfinished } from '../port.ts';
import { integer, type Row, text, toAttempt, toDeliveryRow, toEventRow } from '../rows.ts';
import { codeOf, type Database, NOT_TEXT, type Statement } from './database.ts';
import { allDeliveries, DELIVERY_COLUMNS, WITH_EVENT_AND_OUTCOME } from './search-deliveries.ts';
import { EVENT_COLUMNS } from './search-events.ts';

const ONE_DELIVERY: Statement = {
  name: 'one delivery',
  text: `${DELIVERY_COLUMNS}
  from ${allDeliveries()}${WITH_EVENT_AND_OUTCOME}
 where d.tenant = $1
   and d.id = $2`,
};

const ATTEMPTS: Statement = {
  name: 'attempts',
  text: `
select *
  from (select *
          from attempts
         where tenant = $1
           and delivery_id = $2
         order by number desc, started_at desc
         limit ${ATTEMPTS_SHOWN}) newest
 order by number, started_at`,
};

const SOME_ATTEMPTS: Statement = {
  name: 'some attempts',
  text: `
select *
  from attempts
 where tenant = $1
   and delivery_id = $2
 order by number, started_at
 limit $3 offset $4`,
};

const ONE_EVENT: Statement = {
  name: 'one event',
  text: `${EVENT_COLUMNS}
  from events e
 where e.tenant = $1
   and e.id = $2`,
};

/** Only what has not ended lies in this table. */
const UNFINISHED: Statement = {
  name: 'unfinished',
  text: `
select tenant, count(*) filter (where state = 0) as pending, count(*) filter (where state = 3) as held
  from deliveries
 group by tenant`,
};

export async function delivery(
  database: Database,
  tenant: string,
  id: Id,
): Promise<{ row: DeliveryRow; attempts: readonly Attempt[] } | undefined> {
  const [row] = await readSome(database, ONE_DELIVERY, tenant, id);
  if (row === undefined) return undefined;
  const attempts = await readSome(database, ATTEMPTS, tenant, id);
  return { row: toDeliveryRow(row), attempts: attempts.map(toAttempt) };
}

export async function someAttempts(
  database: Database,
  { tenant, deliveryId, limit, skip }: AttemptsQuery,
): Promise<readonly Attempt[]> {
  const page = [tenant, deliveryId, limit, skip];
  return (await database.query(SOME_ATTEMPTS, page)).map(toAttempt);
}

export async function event(
  database: Database,
  tenant: string,
  id: Id,
): Promise<EventRow | undefined> {
  const [row] = await readSome(database, ONE_EVENT, tenant, id);
  return row === undefined ? undefined : toEventRow(row);
}

export async function unfinished(database: Database): Promise<readonly Unfinished[]> {
  const rows = await database.query(UNFINISHED);
  return rows.map((row) => ({
    tenant: text(row, 'tenant'),
    pending: integer(row, 'pending'),
    held: integer(row, 'held'),
  }));
}

/** No row has an id that no column can hold. */
async function readSome(
  database: Database,
  statement: Statement,
  tenant: string,
  id: Id,
): Promise<readonly Row[]> {
  try {
    return await database.query(statement, [tenant, id]);
  } catch (error) {
    if (codeOf(error) === NOT_TEXT) return [];
    throw error;
  }
}
