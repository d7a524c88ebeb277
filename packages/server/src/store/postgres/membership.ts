import { SHARDS } from '../../core/shard.ts';
import type { Membership, NodeEvents, NodeInfo } from '../port.ts';
import { integer, type Row } from '../rows.ts';
import { layOut, ofNode } from './lay-out.ts';
import { Listener } from './listener.ts';
import { BEAT, GIVE, GIVE_UP, JOIN, LEAVE, TAKE } from './nodes.ts';
import type { Place } from './place.ts';

const BEAT_MS = 500;
/** A node that was not heard of for so long is given up, by the clock of the database. */
export const LEASE_MS = 5000;
/** Wake-ups that got lost are made up for by a look at the store, sooner where nothing can be heard. */
const LOOK_EVERY_MS = 10_000;
const LOOK_WHEN_DEAF_EVERY_MS = 1000;

type View = {
  readonly epochs: readonly number[];
  readonly expired: readonly number[];
  readonly own: readonly number[];
  readonly free: readonly number[];
  readonly alive: boolean;
  readonly version: number;
};

/**
 * This node among the others. It renews its lease, takes its share of the shards and gives away what
 * is more than that; when it was given up it lets go of everything and joins again under a new epoch.
 */
export class Member implements Membership {
  readonly #place: Place;
  readonly #node: NodeInfo;
  readonly #events: NodeEvents;
  readonly #listener: Listener;
  readonly #owned = new Set<number>();
  readonly #leaving = new Set<number>();
  /** Of the leaving ones, those of which nothing is in hand any more. */
  #finished: number[] = [];
  #epoch = 0;
  #validUntil = 0;
  /** Since when beats come through without a gap: after one of our own, others are not judged yet. */
  #steadySince = -Infinity;
  #lastBeat = 0;
  #version = -1;
  #lookAt = 0;
  #timer: NodeJS.Timeout | undefined;
  #beating: Promise<void> | undefined;
  #again = false;
  #stopped = false;

