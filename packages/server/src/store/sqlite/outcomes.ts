import type { DatabaseSync } from 'node:sqlite';
import { MAX_OUTCOMES } from '../port.ts';
import { integer, plainSentence } from '../rows.ts';
import type { Flat, Value } from './protocol.ts';

const FIND = `
select id
  from outcomes
 where tenant = ?
   and class = ?
   and sentence = ?`;

const INSERT = `
insert into outcomes (tenant, class, status, sentence)
values (?, ?, ?, ?)`;

const COUNT = `
select count(*) as count
  from outcomes
 where tenant = ?`;

/** The number of an outcome, given as class, status and sentence; it is written down where it is new. */
export type OutcomeNumber = (tenant: Value, outcome: Flat) => number;

/** Gives, for one batch, what looks each of its outcomes up once. */
export function outcomeNumbers(database: DatabaseSync): () => OutcomeNumber {
  const find = database.prepare(FIND);
  const insert = database.prepare(INSERT);
  const count = database.prepare(COUNT);

  function numberOf(tenant: Value, [kind = '', status = null, sentence = '']: Flat): number {
    const known = find.get(tenant, kind, sentence);
    if (known !== undefined) return integer(known, 'id');
    const plain = plainSentence(String(kind), status === null ? null : Number(status));
    const isFull = integer(count.get(tenant) ?? {}, 'count') >= MAX_OUTCOMES;
    if (isFull && sentence !== plain) return numberOf(tenant, [kind, status, plain]);
    return Number(insert.run(tenant, kind, status, sentence).lastInsertRowid);
  }

  return () => {
    const known = new Map<string, number>();
    return (tenant, outcome) => {
      const key = `${tenant} ${outcome.join(' ')}`;
      const number = known.get(key) ?? numberOf(tenant, outcome);
      known.set(key, number);
      return number;
    };
  };
}
