import { actionKey, subjectKey } from '../../core/subjects.ts';
import type { LogQuery } from '../port.ts';
import { text } from '../rows.ts';
import { Conditions } from './conditions.ts';
import type { Database } from './database.ts';

/** What the words of a look-up stand for in this tenant. */
export type Terms = {
  readonly subject?: readonly string[];
  readonly action?: readonly string[];
  /** Ids of the outcomes whose sentence has the words. */
  readonly outcomes?: readonly string[];
  /** Their class, where they have but one. */
  readonly onlyClass?: string;
};

/** Undefined when there is a word that nothing of this tenant has. */
export async function termsOf(database: Database, query: LogQuery): Promise<Terms | undefined> {
  const { tenant, subject, action, text: words } = query;
  let terms: Terms = {};
  if (subject !== undefined) {
    const kinds = ['learner', 'course'] as const;
    const keys = kinds.map((kind) => subjectKey({ kind, value: subject }));
    const known = await knownKeys(database, tenant, keys);
    if (known.length === 0) return undefined;
    terms = { ...terms, subject: known };
  }
  if (action !== undefined) terms = { ...terms, action: [actionKey(action)] };
  if (words === undefined) return terms;
  const outcomes = await outcomesWith(database, tenant, words);
  const [first] = outcomes;
  if (first === undefined) return undefined;
  const isOne = outcomes.every(({ kind }) => kind === first.kind);
  const ids = outcomes.map(({ id }) => id);
  return { ...terms, outcomes: ids, ...(isOne ? { onlyClass: first.kind } : {}) };
}

/** An id may be a learner's, a course's, or both. */
async function knownKeys(
  database: Database,
  tenant: string,
  keys: readonly string[],
): Promise<string[]> {
  const found = await Promise.all(
    keys.map(async (key) => {
      const conditions = new Conditions();
      conditions.add('tenant = ?', tenant);
      conditions.add('key = ?', key);
      return conditions.read(
        database,
        `\nselect key from event_keys${conditions.where}\n limit ?`,
        1,
      );
    }),
  );
  return found.flat().map((row) => text(row, 'key'));
}

type Outcome = { readonly id: string; readonly kind: string };

async function outcomesWith(
  database: Database,
  tenant: string,
  words: string,
): Promise<readonly Outcome[]> {
  const conditions = new Conditions();
  conditions.add('tenant = ?', tenant);
  conditions.add('strpos(lower(sentence), lower(?)) > 0', words);
  const sql = `\nselect id::text as id, class from outcomes${conditions.where}\n limit ?`;
  const rows = await conditions.read(database, sql, MOST_OUTCOMES);
  return rows.map((row) => ({ id: text(row, 'id'), kind: text(row, 'class') }));
}

/** There are few more than a thousand: nodes that write at once may pass the limit a little. */
const MOST_OUTCOMES = 10_000;

/** Narrows `event_keys k` to these keys, each event once. */
export function addKeys(conditions: Conditions, tenant: string, keys: readonly string[]): void {
  conditions.add('k.tenant = ?', tenant);
  if (keys.length === 1) {
    conditions.add('k.key = ?', keys[0]);
    return;
  }
  conditions.add('k.key = any(?)', keys);
  conditions.add(
    `not exists (
       select from event_keys l
        where l.tenant = k.tenant
          and l.key = any(?)
          and l.event_id = k.event_id
          and l.key < k.key)`,
    keys,
  );
}
