import { type Mismatch, mismatches } from '../core/conditions-explain.ts';
import { pathsOf } from '../core/conditions.ts';
import { AppError } from '../core/errors.ts';
import type { Id } from '../core/id.ts';
import { PathTree } from '../core/payload-paths.ts';
import { WILDCARD } from '../core/registration.ts';
import type { Events, Filters } from './library.ts';
import { judgeConditions } from './registration-rules.ts';

/** Conditions to try, and on what. */
export type Trial = {
  readonly tenant: string;
  readonly filter: string;
  /** Compact JSON text. */
  readonly conditions: string;
  /** The filter's example, a notification as JSON text that was checked, or so many recent ones. */
  readonly on: 'example' | { readonly notification: string } | { readonly recent: number };
};

/** One notification, and every condition that it fails; none where it matches. */
export type Tried = {
  readonly eventId: Id | null;
  readonly acceptedAt: number | null;
  readonly text: string;
  readonly failed: readonly Mismatch[];
};

export interface Trials {
  /** Newest first. Throws `bad_request` for conditions that cannot be taken. */
  run(trial: Trial): Promise<readonly Tried[]>;
}

type Candidate = Omit<Tried, 'failed'>;
type TrialsDeps = { readonly filters: Filters; readonly events: Pick<Events, 'list'> };

/** What conditions would let through, without a registration. */
export function createTrials(deps: TrialsDeps): Trials {
  return {
    run: async (trial) => {
      const condition = judgeConditions(trial.conditions);
      const paths = new PathTree();
      for (const path of pathsOf(condition)) paths.add(path);
      const candidates = await candidatesOf(deps, trial);
      return candidates.map((candidate) => ({
        ...candidate,
        failed: mismatches(condition, paths.read(candidate.text)),
      }));
    },
  };
}

async function candidatesOf(
  { filters, events }: TrialsDeps,
  { tenant, filter: asked, on }: Trial,
): Promise<readonly Candidate[]> {
  const filter = filters.get(asked);
  if (filter === undefined)
    throw new AppError('not_found', `There is no filter '${asked.slice(0, 128)}'.`);
  if (on === 'example') return [given(exampleOf(filter.name, filter.example))];
  if ('notification' in on) return [given(on.notification)];
  const isAll = filter.name === WILDCARD;
  const action = isAll ? {} : { action: filter.name };
  const { items } = await events.list({ tenant, ...action, limit: on.recent });
  const name = filter.name.toLowerCase();
  const recent = items.flatMap(({ id: eventId, acceptedAt, actions, notifications, erased }) =>
    notifications
      .filter(
        (_text, index) =>
          !erased.includes(index) && (isAll || actions[index]?.toLowerCase() === name),
      )
      .map((text) => ({ eventId, acceptedAt, text })),
  );
  return recent.slice(0, on.recent);
}

function given(text: string): Candidate {
  return { eventId: null, acceptedAt: null, text };
}

function exampleOf(name: string, example: object | null): string {
  if (example !== null) return JSON.stringify(example);
  throw new AppError(
    'bad_request',
    `The filter ${name} has no example. Send a Notification, or say how many Recent ones to look at.`,
  );
}
