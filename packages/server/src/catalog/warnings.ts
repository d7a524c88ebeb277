import type { Filter } from '../core/filter.ts';
import * as warning from '../core/warning.ts';
import { flatSchema } from './schemas.ts';

const AT = Date.parse('2026-09-01T08:15:30Z');
const TENANT = 'northfield';
const REGISTRATION = {
  id: '01997c1f5c1a7b0e9d3f2a6b8c4d5e6f',
  tenant: TENANT,
  description: 'Student records',
  webHookUri: '',
};
const DELIVERY = {
  id: '01997c2000007b0e9d3f2a6b8c4d5e70',
  eventId: '01997c2000007b0e9d3f2a6b8c4d5e71',
};
const KEY = { tenant: TENANT, id: '01997c1f00007b0e9d3f2a6b8c4d5e72', name: 'Nightly sync' };
const MANIFEST = {
  day: '2026-08-31',
  count: 121,
  first: 1203,
  last: 1323,
  digest: '73300871f44c168e7c949de2c750e60c2c9bb8ff530017c5a267234e9cb4db8e',
};

const instant = (description: string): object => ({
  type: 'string',
  format: 'date-time',
  description,
});
const text = (description: string): object => ({ type: 'string', description });
const count = (description: string): object => ({ type: 'integer', description });
const named = (description: string, name: string): object => ({
  type: 'object',
  description,
  properties: {
    Id: text('Its id.'),
    [name]: { type: ['string', 'null'], description: 'Its name.' },
  },
  required: ['Id'],
});
const REGISTRATION_MEMBER = {
  Registration: named('The registration that it is about.', 'Description'),
};
const SINCE = { Since: instant('Since when nothing has arrived.') };

function filterOf(
  example: warning.Warning,
  description: string,
  members: Readonly<Record<string, object>>,
): Filter {
  const common = {
    TimeStamp: instant('When it was noticed.'),
    Tenant: text('The tenant that it is about.'),
    Message: text('What happened and what to do, for people.'),
  };
  return {
    name: example.name,
    description,
    schema: flatSchema(example.name, { ...common, ...members }),
    example: JSON.parse(warning.notificationText(example, AT)) as object,
    subjects: [],
    private: [],
  };
}

/** What Schoolbell itself warns of and tells. Only registrations that name these filters get them: `*` does not. */
export const WARNING_FILTERS: readonly Filter[] = [
  filterOf(
    warning.failing(REGISTRATION, { percent: 50, failures: 41, since: AT - 216_000_000 }),
    'A registration has taken nothing for 50, 70 or 90 % of the time after which it is switched off.',
    {
      ...REGISTRATION_MEMBER,
      ...SINCE,
      Percent: count('How far it is on the way to being switched off.'),
      Failures: count('Attempts that failed since then.'),
    },
  ),
  filterOf(
    warning.switchedOff(REGISTRATION, 'nothing arrived for 5 days'),
    'A registration was switched off because nothing arrived for too long. Its deliveries are held.',
    { ...REGISTRATION_MEMBER, Reason: text('Why.') },
  ),
  filterOf(
    warning.gone(REGISTRATION),
    'A registration answered 410 Gone and was switched off. Its deliveries are held.',
    REGISTRATION_MEMBER,
  ),
  filterOf(
    warning.recovered(REGISTRATION, true),
    'A registration that was failing takes deliveries again.',
    {
      ...REGISTRATION_MEMBER,
      WasSwitchedOff: { type: 'boolean', description: 'True when it had been switched off.' },
    },
  ),
  filterOf(
    warning.exhausted(REGISTRATION, DELIVERY, 'The receiver answered 500 (Internal Server Error).'),
    'A delivery used up its retries: the first of the day of its registration.',
    {
      ...REGISTRATION_MEMBER,
      DeliveryId: text('The delivery.'),
      EventId: text('The event that it carries.'),
    },
  ),
  filterOf(
    warning.backlogGrowing(TENANT, 12_400, 5150),
    'Deliveries of the tenant pile up: many wait, and twice as many as an hour ago.',
    {
      Waiting: count('Deliveries that wait.'),
      WaitingAnHourAgo: count('Deliveries that waited an hour before.'),
    },
  ),
  filterOf(
    warning.certificateEnding(REGISTRATION, AT + 604_800_000),
    "The certificate of a registration's receiver ends soon.",
    { ...REGISTRATION_MEMBER, EndsAt: instant('When it ends.') },
  ),
  filterOf(
    warning.keyExpiring({ ...KEY, expiresAt: AT + 604_800_000 }),
    'A key of the tenant expires within a week.',
    { Key: named('The key.', 'Name'), ExpiresAt: instant('When it expires.') },
  ),
  filterOf(
    warning.manifestOf(REGISTRATION, MANIFEST),
    'What a registration was sent on a day, told to that registration alone: their numbers and a digest.',
    {
      ...REGISTRATION_MEMBER,
      Day: text('The UTC day on which these were accepted, as 2026-09-01.'),
      Count: count('Deliveries that were numbered on that day and are kept.'),
      First: count('The lowest of their numbers.'),
      Last: count('The highest of their numbers.'),
      Digest: text('SHA-256 in hexadecimal of a line for each: number, space, id, line feed.'),
    },
  ),
];
