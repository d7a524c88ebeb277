import { type Static, Type } from 'typebox';
import { DEFAULT_RATE, ENDED_STATES, JOB_KINDS, MAX_CHOSEN, MAX_RATE } from '../../core/job.ts';
import { LEVELS } from '../../core/key.ts';
import { MAX_SUBJECT_LENGTH } from '../../core/subjects.ts';
import { MAX_QUOTA } from '../../core/tenant.ts';

const maxPending = Type.Union([Type.Integer({ minimum: 1, maximum: MAX_QUOTA }), Type.Null()], {
  description:
    'How many deliveries of the tenant may wait, pending or held, before publishing answers 429; null for the default of the installation.',
});

const retention = Type.Union([Type.String({ maxLength: 20 }), Type.Null()], {
  description:
    'How long events are kept after their deliveries ended, such as `7d` or `12h`. The shortest of what the installation, the tenant and the filters of an event say holds; null says nothing.',
});

/** Bodies that are judged by their schema; the others are read by rules of their own. */
export const NewTenant = Type.Object(
  {
    Id: Type.String({ pattern: '^[a-z0-9._-]{1,64}$', description: '1 to 64 of a-z 0-9 . _ -' }),
    Name: Type.Optional(
      Type.String({ minLength: 1, maxLength: 200, description: 'Shown to people.' }),
    ),
    MaxPending: Type.Optional(maxPending),
    Retention: Type.Optional(retention),
  },
  { examples: [{ Id: 'northfield', Name: 'Northfield School' }] },
);

/** What is left out stays as it is. */
export const TenantChange = Type.Object({
  Name: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
  MaxPending: Type.Optional(maxPending),
  Retention: Type.Optional(retention),
});

export const NewKey = Type.Object(
  {
    Level: Type.Enum([...LEVELS], { description: 'What the key may do.' }),
    Name: Type.Optional(Type.String({ maxLength: 200, description: 'Tells keys apart.' })),
    ExpiresAt: Type.Optional(Type.Union([Type.String({ maxLength: 40 }), Type.Null()])),
  },
  { examples: [{ Level: 'Full control', Name: 'reporting' }] },
);

/** What can be set of filters that are built in, too. */
const FilterSettings = {
  Retention: Type.Optional(retention),
  Private: Type.Optional(
    Type.Array(
      Type.String({
        pattern: String.raw`^[^.\[\]]+(\[\])?(\.[^.\[\]]+(\[\])?)*$`,
        maxLength: 200,
      }),
      {
        maxItems: 50,
        description:
          'Paths such as `Users.Email`, through lists too. What stands there is masked in the log and the API, and whole in deliveries.',
      },
    ),
  ),
};

export const NewFilter = Type.Object(
  {
    Description: Type.String({ minLength: 1, maxLength: 1024 }),
    Schema: Type.Optional(Type.Union([Type.Object({}), Type.Null()])),
    Example: Type.Optional(Type.Union([Type.Object({}), Type.Null()])),
    Subjects: Type.Optional(
      Type.Array(
        Type.Object({
          Kind: Type.Enum(['learner', 'course']),
          Path: Type.String({
            pattern: String.raw`^[^.\[\]]+(\[\])?(\.[^.\[\]]+(\[\])?)*$`,
            maxLength: 200,
          }),
        }),
        { maxItems: 20 },
      ),
    ),
    ...FilterSettings,
  },
  {
    examples: [
      { Description: 'A badge was awarded.', Example: { Action: 'BadgeAwarded', Badge: 'Helper' } },
    ],
  },
);

/** The rest of a filter that is built in stays as it is. */
export const BuiltInFilter = Type.Object(FilterSettings);

export const TestRequest = Type.Object({
  Filter: Type.Optional(Type.String({ maxLength: 128, description: 'Whose example is sent.' })),
});

export const SecretChange = Type.Object({
  Secret: Type.Optional(
    Type.Union([Type.String({ maxLength: 200 }), Type.Null()], {
      description: '32 to 64 characters. One is made where it is left out.',
    }),
  ),
  OverlapSeconds: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 2_592_000,
      default: 86_400,
      description:
        'How long the old secret signs `webhook-signature` beside the new one; 0 ends all old ones at once.',
    }),
  ),
  SwitchAt: Type.Optional(
    Type.Union([Type.String({ maxLength: 40 }), Type.Null()], {
      description:
        'When `ms-signature` goes over to the new secret, within the overlap; at once where it is left out.',
    }),
  ),
});

export const Resume = Type.Object(
  {
    Held: Type.Optional(
      Type.Enum(['all', 'newest', 'none'], {
        default: 'all',
        description:
          'What is sent of what is held: everything, of each learner and course the newest, or nothing. The rest is cancelled.',
      }),
    ),
  },
  { examples: [{ Held: 'newest' }] },
);

const time = (description: string) => Type.Optional(Type.String({ maxLength: 40, description }));

export const NewReplay = Type.Object(
  {
    Kind: Type.Optional(
      Type.Enum([...JOB_KINDS], {
        default: 'replay',
        description:
          '`replay` repeats deliveries. `backfill` sends the events since From that match the registration as it is now and were never on their way to it; it takes From, To and Rate.',
      }),
    ),
    From: time('Of deliveries that were made, or events accepted, from this time on, ISO 8601.'),
    To: time('The same before this time; now where it is left out.'),
    States: Type.Optional(
      Type.Array(Type.Enum([...ENDED_STATES]), {
        minItems: 1,
        maxItems: ENDED_STATES.length,
        description: 'What became of them; any of these where it is left out.',
      }),
    ),
    Filters: Type.Optional(
      Type.Array(Type.String({ maxLength: 128 }), {
        minItems: 1,
        maxItems: 100,
        description: 'Names of filters of which they carry a notification.',
      }),
    ),
    Subject: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: MAX_SUBJECT_LENGTH,
        pattern: String.raw`^[^\p{Cc}]*$`,
        description: "A learner's or course's id, e-mail or login name. Forgotten at the end.",
      }),
    ),
    Deliveries: Type.Optional(
      Type.Array(Type.String({ pattern: '^[0-9a-f]{32}$' }), {
        minItems: 1,
        maxItems: MAX_CHOSEN,
        description: 'Only these.',
      }),
    ),
    Rate: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: MAX_RATE,
        default: DEFAULT_RATE,
        description: 'Deliveries made in a second at most.',
      }),
    ),
  },
  { examples: [{ From: '2026-09-01T08:00:00Z', States: ['exhausted'] }] },
);

export type NewTenantBody = Static<typeof NewTenant>;
