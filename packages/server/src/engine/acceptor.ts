import type { Delivery } from '../core/delivery.ts';
import { AppError } from '../core/errors.ts';
import { newId } from '../core/id.ts';
import type { Registration } from '../core/registration.ts';
import type { Acceptance, Earlier, NewEvent, Publication, Store } from '../store/port.ts';
import { Batcher } from './batcher.ts';
import type { Tally } from './tally.ts';
import { type EventToAccept, type Matched, Matching, type MatchingOptions } from './matching.ts';
import type { OverQuota, Waiting } from './waiting.ts';

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
  | {
      readonly kind: 'accepted';
      readonly receipts: readonly string[];
      /** True when it was accepted before, and this wrote nothing. */
      readonly isRepeated: boolean;
    }
  | { readonly kind: 'conflict' }
  /** Nothing of it was written. */
  | ({ readonly kind: 'over quota' } & OverQuota);

export type AcceptorOptions = MatchingOptions & {
  readonly store: Pick<Store, 'accept' | 'earlier' | 'queuesWrites'>;
  readonly waiting: Pick<Waiting, 'moved' | 'overQuota'>;
  readonly now: () => number;
  /** False where other nodes write to the same store. */
  readonly isAlone: () => boolean;
  readonly tally: Pick<Tally, 'published' | 'matched'>;
  /** Takes each delivery after its commit: `leased` ones were reserved, others wait in the store. */
  readonly onCommitted: (registration: Registration, delivery: Delivery, leased: boolean) => void;
  /** Called when a delivery to a registration that was not active was committed, to be held. */
  readonly onHeld: (registration: Registration) => void;
  /** Learns how registrations are now, when what was matched is no longer so. */
  readonly refresh: () => Promise<void>;
  /** Gives back reservations of a commit that failed or was not needed. */
  readonly onDropped: (registration: Registration, delivery: Delivery) => void;
};

/** Calls, and characters in them, that may wait for the disk before publishers are told to come back. */
const MAX_WAITING_CALLS = 20_000;
const MAX_WAITING_LENGTH = 64 * 1024 * 1024;
const MAX_CALLS_PER_COMMIT = 1000;
/** So many events are handed over at once: the store writes them while others of the same turn are read. */
const ENOUGH = { size: 16, sizeOf: ({ events }: AcceptRequest): number => events.length };

/** After a commit a node lets the others have the store for as long, but no longer than this: what comes meanwhile shares the next. */
const MAX_REST_MS = 12;

