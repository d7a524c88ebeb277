import { type Delivery, NOTIFICATION_SEPARATOR } from '../core/delivery.ts';
import { type Id, newId } from '../core/id.ts';
import type { Match, MatchIndex } from '../core/match.ts';
import { orderKeys } from '../core/ordering.ts';
import { isActive, type Registration } from '../core/registration.ts';
import type { NewDelivery, NewEvent } from '../store/port.ts';

/** One event, not yet matched. Of many tenants it is kept for those that have a registration for it. */
export type EventToAccept = {
  readonly tenants: readonly string[];
  readonly notifications: readonly { readonly text: string; readonly action: string }[];
  readonly occurredAt: number | null;
  /** What `traceOf` made, where the call belongs in a trace. */
  readonly trace?: string;
  /** True for what no tenant publishes: its quota is not looked at. */
  readonly isExempt: boolean;
  /** A registration that does not get it, whatever it subscribed to. */
  readonly except?: Id;
  /** The only registration that gets it, where that subscribed to it. */
  readonly only?: Id;
};

/** The subjects of a notification by the catalogue, each as one text. */
export type SubjectsOf = (action: string, text: string) => readonly string[];

/** A delivery to be, and where it goes. */
export type Matched = {
  readonly registration: Registration;
  /** It has its number once it is accepted. */
  readonly delivery: Delivery & { sequence: number | null };
  readonly leased: boolean;
  readonly held: boolean;
};

export type MatchingOptions = {
  readonly index: Pick<MatchIndex, 'match'>;
  readonly subjectsOf: SubjectsOf;
  /** Reserves a place in the registration's lane; false when the delivery must wait in the store. */
  readonly reserve: (registration: Registration, delivery: Delivery) => boolean;
};

/** Makes the deliveries of an event for the registrations that it matches. */
export class Matching {
  readonly #options: MatchingOptions;

  constructor(options: MatchingOptions) {
    this.#options = options;
  }

  /** The event as one tenant has it; what was matched is added to `matched`. */
  match(
    place: { event: EventToAccept; id: string; tenant: string; now: number },
    matched: Matched[],
  ): NewEvent {
    const { event, id, tenant, now } = place;
    const texts = event.notifications.map((notification) => notification.text);
    const actions = event.notifications.map((notification) => notification.action);
    const payload = texts.length === 1 ? (texts[0] ?? '') : texts.join(NOTIFICATION_SEPARATOR);
    const deliveries: NewDelivery[] = [];
    const subjects = this.#subjectsOf(event);
    const traced = event.trace === undefined ? {} : { trace: event.trace };
    for (const { registration, picks } of this.#options.index.match(tenant, actions, texts)) {
      if (registration.id === event.except) continue;
      if (event.only !== undefined && registration.id !== event.only) continue;
      const notifications = picks === null ? texts : picks.map((pick) => texts[pick] ?? '');
      const keys = orderKeys(registration.ordering, () => subjects(picks));
      const delivery = {
        id: newId(now),
        tenant,
        eventId: id,
        registrationId: registration.id,
        notifications,
        actions: picks === null ? actions : picks.map((pick) => actions[pick] ?? ''),
        attempts: 0,
        step: 0,
        ordered: keys !== null,
        sequence: null,
        ...traced,
      };
      const held = !isActive(registration);
      const leased = !held && keys === null && this.#options.reserve(registration, delivery);
      const state = held ? ('held' as const) : ('pending' as const);
      deliveries.push({
        id: delivery.id,
        registrationId: registration.id,
        state,
        leased,
        picks,
        orderKeys: keys,
      });
      matched.push({ registration, delivery, leased, held });
    }
    return {
      id,
      tenant,
      acceptedAt: now,
      occurredAt: event.occurredAt,
      payload,
      actions,
      deliveries,
      ...traced,
    };
  }

  /** Looks each notification over once at most, and only when a registration orders by subject. */
  #subjectsOf({ notifications }: EventToAccept): (picks: Match['picks']) => Iterable<string> {
    const known: (readonly string[])[] = [];
    const one = (index: number): readonly string[] => {
      const notification = notifications[index];
      if (notification === undefined) return [];
      known[index] ??= this.#options.subjectsOf(notification.action, notification.text);
      return known[index];
    };
    return (picks) => (picks ?? [...notifications.keys()]).flatMap(one);
  }
}
