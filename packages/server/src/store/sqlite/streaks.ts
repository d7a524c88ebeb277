import type { DatabaseSync } from 'node:sqlite';
import type { ToldAt } from '../../core/streak.ts';
import type { StreakChange, StreakOf } from '../port.ts';
import { integer, type Row, text } from '../rows.ts';
import type { Methods } from './protocol.ts';

const ALL = 'select * from streaks';

const PUT = `
insert or replace into streaks (tenant, registration_id, failures, since, told, was_off)
select tenant, id, ?3, ?4, ?5, ?6
  from registrations
 where tenant = ?1
   and id = ?2`;

const DELETE = `
delete from streaks
 where tenant = ?
   and registration_id = ?`;

/** What is kept of failing endpoints. */
export function streakWrites(database: DatabaseSync): Methods {
  return {
    streaks: () => database.prepare(ALL).all().map(toStreak),
    putStreaks: (changes: readonly StreakChange[]) => {
      const [put, drop] = [database.prepare(PUT), database.prepare(DELETE)];
      for (const { tenant, id, streak } of changes) {
        if (streak === null) drop.run(tenant, id);
        else {
          const { failures, since, told, wasOff } = streak;
          put.run(tenant, id, failures, since, told, Number(wasOff));
        }
      }
    },
  };
}

function toStreak(row: Row): StreakOf {
  const [tenant, id] = [text(row, 'tenant'), text(row, 'registration_id')];
  const [failures, since] = [integer(row, 'failures'), integer(row, 'since')];
  const told = integer(row, 'told') as ToldAt | 0;
  return { tenant, id, streak: { failures, since, told, wasOff: row['was_off'] === 1 } };
}
