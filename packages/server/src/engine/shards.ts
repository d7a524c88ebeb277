import type { Id } from '../core/id.ts';
import type { RegistrationRef } from '../core/registration.ts';
import { SHARDS, shardOf } from '../core/shard.ts';
import type {
  Arrival,
  Backlog,
  Membership,
  NodeEvents,
  NodeInfo,
  Recovery,
  Store,
} from '../store/port.ts';
import { succeeds } from './letting-go.ts';
import type { EngineOptions } from './options.ts';

export type ShardsOptions = {
  readonly store: Pick<Store, 'join' | 'recover' | 'waiting' | 'wake' | 'drop'>;
  readonly node: NodeInfo;
  /** Learns what is known of the endpoints of these shards. */
  readonly load: (shards: readonly number[]) => Promise<void>;
  readonly configuration: EngineOptions['configuration'];
  /** Takes over what waits for one registration. */
  readonly takeOver: (backlog: Backlog) => void;
  /** Brings what is held in line with the registration. */
  readonly align: (ref: RegistrationRef) => void;
  /** Lets go of an order that is not wanted any more. */
  readonly unorder: (ref: RegistrationRef) => void;
  /** Looks for due deliveries of a registration, and brings what waits in line with it. */
  readonly attend: (ref: RegistrationRef) => void;
  /** Takes what another node accepted. */
  readonly arrive: (arrival: Arrival) => void;
  readonly drop: (ref: RegistrationRef, id: Id) => void;
  /** Sends nothing more for these shards; resolves when nothing of them is in hand. */
  readonly finish: (shards: ReadonlySet<number>) => Promise<void>;
  /** Puts everything down at once: nothing in hand is written any more. */
  readonly abandon: () => Promise<void>;
};

/**
 * Which registrations this node sends for. What is to happen to one of another node's is told to
 * that node; what was missed is found by looking at the store from time to time.
 */
export class Shards {
  readonly #options: ShardsOptions;
  readonly #owned = new Set<number>();
  #membership: Membership | undefined;
  #looking = false;

  constructor(options: ShardsOptions) {
    this.#options = options;
  }

  /** Resolves when the first shards are taken over. */
  async join(): Promise<void> {
    this.#membership = await this.#options.store.join(this.#options.node, this.#events());
  }

  async leave(): Promise<void> {
    this.#owned.clear();
    await this.#membership?.leave();
  }

  owned(): readonly number[] {
    return [...this.#owned];
  }

  owns(ref: RegistrationRef): boolean {
    // Asked several times for each delivery.
    return this.isAlone() || this.#owned.has(shardOf(ref));
  }

  /** A node that is alone has all of them. */
  isAlone(): boolean {
    return this.#owned.size === SHARDS;
  }

  /** False when others may have taken over: nothing new may be sent. */
  mayWork(): boolean {
    return this.#membership?.mayWork() ?? true;
  }

  /** Tells the node that sends for it; a message that is lost is made up for by its next look. */
  tell(ref: RegistrationRef): void {
    this.#options.store.wake([ref]).catch(() => undefined);
  }

  tellToDrop(ref: RegistrationRef, id: Id): void {
    this.#options.store.drop(ref, id).catch(() => undefined);
  }

  #events(): NodeEvents {
    const { store, load, configuration, drop, finish, abandon } = this.#options;
    return {
      gained: async (shards) => {
        const found = await store.recover(shards);
        await load(shards);
        // What was matched with a registration may be known here before the registration is.
        await configuration.refresh();
        for (const shard of shards) this.#owned.add(shard);
        this.#takeUp(found);
      },
      leaving: (shards) => {
        for (const shard of shards) this.#owned.delete(shard);
        return finish(new Set(shards));
      },
      lost: () => {
        this.#owned.clear();
        return abandon();
      },
      woken: (refs) => void this.#wake(refs.filter((ref) => this.owns(ref))),
      arrived: (arrivals, version) =>
        void this.#arrive(
          arrivals.filter((arrival) => this.owns(arrival)),
          version,
        ),
      dropped: (ref, id) => {
        if (this.owns(ref)) drop(ref, id);
      },
      look: () => void this.#look(),
      changed: () => void configuration.refresh().catch(() => undefined),
    };
  }

  async #wake(refs: readonly RegistrationRef[]): Promise<void> {
    if (refs.length === 0 || !(await this.#isUpToDate(Infinity))) return;
    for (const ref of refs) if (this.owns(ref)) this.#options.attend(ref);
  }

  async #arrive(arrivals: readonly Arrival[], version: number): Promise<void> {
    if (arrivals.length === 0 || !(await this.#isUpToDate(version))) return;
    for (const arrival of arrivals) if (this.owns(arrival)) this.#options.arrive(arrival);
  }

  /**
   * What was matched with a registration may be heard of before the registration is. False where that
   * cannot be asked now: the next look finds what was heard of.
   */
  async #isUpToDate(version: number): Promise<boolean> {
    const { configuration } = this.#options;
    if (version <= configuration.version()) return true;
    return succeeds(configuration.refresh());
  }

  async #look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      const found = await this.#options.store.waiting([...this.#owned]);
      await this.#options.configuration.refresh();
      this.#takeUp(found);
    } catch {
      // The next look is soon.
    } finally {
      this.#looking = false;
    }
  }

  #takeUp({ pending, held, ordered }: Recovery): void {
    const { takeOver, align, unorder } = this.#options;
    for (const { tenant, registrationId: id } of ordered) unorder({ tenant, id });
    for (const backlog of pending) {
      if (this.owns({ tenant: backlog.tenant, id: backlog.registrationId })) takeOver(backlog);
    }
    for (const { tenant, registrationId: id } of held) {
      if (this.owns({ tenant, id })) align({ tenant, id });
    }
  }
}
