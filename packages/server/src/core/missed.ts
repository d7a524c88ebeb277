import { mismatches } from './conditions-explain.ts';
import { readConditions } from './conditions-read.ts';
import { pathsOf } from './conditions.ts';
import { MANIFEST } from './manifest.ts';
import { PathTree } from './payload-paths.ts';
import { type Registration, WILDCARD } from './registration.ts';
import { isOwnAction } from './warning.ts';

/** Why an event has no delivery to a registration. */
export type Missed = {
  readonly reason:
    | 'made later'
    | 'not subscribed'
    | 'conditions not met'
    | 'changed later'
    | 'not kept';
  readonly sentence: string;
};

type Asked = Pick<Registration, 'filters' | 'conditions' | 'createdAt' | 'updatedAt'>;
type Happened = {
  readonly acceptedAt: number;
  readonly actions: readonly string[];
  readonly notifications: readonly string[];
};

const FOR_ANOTHER: Missed = {
  reason: 'not subscribed',
  sentence: 'A manifest goes to no registration but the one that it is about.',
};

/** For a registration, as it is now, to which the event has no delivery. */
export function whyMissed(registration: Asked, event: Happened): Missed {
  const { createdAt, updatedAt, conditions } = registration;
  if (createdAt > event.acceptedAt) {
    return { reason: 'made later', sentence: 'It was registered after the event was accepted.' };
  }
  if (event.actions[0] === MANIFEST) return FOR_ANOTHER;
  const offered = offeredTo(registration, event);
  if (offered.length === 0) {
    const actions = [...new Set(event.actions)].join(', ');
    return { reason: 'not subscribed', sentence: `It is not subscribed to ${actions}.` };
  }
  const unmet = conditions === null ? undefined : whyUnmet(conditions, offered);
  if (unmet !== undefined) return { reason: 'conditions not met', sentence: unmet };
  if (updatedAt > event.acceptedAt) {
    return {
      reason: 'changed later',
      sentence:
        'It was changed after the event was accepted, and gets such events only since then.',
    };
  }
  return { reason: 'not kept', sentence: 'Its delivery has ended and is not kept any more.' };
}

/** The notifications that its filters let through. */
function offeredTo({ filters }: Asked, { actions, notifications }: Happened): readonly string[] {
  const names = new Set(filters.map((name) => name.toLowerCase()));
  return notifications.filter((_text, index) => {
    const action = actions[index] ?? '';
    return names.has(action.toLowerCase()) || (names.has(WILDCARD) && !isOwnAction(action));
  });
}

/** Of the first notification; undefined when one of them meets the conditions. */
function whyUnmet(conditions: string, offered: readonly string[]): string | undefined {
  const condition = readConditions(conditions);
  const paths = new PathTree();
  for (const path of pathsOf(condition)) paths.add(path);
  const failed = offered.map((text) => mismatches(condition, paths.read(text)));
  if (failed.some((each) => each.length === 0)) return undefined;
  return failed[0]?.map(({ sentence }) => sentence).join(' ');
}
