import type { Delivery } from '../../core/delivery.ts';
import {
  integer,
  integerOrNull,
  pickCarried,
  replayOf,
  type Row,
  text,
  tracedBy,
} from '../rows.ts';
import type { Statement } from './database.ts';
import { layOut, leasedAs } from './lay-out.ts';
import type { Place } from './place.ts';

const UNDO: Statement = {
  name: 'undo leases',
  text: `
update deliveries
   set leased = 0
 where state = 0
   and leased = any($1::bigint[])`,
};

/** Runs a statement that leases under the number of a new batch. */
export async function lease(
  place: Place,
  statement: Statement,
  values: readonly unknown[],
): Promise<readonly Row[]> {
  await undoLost(place);
  const { database, epoch, leases } = place;
  const number = leases.next(epoch());
  try {
    return await database.query(statement, [epoch(), number, ...values]);
  } catch (error) {
    leases.lose(number);
    throw error;
  }
}

/** Gives back what batches leased whose answer never came. */
async function undoLost({ database, leases }: Place): Promise<void> {
  const { lost } = leases;
  if (lost.length === 0) return;
  await layOut(database, leasedAs(lost));
  await database.query(UNDO, [lost]);
  leases.undone(lost);
}

/** From a row with what its event carries. */
export function toDelivery(row: Row): Delivery {
  return {
    id: text(row, 'id'),
    tenant: text(row, 'tenant'),
    eventId: text(row, 'event_id'),
    registrationId: text(row, 'registration_id'),
    ...pickCarried(row),
    attempts: integer(row, 'attempts'),
    step: integer(row, 'step'),
    ordered: row['ordered'] === true,
    ...replayOf(row),
    sequence: integerOrNull(row, 'sequence'),
    ...tracedBy(row),
  };
}
