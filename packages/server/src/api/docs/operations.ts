import { adminDocs } from './operations/administration.ts';
import { deliveryDocs } from './operations/deliveries.ts';
import { eventDocs } from './operations/events.ts';
import { filterDocs } from './operations/filters.ts';
import { learnerDocs } from './operations/learners.ts';
import { registrationDocs } from './operations/registrations.ts';
import { replayDocs } from './operations/replays.ts';
import { serviceDocs } from './operations/service.ts';
import { subscriptionDocs } from './operations/subscriptions.ts';

/** The document of every operation, by its id. */
export const docs = {
  ...registrationDocs,
  ...subscriptionDocs,
  ...filterDocs,
  ...eventDocs,
  ...deliveryDocs,
  ...replayDocs,
  ...learnerDocs,
  ...adminDocs,
  ...serviceDocs,
};
