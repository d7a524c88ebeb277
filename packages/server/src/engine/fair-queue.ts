import { Fifo } from './fifo.ts';

/** Something that waits its turn on behalf of a tenant. */
export type Member = { readonly tenant: string };

/**
 * Turns, first by tenant and then among a tenant's members: a thousand members of one tenant get
 * no more turns than the one member of another.
 */
export class FairQueue<T extends Member> {
  readonly #ring = new Fifo<string>();
  readonly #members = new Map<string, Fifo<T>>();

  /** Tenants that have a member waiting. */
  get tenants(): number {
    return this.#members.size;
  }

  /** The caller sees to it that a member waits once only. */
  add(member: T): void {
    const waiting = this.#members.get(member.tenant);
    if (waiting !== undefined) {
      waiting.push(member);
      return;
    }
    const fresh = new Fifo<T>();
    fresh.push(member);
    this.#members.set(member.tenant, fresh);
    this.#ring.push(member.tenant);
  }

  /** Takes the next member of the next tenant that may have a turn; undefined when none may. */
  take(mayHaveTurn: (tenant: string) => boolean): T | undefined {
    for (let turns = this.#ring.length; turns > 0; turns -= 1) {
      const tenant = this.#ring.shift();
      if (tenant === undefined) return undefined;
      if (!mayHaveTurn(tenant)) {
        this.#ring.push(tenant);
        continue;
      }
      return this.#takeFrom(tenant);
    }
    return undefined;
  }

  #takeFrom(tenant: string): T | undefined {
    const waiting = this.#members.get(tenant);
    const member = waiting?.shift();
    if (waiting === undefined || waiting.length === 0) this.#members.delete(tenant);
    else this.#ring.push(tenant);
    return member;
  }
}
