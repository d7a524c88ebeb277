import { listOrNull } from '../erasing.ts';
import type {
  Erasure,
  ErasureStep,
  EventErasure,
  EventRef,
  LearnerEvent,
  LearnerQuery,
  MarkedErasure,
} from '../erasure.ts';
import { parse, type Row, text, toEventRow } from '../rows.ts';
import type { Database, Statement } from './database.ts';
import { isText } from './keys.ts';
import { layOut, ofTenants } from './lay-out.ts';
import { EVENT_COLUMNS } from './search-events.ts';
import { eraseOne, type Marked } from './write-erasing-event.ts';

const OF_LEARNER: Statement = {
  name: 'events of learner',
  text: `
select event_id, picks
  from event_keys
 where tenant = $1
   and key = $2
   and event_id < $3
 order by event_id desc
 limit $4`,
};

/** Waits for those who are indexing at this moment. */
const WAIT_FOR_INDEX: Statement = {
  name: 'wait for index',
  text: `
select count(*)
  from (select
          from unindexed_events
         where tenant = $1
         limit 10000
           for share) u`,
};

const EVENTS: Statement = {
  name: 'events by id',
  text: `${EVENT_COLUMNS}
  from events e
 where e.tenant = $1
   and e.id = any($2)`,
};

const MARKED: Statement = {
  name: 'marked events',
  text: `
select tenant, event_id, receipt, picks, cancels
  from erasures
 where (tenant, event_id) > ($1, $2)
 order by tenant, event_id
 limit $3`,
};

/** Above every id, and before every event. */
const NEWEST = 'f'.repeat(32);
const FIRST: EventRef = { tenant: '', eventId: '' };

export async function learnerEvents(
  database: Database,
  { tenant, learner, before = NEWEST, limit }: LearnerQuery,
): Promise<readonly LearnerEvent[]> {
  if (!isText(learner)) return [];
  const found = await database.query(OF_LEARNER, [tenant, learner, before, limit]);
  const ids = found.map((row) => text(row, 'event_id'));
  const rows = await database.query(EVENTS, [tenant, ids]);
  const events = new Map(rows.map((row) => [text(row, 'id'), toEventRow(row)]));
  return found.flatMap((row) => {
    const event = events.get(text(row, 'event_id'));
    if (event === undefined) return [];
    return [{ event, own: listOrNull<number>(row, 'picks') ?? [...event.actions.keys()] }];
  });
}

/** Each step is a transaction: others' writes pass between. */
export async function erase(
  database: Database,
  { tenant, learner, before = NEWEST, limit, ...how }: Erasure,
): Promise<ErasureStep> {
  if (!isText(learner)) return { events: [], next: null };
  await database.query(WAIT_FOR_INDEX, [tenant]);
  const found = await database.query(OF_LEARNER, [tenant, learner, before, limit]);
  const marked = found.map((row) => ({
    tenant,
    eventId: text(row, 'event_id'),
    own: listOrNull<number>(row, 'picks'),
    ...how,
  }));
  return eraseEach(database, { marked, limit, now: how.now });
}

export async function eraseMarked(
  database: Database,
  { after = FIRST, now, limit }: MarkedErasure,
): Promise<ErasureStep> {
  const found = await database.query(MARKED, [after.tenant, after.eventId, limit]);
  return eraseEach(database, { marked: found.map(toMarked), limit, now });
}

function toMarked(row: Row): Marked {
  return {
    tenant: text(row, 'tenant'),
    eventId: text(row, 'event_id'),
    receipt: text(row, 'receipt'),
    own: parse<number[]>(row, 'picks'),
    pending: row['cancels'] === true ? 'cancel' : 'send',
  };
}

async function eraseEach(
  database: Database,
  asked: { readonly marked: readonly Marked[]; readonly limit: number; readonly now: number },
): Promise<ErasureStep> {
  const { marked, limit, now } = asked;
  const events: EventErasure[] = [];
  await layOut(database, ofTenants([...new Set(marked.map(({ tenant }) => tenant))]));
  for (const each of marked) {
    const done = await database.transaction((query) => eraseOne(query, each, now));
    if (done !== undefined) events.push(done);
  }
  const last = marked.length === limit ? marked.at(-1) : undefined;
  return { events, next: last ?? null };
}
