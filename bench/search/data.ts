import { explain } from '../../packages/server/src/core/explain.ts';
import { newId } from '../../packages/server/src/core/id.ts';
import type { Outcome } from '../../packages/server/src/core/outcome.ts';
import type { DeliveryQuery } from '../../packages/server/src/store/port.ts';
import { randomFrom } from '../../tools/random.ts';

/** One tenant has them all: the worst case for look-ups that name nothing else. */
export const TENANT = 'district';
export const FAN_OUT = 5;
const REGISTRATIONS = 40;
const LEARNERS = 100_000;
const COURSES = 500;
const RARE_EVERY = 20_000;
/** Over which the deliveries are spread. */
export const DAYS = 28;
const DAYS_28_MS = DAYS * 86_400_000;

const answered = (status: number): Outcome => ({
  kind: 'response',
  status,
  response: { headers: [], body: '', truncated: false },
});
const OUTCOMES: readonly Outcome[] = [
  answered(200),
  answered(401),
  answered(503),
  { kind: 'timeout', phase: 'response', afterMs: 15_000 },
  { kind: 'tls_error', code: 'CERT_HAS_EXPIRED' },
];
const EXPIRED = 4;
const random = randomFrom(7);
const below = (n: number): number => Math.floor(random() * n);
const learner = (n: number): string => `learner-${n}@district.example`;
const course = (n: number): string => `course-${n}`;
const registration = (n: number): string => `registration${n}`;

export function registrations(): string[] {
  return Array.from({ length: REGISTRATIONS }, (_, n) => registration(n));
}

/** State and outcome: 94 % delivered, 3 % exhausted, 1 % each held, cancelled and pending. */
function fate(n: number): [state: number, outcome: number | null] {
  const share = n % 100;
  if (share < 94) return [1, 0];
  if (share < 97) return [2, n % 100_000 === 94 ? EXPIRED : 1 + (n % 3)];
  if (share === 97) return [3, null];
  return share === 98 ? [4, 2] : [0, n % 200 === 99 ? 2 : null];
}

export type Search = { readonly about: string; readonly query: () => Partial<DeliveryQuery> };

export const SEARCHES: readonly Search[] = [
  { about: 'newest', query: () => ({}) },
  { about: 'newest before a moment', query: () => ({ to: Date.now() - below(DAYS_28_MS) }) },
  {
    about: 'learner by e-mail',
    query: () => ({ subject: learner(below(LEARNERS)).toUpperCase() }),
  },
  { about: 'learner by id', query: () => ({ subject: `u${below(LEARNERS)}` }) },
  {
    about: 'learner, exhausted',
    query: () => ({ subject: `u${below(LEARNERS)}`, state: 'exhausted' }),
  },
  { about: 'course', query: () => ({ subject: course(below(COURSES)) }) },
  { about: 'course, held', query: () => ({ subject: course(below(COURSES)), state: 'held' }) },
  { about: 'course, 401', query: () => ({ subject: course(below(COURSES)), status: 401 }) },
  { about: 'nobody', query: () => ({ subject: 'nobody@district.example' }) },
  { about: 'filter', query: () => ({ action: 'CourseCompleted' }) },
  { about: 'rare filter', query: () => ({ action: 'CourseUnenrollment' }) },
  {
    about: 'rare filter, one registration',
    query: () => ({
      action: 'CourseUnenrollment',
      registrationId: registration(below(REGISTRATIONS)),
    }),
  },
  { about: 'registration', query: () => ({ registrationId: registration(below(REGISTRATIONS)) }) },
  {
    about: 'registration, exhausted',
    query: () => ({ registrationId: registration(below(REGISTRATIONS)), state: 'exhausted' }),
  },
  {
    about: 'registration, pending',
    query: () => ({ registrationId: registration(below(REGISTRATIONS)), state: 'pending' }),
  },
  { about: 'pending', query: () => ({ state: 'pending' }) },
  { about: 'held', query: () => ({ state: 'held' }) },
  { about: 'status 401', query: () => ({ status: 401 }) },
  {
    about: 'timeouts of a registration',
    query: () => ({ outcome: 'timeout', registrationId: registration(below(REGISTRATIONS)) }),
  },
  { about: 'words, rare', query: () => ({ text: 'has expired' }) },
  {
    about: 'words, rare, one registration',
    query: () => ({ text: 'has expired', registrationId: registration(below(REGISTRATIONS)) }),
  },
  { about: 'words, common', query: () => ({ text: 'receiver' }) },
];

export type EventRow = readonly [id: string, at: number, actions: string, payload: string];
export type DeliveryRow = readonly [
  id: string,
  eventId: string,
  registrationId: string,
  state: number,
  attempts: number,
  dueAt: number | null,
  endedAt: number | null,
  /** Place in `outcomes`. */
  outcome: number | null,
];

/** Class, status and sentence of the outcomes that deliveries have. */
export function outcomes(): readonly (readonly [string, number | null, string])[] {
  return OUTCOMES.map((outcome) => {
    const { class: kind, sentence } = explain(outcome);
    return [kind, outcome.kind === 'response' ? outcome.status : null, sentence];
  });
}

/** Events of four weeks, each with the deliveries that `accept` and `settle` would have left. */
export function* history(
  deliveries: number,
): Generator<{ readonly event: EventRow; readonly deliveries: readonly DeliveryRow[] }> {
  const events = deliveries / FAN_OUT;
  const start = Date.now() - DAYS_28_MS;
  for (let n = 0; n < events; n += 1) {
    const at = Math.round(start + (DAYS_28_MS * n) / events);
    const id = newId(at);
    const isRare = n % RARE_EVERY === 7;
    const action = isRare ? 'CourseUnenrollment' : ['CourseCompleted', 'CourseEnrollment'][n % 2];
    const who = below(LEARNERS);
    const payload = `{"Action":"${action}","Course":{"Id":"${course(below(COURSES))}","Title":"First Aid at School"},"Users":[{"Id":"u${who}","Title":"Ana Lindqvist","Email":"${learner(who)}","LoginName":"i:0#.f|membership|${learner(who)}"}]}`;
    const first = below(REGISTRATIONS);
    const rows = Array.from({ length: FAN_OUT }, (_, d): DeliveryRow => {
      const [state, outcome] = fate(n * FAN_OUT + d);
      const target = registration((first + d) % REGISTRATIONS);
      const due = state === 0 ? at : null;
      const ended = state === 0 || state === 3 ? null : at + 50;
      return [newId(at), id, target, state, outcome === null ? 0 : 1, due, ended, outcome];
    });
    yield { event: [id, at, `["${action}"]`, payload], deliveries: rows };
  }
}
