import { AppError } from '../core/errors.ts';
import { type Delivery, NOTIFICATION_SEPARATOR } from '../core/delivery.ts';
import { newId } from '../core/id.ts';
import type { Match, MatchIndex } from '../core/match.ts';
import { orderKeys } from '../core/ordering.ts';
import { isActive, type Registration } from '../core/registration.ts';
import type { Acceptance, NewDelivery, NewEvent, Publication, Store } from '../store/port.ts';
import { Batcher } from './batcher.ts';

/** One event, not yet matched. Of many tenants it is kept for those that have a registration for it. */
export type EventToAccept = {
  readonly tenants: readonly string[];
  readonly notifications: readonly { readonly text: string; readonly action: string }[];
  readonly occurredAt: number | null;
};

/** What is accepted whole or not at all. */
export type AcceptRequest = {
  readonly events: readonly EventToAccept[];
  readonly idempotency: {
    readonly tenant: string;
    readonly key: string;
    readonly hash: string;
  } | null;
};

export type AcceptAnswer =
  | { readonly kind: 'accepted'; readonly receipts: readonly string[] }
  | { readonly kind: 'conflict' };

export type AcceptorOptions = {
  readonly store: Pick<Store, 'accept'>;
  readonly index: Pick<MatchIndex, 'match'>;
  readonly now: () => number;
  readonly subjectsOf: SubjectsOf;
  /** Reserves a place in the registration's lane; false when the delivery must wait in the store. */
  readonly reserve: (registration: Registration, delivery: Delivery) => boolean;
  /** Takes each delivery after its commit: `leased` ones were reserved, others wait in the store. */
  readonly onCommitted: (registration: Registration, delivery: Delivery, leased: boolean) => void;
  /** Called when a delivery to a registration that was not active was committed, to be held. */
  readonly onHeld: (registration: Registration) => void;
  /** Learns how registrations are now, when what was matched is no longer so. */
  readonly refresh: () => Promise<void>;
  /** Gives back reservations of a commit that failed or was not needed. */
  readonly onDropped: (registration: Registration, delivery: Delivery) => void;
};

/** The subjects of a notification by the catalogue, each as one text. */
export type SubjectsOf = (action: string, text: string) => readonly string[];

/** Calls that may wait for the disk before publishers are told to come back. */
const MAX_WAITING_CALLS = 20_000;
const MAX_CALLS_PER_COMMIT = 1000;

type Matched = {
  readonly registration: Registration;
  readonly delivery: Delivery;
  readonly leased: boolean;
  readonly held: boolean;
};
type Prepared = {
  readonly publication: Publication;
  readonly matched: readonly Matched[];
  readonly receipts: readonly string[];
};

/**
 * Matches events and commits them with their deliveries. Matching happens in the same turn of the
 * event loop in which the batch is handed to the store, so that the store's order of writes is the
 * order of truth: what is accepted after a registration was answered is matched to it, and what is
 * accepted after its deletion is not.
 */
export class Acceptor {
  readonly #options: AcceptorOptions;
  readonly #batcher: Batcher<AcceptRequest, AcceptAnswer>;
  #commit: Promise<void> = Promise.resolve();

