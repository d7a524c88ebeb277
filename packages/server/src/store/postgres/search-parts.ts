import { idAt, idTime } from '../../core/id.ts';
import { actionKey, subjectKey } from '../../core/subjects.ts';
import type { LogQuery } from '../port.ts';
import { text } from '../rows.ts';
import { Conditions } from './conditions.ts';
import type { Database } from './database.ts';
import type { Along, Bounds, Place } from './search.ts';

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

/** True for deliveries that carry a notification which has the key, and not just others of its event. */
export const COMMON_PICK = `(
       k.picks is null
    or d.picks is null
    or exists (
       select from json_array_elements_text(k.picks::json) one
         join json_array_elements_text(d.picks::json) other
           on one = other))`;

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

/** An event may be a little older than its deliveries: the ids of one call have about one time. */
export const SLACK_MS = 1000;
/** What is younger than all deliveries that were made with the event. */
const SOON = `lpad(to_hex(('x' || left(k.event_id, 12))::bit(48)::bigint + ${SLACK_MS}), 12, '0')`;

type OfKeys = {
  readonly query: LogQuery;
  readonly keys: readonly string[];
  readonly bounds: Bounds;
};

/** Narrows `event_keys k` to events of these keys that can have deliveries of this time and page. */
function addEvents(conditions: Conditions, { query, keys, bounds }: OfKeys): void {
  const { tenant, from, to } = query;
  const { before, floor } = bounds;
  addKeys(conditions, tenant, keys);
  if (before !== undefined) conditions.add('k.event_id < ?', before);
  if (to !== undefined) conditions.add('k.event_id < ?', idAt(to + SLACK_MS));
  if (from !== undefined) conditions.add('k.event_id >= ?', idAt(from - SLACK_MS));
  if (floor !== undefined) conditions.add('k.event_id >= ?', idAt(idTime(floor) - SLACK_MS));
}

/** What is found by keys is read along the events that have them. */
export function alongKeys(query: LogQuery, keys: readonly string[]): Along {
  const place = (bounds: Bounds): Place => {
    const conditions = new Conditions();
    addEvents(conditions, { query, keys, bounds });
    return { from: [(where) => `\n  from event_keys k${where}`], conditions };
  };
  return { id: 'k.event_id', place };
}

/**
 * The newest events of these keys as `k`. They are read first, whatever the planner thinks of the
 * sizes: a limit keeps it from turning a join round. It cuts nothing off, for no slice is so long.
 */
export function newestOfKeys(
  others: Conditions,
  asked: OfKeys & { readonly rows: number },
): string {
  const conditions = others.elsewhere();
  addEvents(conditions, asked);
  return `(
       select k.tenant, k.event_id, k.picks, ${SOON} as soon
         from event_keys k${conditions.where}
        order by k.event_id desc
        limit ${2 * asked.rows}) k`;
}