type Prepared = {
  readonly kind: 'prepared';
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
  readonly #matching: Matching;
  #commits: Promise<void> = Promise.resolve();
  #waitingLength = 0;

  constructor(options: AcceptorOptions) {
    this.#options = options;
    this.#matching = new Matching(options);
    this.#batcher = new Batcher({
      write: (requests) => this.#write(requests),
      maxItems: MAX_CALLS_PER_COMMIT,
      ...(options.store.queuesWrites
        ? { maxWrites: 2, enough: ENOUGH }
        : { restMs: (tookMs) => (options.isAlone() ? 0 : Math.min(tookMs, MAX_REST_MS)) }),
    });
  }

  /** Calls that wait for the disk. */
  get waitingCalls(): number {
    return this.#batcher.waiting;
  }

  /** Resolves once durable. Rejects with `unavailable` when too much waits for the disk already. */
  async accept(request: AcceptRequest): Promise<AcceptAnswer> {
    const length = lengthOf(request);
    this.#refuseWhenFull(length);
    this.#waitingLength += length;
    try {
      const answer = await this.#batcher.add(request);
      return answer.kind === 'over quota' ? await this.#earlier(request, answer) : answer;
    } finally {
      this.#waitingLength -= length;
    }
  }

  #refuseWhenFull(length: number): void {
    const isLong = this.#waitingLength > 0 && this.#waitingLength + length > MAX_WAITING_LENGTH;
    if (!isLong && this.#batcher.waiting < MAX_WAITING_CALLS) return;
    throw new AppError('unavailable', 'Too many events wait for the disk. Try again in a second.', {
      retryAfterSeconds: 1,
    });
  }

  /** A call that was accepted before is answered as then, also when nothing new is taken. */
  async #earlier({ idempotency }: AcceptRequest, refusal: AcceptAnswer): Promise<AcceptAnswer> {
    if (idempotency === null) return refusal;
    const earlier = await this.#options.store.earlier(idempotency);
    return earlier === undefined ? refusal : answerOf(earlier);
  }

  idle(): Promise<void> {
    return this.#batcher.idle();
  }

  /** Resolves when the commits that are under way are over, and with them what was reserved for them. */
  settled(): Promise<void> {
    return this.#commits;
  }

  #write(requests: readonly AcceptRequest[]): Promise<readonly AcceptAnswer[]> {
    const written = this.#tryToWrite(requests);
    this.#commits = Promise.all([this.#commits, written.then(nothing, nothing)]).then(nothing);
    return written;
  }

  /** Matches again as long as another node changed registrations meanwhile. */
  async #tryToWrite(requests: readonly AcceptRequest[]): Promise<readonly AcceptAnswer[]> {
    const judged = requests.map((request) => this.#overQuota(request) ?? this.#prepare(request));
    const prepared = judged.filter((each) => each.kind === 'prepared');
    const acceptances = await this.#commitAll(prepared);
    if (acceptances[0]?.kind === 'stale') {
      for (const p of prepared) this.#undo(p);
      await this.#options.refresh();
      return this.#tryToWrite(requests);
    }
    const next = acceptances.values();
    return judged.map((each) =>
      each.kind === 'prepared' ? this.#finish(each, next.next().value) : each,
    );
  }

  async #commitAll(prepared: readonly Prepared[]): Promise<readonly Acceptance[]> {
    if (prepared.length === 0) return [];
    try {
      return await this.#options.store.accept(prepared.map((p) => p.publication));
    } catch (error) {
      for (const p of prepared) this.#undo(p);
      throw error;
    }
  }

  /** The last call that is taken may go over the quota: a large one must not be refused for ever. */
  #overQuota({ events }: AcceptRequest): (AcceptAnswer & { kind: 'over quota' }) | undefined {
    let judged: string | undefined;
    for (const { tenants, isExempt } of events) {
      const [tenant] = tenants;
      if (isExempt || tenant === undefined || tenant === judged) continue;
      const over = this.#options.waiting.overQuota(tenant);
      if (over !== undefined) return { kind: 'over quota', ...over };
      judged = tenant;
    }
    return undefined;
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
        const made = this.#matching.match({ event, id, tenant, now }, matched);
        if (event.tenants.length === 1 || made.deliveries.length > 0) events.push(made);
      }
      receipts.push(`{"Id":"${id}","Deliveries":${matched.length - before}}`);
    }
    const publication = { events, idempotency: withAnswer(request, receipts, now) };
    for (const { delivery, held } of matched) this.#count(delivery, held, 1);
    return { kind: 'prepared', publication, matched, receipts };
  }

  #finish(prepared: Prepared, acceptance: Acceptance | undefined): AcceptAnswer {
    if (acceptance?.kind === 'accepted') {
      const isUnleased = acceptance.unleased === true;
      if (isUnleased) this.#drop(prepared);
      prepared.matched.forEach(({ delivery }, index) => {
        delivery.sequence = acceptance.numbers[index] ?? null;
      });
      this.#tally(prepared);
      for (const m of prepared.matched) {
        if (m.held) this.#options.onHeld(m.registration);
        else this.#options.onCommitted(m.registration, m.delivery, m.leased && !isUnleased);
      }
      return { kind: 'accepted', receipts: prepared.receipts, isRepeated: false };
    }
    this.#undo(prepared);
    return acceptance?.kind === 'repeated' ? answerOf(acceptance) : { kind: 'conflict' };
  }

  /** Nothing of it was written. */
  #undo(prepared: Prepared): void {
    this.#drop(prepared);
    for (const { delivery, held } of prepared.matched) this.#count(delivery, held, -1);
  }

  #tally({ publication, matched }: Prepared): void {
    const { tally } = this.#options;
    for (const { tenant, acceptedAt, actions } of publication.events)
      tally.published(tenant, acceptedAt, actions);
    const at = publication.events[0]?.acceptedAt ?? 0;
    for (const { registration, delivery } of matched)
      tally.matched(registration, at, delivery.actions);
  }

  #drop(prepared: Prepared): void {
    for (const m of prepared.matched)
      if (m.leased) this.#options.onDropped(m.registration, m.delivery);
  }

  #count({ tenant }: Delivery, isHeld: boolean, by: number): void {
    this.#options.waiting.moved(tenant, null, isHeld ? 'held' : 'pending', by);
  }
}

function answerOf(earlier: Earlier): AcceptAnswer {
  if (earlier.kind === 'conflict') return earlier;
  return { kind: 'accepted', receipts: earlier.answer.split('\n'), isRepeated: true };
}

function lengthOf({ events }: AcceptRequest): number {
  let length = 0;
  for (const { notifications } of events)
    for (const { text } of notifications) length += text.length;
  return length;
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
