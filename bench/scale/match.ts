import { MatchIndex } from '../../packages/server/src/core/match.ts';
import { newId } from '../../packages/server/src/core/id.ts';
import type { Registration } from '../../packages/server/src/core/registration.ts';

/** Microseconds to find the one registration that gets an event. */
export type Matching = { readonly registrations: number; readonly micros: number };

const ROUNDS = 200_000;

/** One tenant whose registrations each have a filter of their own. */
export function measureMatching(count: number): Matching {
  const index = new MatchIndex();
  for (let n = 0; n < count; n += 1) index.add(registrationOf(n));
  let found = 0;
  const from = performance.now();
  for (let n = 0; n < ROUNDS; n += 1)
    found += index.match('t', [`Filter${(n * 7919) % count}`], ['{}']).length;
  const micros = ((performance.now() - from) * 1000) / ROUNDS;
  if (found !== ROUNDS) throw new Error(`${found} of ${ROUNDS} were matched`);
  return { registrations: count, micros };
}

function registrationOf(n: number): Registration {
  const now = Date.now();
  return {
    id: newId(now),
    tenant: 't',
    webHookUri: 'https://hooks.northfield.example/',
    secret: '',
    description: null,
    isPaused: false,
    filters: [`Filter${n}`],
    secretId: '#1',
    secretChangedAt: null,
    oldSecrets: [],
    conditions: null,
    headers: [],
    properties: '{}',
    createdAt: now,
    updatedAt: now,
    switchedOff: null,
  };
}
