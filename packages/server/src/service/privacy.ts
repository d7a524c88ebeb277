import type { Attempt } from '../core/attempt.ts';
import type { Filter } from '../core/filter.ts';
import { hideIn } from '../core/mask.ts';
import {
  maskFields,
  type PrivateFields,
  privateFields,
  privateTexts,
} from '../core/private-fields.ts';
import type { EventRow } from '../store/port.ts';
import type { Filters } from './library.ts';

type Shown = Pick<EventRow, 'actions' | 'notifications'>;

/** Takes from what is shown what a filter calls private. */
export type Privacy = {
  readonly mask: <T extends Shown>(event: T) => T;
  /** True when notifications of one of these actions may have something to mask. */
  readonly concerns: (actions: readonly string[]) => boolean;
  /** Receivers give back what they were sent: their answers without the private values of these notifications. */
  readonly maskAnswers: (event: EventRow, attempts: readonly Attempt[]) => readonly Attempt[];
};

export function createPrivacy(filters: Pick<Filters, 'get'>): Privacy {
  const trees = new WeakMap<readonly string[], PrivateFields>();
  const treeOf = ({ private: paths }: Pick<Filter, 'private'>): PrivateFields | undefined => {
    const tree = trees.get(paths) ?? privateFields(paths);
    if (tree !== undefined) trees.set(paths, tree);
    return tree;
  };
  const fieldsOf = (action: string): PrivateFields | undefined => {
    const filter = filters.get(action);
    return filter === undefined ? undefined : treeOf(filter);
  };
  /** What of each notification is private. */
  const eachOf = <T>(
    { actions, notifications }: Shown,
    of: (notification: string, fields: PrivateFields | undefined) => T,
  ): T[] => notifications.map((each, index) => of(each, fieldsOf(actions[index] ?? '')));
  const concerns = (actions: readonly string[]): boolean =>
    actions.some((action) => fieldsOf(action) !== undefined);
  return {
    concerns,
    mask: (event) => {
      if (!concerns(event.actions)) return event;
      const notifications = eachOf(event, (each, fields) =>
        fields === undefined ? each : maskFields(each, fields),
      );
      return { ...event, notifications };
    },
    maskAnswers: (event, attempts) => {
      const texts = eachOf(event, (each, fields) =>
        fields === undefined ? [] : privateTexts(each, fields),
      ).flat();
      return texts.length === 0 ? attempts : attempts.map((attempt) => maskAnswer(attempt, texts));
    },
  };
}

function maskAnswer(attempt: Attempt, texts: readonly string[]): Attempt {
  const { outcome } = attempt;
  if (outcome.kind !== 'response') return attempt;
  return { ...attempt, outcome: { ...outcome, response: hideIn(outcome.response, texts) } };
}