  constructor(place: Place, node: NodeInfo, events: NodeEvents) {
    this.#place = place;
    this.#node = node;
    this.#events = events;
    this.#listener = new Listener(() => place.database.session(), {
      nodes: () => this.#beatNow(),
      configuration: () => events.changed(),
      wake: (refs) => events.woken(refs),
      arrived: (arrivals, version) => events.arrived(arrivals, version),
      drop: (ref, id) => events.dropped(ref, id),
      look: () => events.look(),
    });
  }

  get epoch(): number {
    return this.#epoch;
  }

  owns(shard: number): boolean {
    return this.#owned.has(shard);
  }

  mayWork(): boolean {
    return performance.now() < this.#validUntil;
  }

  /** Resolves when it is a member and has taken over its first shards. */
  async start(): Promise<void> {
    await this.#beatAlone();
    if (!this.#stopped) this.#timer = setInterval(() => this.#beatNow(), BEAT_MS);
  }

  async leave(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await this.#beating;
    await this.#listener.close();
    const epoch = this.#epoch;
    this.#epoch = 0;
    this.#validUntil = 0;
    await this.#layOut(epoch).catch(() => undefined);
    await this.#place.database.query(LEAVE, [epoch]).catch(() => undefined);
  }

  /** What this node had in hand for others is theirs to find: they look where deliveries wait. */
  #layOut(epoch: number): Promise<void> {
    return layOut(this.#place.database, ofNode(epoch));
  }

  #beatNow(): void {
    if (this.#stopped) return;
    if (this.#beating === undefined) this.#beatAlone().catch(() => undefined);
    else this.#again = true;
  }

  /** One beat at a time: what is heard meanwhile, while joining too, gets one more. */
  #beatAlone(): Promise<void> {
    const beat = this.#beat();
    this.#beating = beat
      .catch(() => undefined)
      .finally(() => {
        this.#beating = undefined;
        if (!this.#again) return;
        this.#again = false;
        this.#beatNow();
      });
    return beat;
  }

  async #beat(): Promise<void> {
    const from = performance.now();
    if (this.#epoch === 0) await this.#join();
    await this.#listener.ensure();
    await this.#handOver();
    const view = viewOf(
      await this.#place.database.query(BEAT, [this.#epoch, LEASE_MS]),
      this.#epoch,
    );
    if (!view.alive) return this.#lose();
    if (from - this.#lastBeat > LEASE_MS / 2 && this.#lastBeat > 0) this.#steadySince = from;
    this.#lastBeat = from;
    this.#validUntil = from + LEASE_MS;
    this.#noticeVersion(view.version);
    await this.#share(view, from);
    this.#lookSometimes(from);
  }

  async #join(): Promise<void> {
    const values = [this.#node.name, this.#node.version, LEASE_MS];
    const [row = {}] = await this.#place.database.query(JOIN, values);
    this.#epoch = integer(row, 'epoch');
  }

  #noticeVersion(version: number): void {
    if (version !== this.#version) this.#events.changed();
    this.#version = version;
  }

  /** Everyone's share follows from the list of nodes alone, so that nobody has to agree. */
  async #share(view: View, now: number): Promise<void> {
    if (view.expired.length > 0 && now - this.#steadySince > LEASE_MS) {
      await this.#place.database.query(GIVE_UP, [view.expired]);
      this.#again = true;
      return;
    }
    const unknown = view.own.filter(
      (shard) => !this.#owned.has(shard) && !this.#leaving.has(shard),
    );
    if (unknown.length > 0) await this.#gain(unknown);
    const members = [...view.epochs, ...view.expired].toSorted((a, b) => a - b);
    const share = shareOf(members.indexOf(this.#epoch), members.length);
    const more = share - view.own.length;
    if (more > 0 && view.free.length > 0) await this.#take(more);
    const owned = view.own.filter((shard) => this.#owned.has(shard));
    const excess = view.own.length - this.#leaving.size - share;
    if (excess > 0) this.#give(owned.slice(-excess));
  }

  async #take(count: number): Promise<void> {
    const rows = await this.#place.database.query(TAKE, [this.#epoch, count]);
    await this.#gain(rows.map((row) => integer(row, 'shard')));
  }

  /** When this fails the next beat finds the shards as this node's own that it does not know yet. */
  async #gain(shards: readonly number[]): Promise<void> {
    if (shards.length === 0) return;
    await this.#events.gained(shards);
    for (const shard of shards) this.#owned.add(shard);
  }

  #give(shards: readonly number[]): void {
    const epoch = this.#epoch;
    for (const shard of shards) {
      this.#owned.delete(shard);
      this.#leaving.add(shard);
    }
    void this.#events.leaving(shards).then(() => {
      if (this.#epoch !== epoch) return;
      this.#finished.push(...shards);
      this.#beatNow();
    });
  }

  /** Within a beat: its look at the shards must not be older than what it gave away. */
  async #handOver(): Promise<void> {
    const shards = [...this.#finished];
    if (shards.length === 0) return;
    await this.#layOut(this.#epoch);
    await this.#place.database.query(GIVE, [this.#epoch, shards]);
    this.#finished = this.#finished.filter((shard) => !shards.includes(shard));
    for (const shard of shards) this.#leaving.delete(shard);
  }

  /** What this node had is others' now. Until all of it is put down nothing can be written. */
  async #lose(): Promise<void> {
    this.#epoch = 0;
    this.#validUntil = 0;
    this.#owned.clear();
    this.#leaving.clear();
    this.#finished = [];
    await this.#events.lost();
    this.#again = true;
  }

  #lookSometimes(now: number): void {
    if (now < this.#lookAt) return;
    const first = this.#lookAt === 0;
    this.#lookAt = now + (this.#listener.isListening ? LOOK_EVERY_MS : LOOK_WHEN_DEAF_EVERY_MS);
    if (!first) this.#events.look();
  }
}

function viewOf(rows: readonly Row[], own: number): View {
  const [first = {}] = rows;
  const members = rows.filter((row) => integer(row, 'epoch') !== 0);
  return {
    epochs: epochsOf(members.filter((row) => row['expired'] !== true)),
    expired: epochsOf(members.filter((row) => row['expired'] === true)),
    own: shardsOf(rows.find((row) => row['epoch'] === own)),
    free: shardsOf(rows.find((row) => row['epoch'] === 0)),
    alive: first['alive'] === true,
    version: integer(first, 'version'),
  };
}

function epochsOf(rows: readonly Row[]): number[] {
  return rows.map((row) => integer(row, 'epoch'));
}

function shardsOf(row: Row | undefined): readonly number[] {
  return (row?.['shards'] ?? []) as readonly number[];
}

/** How many shards the node of this rank has among so many. */
function shareOf(rank: number, members: number): number {
  return Math.floor(SHARDS / members) + Number(rank < SHARDS % members);
}
