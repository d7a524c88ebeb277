import { BUILTIN_FILTERS } from '../../packages/server/src/catalog/builtin.ts';
import { ALL, type StatisticsRow, STEPS } from '../../packages/server/src/core/statistics.ts';
import { createStatistics } from '../../packages/server/src/service/statistics.ts';
import type { Store } from '../../packages/server/src/store/port.ts';
import { registrations, TENANT } from './data.ts';

const FILTERS = BUILTIN_FILTERS.slice(0, 3).map(({ name }) => name);
const ROWS_AT_ONCE = 2000;

/** Two days by the minute and 26 by the hour, each with sums of every registration and filter. */
function* rows(): Generator<StatisticsRow> {
  const now = Math.floor(Date.now() / STEPS.day.ms) * STEPS.day.ms + STEPS.day.ms;
  const halfway = now - STEPS.minute.keptMs;
  const counts = {
    published: 50,
    deliveries: 250,
    delivered: 240,
    exhausted: 3,
    attempts: 300,
    failed: { http_4xx: 30, timeout: 30 },
    latency: [...Array<number>(12).fill(0), 60, 100, 60, 20],
    duration: [...Array<number>(10).fill(0), 100, 150, 50],
  };
  const owners = [ALL, ...registrations()].flatMap((registrationId) =>
    [ALL, ...FILTERS].map((action) => ({ tenant: TENANT, registrationId, action })),
  );
  for (let start = halfway - 26 * STEPS.day.ms; start < now;) {
    const stepMs = start < halfway ? STEPS.hour.ms : STEPS.minute.ms;
    for (const owner of owners) yield { ...owner, start, stepMs, counts: structuredClone(counts) };
    start += stepMs;
  }
}

export async function fillStatistics(store: Store): Promise<number> {
  await store.insertTenant({ id: TENANT, name: TENANT, createdAt: 0, maxPending: null });
  let count = 0;
  let waiting: StatisticsRow[] = [];
  for (const row of rows()) {
    waiting.push(row);
    count += 1;
    if (waiting.length < ROWS_AT_ONCE) continue;
    await store.addStatistics(waiting);
    waiting = [];
  }
  await store.addStatistics(waiting);
  return count;
}

/** The questions that are asked of statistics, with the backlog that each answer holds. */
export function questions(store: Store): readonly (readonly [string, () => Promise<unknown>])[] {
  const known = registrations().map((id) => ({ id }));
  const statistics = createStatistics({
    store,
    clock: { now: () => Date.now() },
    filters: { get: () => undefined },
    registrations: {
      list: () => known as never,
      get: (_tenant, id) => known.find((each) => each.id === id) as never,
    },
    flush: () => Promise.resolve(),
  });
  const from = (ms: number): { from: number } => ({ from: Date.now() - ms });
  const [registrationId = '', action = ''] = [registrations()[7], FILTERS[1]];
  const tenant = TENANT;
  return [
    ['last hour, by the minute', () => statistics.read({ tenant, step: 'minute' })],
    ['last day, by the hour', () => statistics.read({ tenant })],
    [
      '1,440 minutes',
      () => statistics.read({ tenant, step: 'minute', ...from(1439 * STEPS.minute.ms) }),
    ],
    ['28 days, by the day', () => statistics.read({ tenant, step: 'day', ...from(2.4e9) })],
    ['28 days, by the hour', () => statistics.read({ tenant, step: 'hour', ...from(2.4e9) })],
    ['last day of one registration', () => statistics.read({ tenant, registrationId })],
    ['last day of one of its filters', () => statistics.read({ tenant, registrationId, action })],
    ['the backlog alone', () => store.backlog(tenant, registrations())],
  ];
}
