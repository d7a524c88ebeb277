import type { DatabaseSync } from 'node:sqlite';
import { actionKey, subjectKey } from '../../core/subjects.ts';
import type { LogQuery } from '../port.ts';
import { type Condition, values, where } from './conditions.ts';
import { integer, text } from '../rows.ts';
import type { Bounded, Stream } from './search.ts';

/** The numbers that a look-up's words stand for in this tenant; undefined where it has no such words. */
export type Terms = {
  readonly subject?: readonly number[];
  readonly action?: readonly number[];
  readonly outcome?: readonly number[];
  /** True when what was delivered can be meant: no index tells it apart. */
  readonly mayBeDelivered: boolean;
};

/** An event may be a little older than its deliveries: the ids of one call have about one time. */
const SLACK_MS = 1000;
export const DELIVERY_ID: Bounded = { id: 'd.id', asId: '?', slackMs: 0 };
/** The event of a key, as ids are written. */
export const KEY_EVENT = 'lower(hex(k.event_id))';
export const KEY_EVENT_ID: Bounded = { id: 'k.event_id', asId: 'unhex(?)', slackMs: SLACK_MS };

/** True for deliveries that carry a notification which has the key, and not just others of its event. */
export const COMMON_PICK = `(
       k.picks is null
    or d.picks is null
    or exists (
       select 1
         from json_each(k.picks) one, json_each(d.picks) other
        where one.value = other.value))`;

/** What a delivery carries has one of these keys. */
export const CARRIES_KEY = `exists (
       select 1
         from key_events k
        where k.key_id in (select value from json_each(?))
          and k.event_id = unhex(d.event_id)
          and ${COMMON_PICK})`;

/** Undefined when there is a word that nothing of this tenant has. */
export function termsOf(database: DatabaseSync, query: LogQuery): Terms | undefined {
  const { tenant, subject, action } = query;
  const terms: { -readonly [K in keyof Terms]: Terms[K] } = { mayBeDelivered: false };
  if (subject !== undefined) {
    const kinds = ['learner', 'course'] as const;
    const keys = kinds.map((kind) => subjectKey({ kind, value: subject }));
    terms.subject = keyIds(database, tenant, keys);
  }
  if (action !== undefined) terms.action = keyIds(database, tenant, [actionKey(action)]);
  const outcomes = outcomesOf(database, query);
  if (outcomes !== undefined) {
    terms.outcome = outcomes.map(({ id }) => id);
    terms.mayBeDelivered = outcomes.some(({ isSuccess }) => isSuccess);
  }
  const words = [terms.subject, terms.action, terms.outcome];
  return words.some((ids) => ids?.length === 0) ? undefined : terms;
}

function keyIds(database: DatabaseSync, tenant: string, keys: readonly string[]): number[] {
  const sql = `
select id
  from keys
 where tenant = ?
   and key in (select value from json_each(?))`;
  return database
    .prepare(sql)
    .all(tenant, JSON.stringify(keys))
    .map((row) => integer(row, 'id'));
}

type OutcomeId = { readonly id: number; readonly isSuccess: boolean };

function outcomesOf(database: DatabaseSync, query: LogQuery): readonly OutcomeId[] | undefined {
  const { tenant, outcome, status, text: words } = query;
  const conditions: Condition[] = [['tenant = ?', tenant]];
  if (outcome !== undefined) conditions.push(['class = ?', outcome]);
  if (status !== undefined) conditions.push(['status = ?', status]);
  if (words !== undefined) conditions.push([`sentence like ? escape '\\'`, likeOf(words)]);
  if (conditions.length === 1) return undefined;
  const sql = `\nselect id, class\n  from outcomes${where(conditions)}`;
  return database
    .prepare(sql)
    .all(...values(conditions))
    .map((row) => ({ id: integer(row, 'id'), isSuccess: text(row, 'class') === 'http_2xx' }));
}

function likeOf(words: string): string {
  return `%${words.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`;
}

/** Events by their keys. */
export function keyStreams(keys: readonly number[]): Stream[] {
  return keys.map((key) => ({
    id: KEY_EVENT,
    from: '\n  from key_events k',
    joined: [],
    range: [['k.key_id = ?', key]],
    bounded: [{ ...KEY_EVENT_ID, slackMs: 0 }],
    order: 'k.event_id desc',
  }));
}

/** True of events that have one of these keys beside the one they are found by. */
export function eventHasKey(keys: readonly number[]): Condition {
  return [
    `exists (select 1 from key_events o where o.key_id in (select value from json_each(?)) and o.event_id = k.event_id)`,
    JSON.stringify(keys),
  ];
}
