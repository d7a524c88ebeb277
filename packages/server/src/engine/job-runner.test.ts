import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { newId } from '../core/id.ts';
import type { Job } from '../core/job.ts';
import type { Registration } from '../core/registration.ts';
import type { JobMove, JobStep } from '../store/port.ts';
import { JobRunner, type JobRunnerOptions } from './job-runner.ts';

const NOW = 1_790_000_000_000;
const REGISTRATION = { id: 'r', tenant: 't', filters: ['*'], conditions: null } as const;

function jobOf(rest: Partial<Job> = {}): Job {
  const nothing = { from: null, to: null, states: null, filters: null };
  return {
    id: newId(NOW),
    tenant: 't',
    registrationId: 'r',
    kind: 'replay',
    state: 'running',
    reason: null,
    selection: { ...nothing, subject: null, deliveries: null },
    rate: 500,
    createdAt: NOW,
    endedAt: null,
    total: null,
    done: 0,
    cursor: null,
    ...rest,
  };
}

/** A runner on a store that holds these jobs, each with one delivery to repeat; what it did, in order. */
function running(
  t: TestContext,
  jobs: Job[],
  rest: Partial<JobRunnerOptions['engine']> & { readonly onRefresh?: () => void } = {},
) {
  const did: string[] = [];
  const moves: JobMove[] = [];
  let wake = (): void => undefined;
  const drop = (id: string): void =>
    void jobs.splice(0, jobs.length, ...jobs.filter((job) => job.id !== id));
  const runner = new JobRunner({
    store: {
      runningJobs: () => Promise.resolve([...jobs]),
      behind: () => Promise.resolve(0),
      candidates: ({ id }) => {
        const item = {
          id,
          eventId: 'e',
          replayOf: 'd',
          picks: null,
          actions: [],
          notifications: [],
        };
        return Promise.resolve({ items: [item], next: null });
      },
      stepJob: ({ id, deliveries }: JobStep) => {
        did.push(`${id} made ${deliveries.length}`);
        drop(id);
        wake();
        return Promise.resolve(true);
      },
      moveJob: (move: JobMove) => {
        moves.push(move);
        drop(move.id);
        wake();
        return Promise.resolve(true);
      },
    },
    engine: {
      shards: () => [1],
      registration: () => REGISTRATION as unknown as Registration,
      room: () => 4,
      wake: ({ id }) => void did.push(`woke ${id}`),
      waiting: { moved: () => undefined } as unknown as JobRunnerOptions['engine']['waiting'],
      ...rest,
    },
    refresh: () => {
      rest.onRefresh?.();
      return Promise.resolve();
    },
    clock: { now: () => NOW },
    subjectsOf: () => [],
    onError: (error) => assert.fail(String(error)),
  });
  t.after(() => runner.stop());
  runner.start();
  const until = async (enough: () => boolean): Promise<void> => {
    while (!enough()) await new Promise<void>((resolve) => (wake = resolve));
  };
  return { did, moves, until };
}

test('the jobs of one registration go on one after another, those of others beside them', async (t) => {
  const [first, second] = [jobOf(), jobOf()];
  const other = jobOf({ registrationId: 'other' });
  const { did, until } = running(t, [first, second, other]);
  await until(() => did.some((each) => each.startsWith(second.id)));
  const made = did.filter((each) => each.includes('made'));
  assert.deepEqual(
    made.toSorted(byText),
    [first, second, other].map(({ id }) => `${id} made 1`).toSorted(byText),
  );
  assert.ok(made.indexOf(`${first.id} made 1`) < made.indexOf(`${second.id} made 1`));
  assert.ok(did.includes('woke r'));
});

test('nothing is made while the lane is busy', async (t) => {
  let asked = 0;
  const { did, until } = running(t, [jobOf()], { room: () => ((asked += 1) < 4 ? 0 : 4) });
  await until(() => did.length > 0);
  assert.equal(asked, 4);
});

test('a registration that is not known yet is asked for before its job is given up', async (t) => {
  let isKnown = false;
  const registration = () => (isKnown ? (REGISTRATION as unknown as Registration) : undefined);
  const { did, moves, until } = running(t, [jobOf()], {
    registration,
    onRefresh: () => (isKnown = true),
  });
  await until(() => did.length > 0);
  assert.deepEqual(moves, []);
});

test('the job of a registration that is gone is cancelled with the reason', async (t) => {
  const job = jobOf();
  const { moves, until } = running(t, [job], { registration: () => undefined });
  await until(() => moves.length > 0);
  assert.deepEqual(moves, [
    {
      tenant: 't',
      id: job.id,
      from: ['running', 'paused'],
      to: 'cancelled',
      reason: 'registration deleted',
      now: NOW,
    },
  ]);
});

function byText(one: string, other: string): number {
  return one < other ? -1 : 1;
}