  constructor(options: AcceptorOptions) {
    this.#options = options;
    this.#batcher = new Batcher({
      write: (requests) => this.#write(requests),
      maxItems: MAX_CALLS_PER_COMMIT,
    });
  }

  /** Resolves once durable. Rejects with `unavailable` when too much waits for the disk already. */
  accept(request: AcceptRequest): Promise<AcceptAnswer> {
    if (this.#batcher.waiting >= MAX_WAITING_CALLS) {
      const detail = { retryAfterSeconds: 1 };
      throw new AppError(
        'unavailable',
        'Too many events wait for the disk. Try again in a second.',
        detail,
      );
    }
    return this.#batcher.add(request);
  }

  idle(): Promise<void> {
    return this.#batcher.idle();
  }

  /** Resolves when the commit that is under way is over, and with it what was reserved for it. */
  settled(): Promise<void> {
    return this.#commit;
  }

  #write(requests: readonly AcceptRequest[]): Promise<readonly AcceptAnswer[]> {
    const written = this.#tryToWrite(requests);
    this.#commit = written.then(nothing, nothing);
    return written;
  }

  /** Matches again as long as another node changed registrations meanwhile. */
  async #tryToWrite(requests: readonly AcceptRequest[]): Promise<readonly AcceptAnswer[]> {
    const prepared = requests.map((request) => this.#prepare(request));
    let acceptances: readonly Acceptance[];
    try {
      acceptances = await this.#options.store.accept(prepared.map((p) => p.publication));
    } catch (error) {
      for (const p of prepared) this.#drop(p);
      throw error;
    }
    if (acceptances[0]?.kind !== 'stale')
      return prepared.map((p, index) => this.#finish(p, acceptances[index]));
    for (const p of prepared) this.#drop(p);
    await this.#options.refresh();
    return this.#tryToWrite(requests);
  }

  #prepare(request: AcceptRequest): Prepared {
    const now = this.#options.now();
    const events: NewEvent[] = [];
    const matched: Matched[] = [];
    const receipts: string[] = [];
    for (const event of request.events) {
      const id = newId(now);
      const before = matched.length;
      for (const tenant of event.tenants) {
        const made = this.#match({ event, id, tenant, now }, matched);
        if (event.tenants.length === 1 || made.deliveries.length > 0) events.push(made);
      }
      receipts.push(`{"Id":"${id}","Deliveries":${matched.length - before}}`);
    }
    const publication = { events, idempotency: withAnswer(request, receipts, now) };
    return { publication, matched, receipts };
  }

  #match(
    place: { event: EventToAccept; id: string; tenant: string; now: number },
    matched: Matched[],
  ): NewEvent {
    const { event, id, tenant, now } = place;
    const texts = event.notifications.map((notification) => notification.text);
    const actions = event.notifications.map((notification) => notification.action);
    const payload = texts.length === 1 ? (texts[0] ?? '') : texts.join(NOTIFICATION_SEPARATOR);
    const deliveries: NewDelivery[] = [];
    const subjects = this.#subjectsOf(event);
    for (const { registration, picks } of this.#options.index.match(tenant, actions, texts)) {
      const notifications = picks === null ? texts : picks.map((pick) => texts[pick] ?? '');
      const keys = orderKeys(registration.ordering, () => subjects(picks));
      const delivery = {
        id: newId(now),
        tenant,
        eventId: id,
        registrationId: registration.id,
        notifications,
        attempts: 0,
        step: 0,
        ordered: keys !== null,
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

  #finish(prepared: Prepared, acceptance: Acceptance | undefined): AcceptAnswer {
    if (acceptance?.kind === 'accepted') {
      const isUnleased = acceptance.unleased === true;
      if (isUnleased) this.#drop(prepared);
      for (const m of prepared.matched) {
        if (m.held) this.#options.onHeld(m.registration);
        else this.#options.onCommitted(m.registration, m.delivery, m.leased && !isUnleased);
      }
      return { kind: 'accepted', receipts: prepared.receipts };
    }
    this.#drop(prepared);
    if (acceptance?.kind === 'repeated') {
      return { kind: 'accepted', receipts: acceptance.answer.split('\n') };
    }
    return { kind: 'conflict' };
  }

  #drop(prepared: Prepared): void {
    for (const m of prepared.matched)
      if (m.leased) this.#options.onDropped(m.registration, m.delivery);
  }
}

function withAnswer(
  request: AcceptRequest,
  receipts: readonly string[],
  at: number,
): Publication['idempotency'] {
  if (request.idempotency === null) return null;
  return { ...request.idempotency, answer: receipts.join('\n'), at };
}

function nothing(): void {}
