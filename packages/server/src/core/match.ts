import { Narrowing } from './narrowing.ts';
import {
  type Registration,
  registrationKey,
  type RegistrationRef,
  WILDCARD,
} from './registration.ts';
import { isOwnAction } from './warning.ts';

export type Match = {
  readonly registration: Registration;
  /** Indices of the matching notifications; null for all of them. */
  readonly picks: readonly number[] | null;
};

/** Registrations of one tenant by lower-case filter name, each list in order of registration id. */
type TenantIndex = Map<string, Registration[]>;

/**
 * Which registrations get an event. Names compare ignoring case; `*` matches every action but
 * Schoolbell's own; each
 * registration comes once, however many of its filters match. Costs as much as there are matches,
 * however many registrations there are; conditions are looked at for what the filters let through.
 * Paused ones match too: their deliveries are held.
 */
export class MatchIndex {
  readonly #tenants = new Map<string, TenantIndex>();
  readonly #known = new Map<string, Registration>();
  /** By tenant; only those with a registration that has conditions. */
  readonly #narrowings = new Map<string, Narrowing>();

  /** Takes the place of the registration with the same id, if there is one. */
  add(registration: Registration): void {
    this.remove(registration);
    this.#known.set(registrationKey(registration), registration);
    const index = this.#tenants.get(registration.tenant) ?? new Map<string, Registration[]>();
    this.#tenants.set(registration.tenant, index);
    for (const name of namesOf(registration)) {
      const listed = index.get(name);
      if (listed === undefined) index.set(name, [registration]);
      else insert(listed, registration);
    }
    if (registration.conditions !== null) this.#narrow(registration);
  }

  /** The same as `add`, for callers that know which of the two it is. */
  replace(registration: Registration): void {
    this.add(registration);
  }

  remove(ref: RegistrationRef): void {
    const known = this.#known.get(registrationKey(ref));
    if (known === undefined) return;
    this.#known.delete(registrationKey(ref));
    const index = this.#tenants.get(known.tenant);
    for (const name of namesOf(known)) {
      const listed = index?.get(name);
      if (listed === undefined) continue;
      listed.splice(indexOf(listed, ref.id), 1);
      if (listed.length === 0) index?.delete(name);
    }
    if (index?.size === 0) this.#tenants.delete(known.tenant);
    if (known.conditions !== null) this.#widen(known);
  }

  /** In order of registration id, which is the order of their making. `texts`: the notifications. */
  match(tenant: string, actions: readonly string[], texts: readonly string[]): readonly Match[] {
    const index = this.#tenants.get(tenant);
    if (index === undefined) return [];
    const found =
      actions.length === 1 ? matchOne(index, actions[0] ?? '') : matchMany(index, actions);
    if (this.#narrowings.size === 0) return found;
    return this.#narrowings.get(tenant)?.narrow(found, texts) ?? found;
  }

  #narrow(registration: Registration): void {
    const narrowing = this.#narrowings.get(registration.tenant) ?? new Narrowing();
    narrowing.add(registration);
    this.#narrowings.set(registration.tenant, narrowing);
  }

  #widen(registration: Registration): void {
    const narrowing = this.#narrowings.get(registration.tenant);
    narrowing?.remove(registration);
    if (narrowing?.isEmpty === true) this.#narrowings.delete(registration.tenant);
  }
}

function matchOne(index: TenantIndex, action: string): readonly Match[] {
  // Whoever listens in on all events of a platform did not ask for troubles of its webhooks.
  const all = isOwnAction(action) ? [] : (index.get(WILDCARD) ?? []);
  const named = index.get(action.toLowerCase()) ?? [];
  if (named.length === 0) return all.map(whole);
  if (all.length === 0) return named.map(whole);
  return merged(all, named).map(whole);
}

/** Both lists in order of id; a registration in both comes once. */
function merged(left: readonly Registration[], right: readonly Registration[]): Registration[] {
  const all: Registration[] = [];
  let at = 0;
  for (const registration of left) {
    let next = right[at];
    while (next !== undefined && next.id < registration.id) {
      all.push(next);
      at += 1;
      next = right[at];
    }
    if (next?.id === registration.id) at += 1;
    all.push(registration);
  }
  return all.concat(right.slice(at));
}

function matchMany(index: TenantIndex, actions: readonly string[]): readonly Match[] {
  const all = index.get(WILDCARD) ?? [];
  const picks = new Map<Registration, number[]>();
  actions.forEach((action, position) => {
    for (const registration of index.get(action.toLowerCase()) ?? []) {
      const picked = picks.get(registration);
      if (picked === undefined) picks.set(registration, [position]);
      else picked.push(position);
    }
  });
  return merged(all, [...picks.keys()].toSorted(byIdOrder)).map((registration) => {
    const picked = picks.get(registration);
    const isPart = picked !== undefined && picked.length < actions.length;
    return isPart && !registration.filters.includes(WILDCARD)
      ? { registration, picks: picked }
      : whole(registration);
  });
}

function whole(registration: Registration): Match {
  return { registration, picks: null };
}

/** Lower case and each once: a registration may name a filter twice in different spellings. */
function namesOf(registration: Registration): Set<string> {
  return new Set(registration.filters.map((name) => name.toLowerCase()));
}

function byIdOrder(a: Registration, b: Registration): number {
  return a.id < b.id ? -1 : Number(a.id > b.id);
}

/** New ids come last, so this is a push in all but rare cases. */
function insert(listed: Registration[], registration: Registration): void {
  const last = listed.at(-1);
  if (last === undefined || last.id < registration.id) listed.push(registration);
  else listed.splice(indexOf(listed, registration.id), 0, registration);
}

/** Where the id is, or would be. */
function indexOf(listed: readonly Registration[], id: string): number {
  let low = 0;
  let high = listed.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((listed[middle]?.id ?? '') < id) low = middle + 1;
    else high = middle;
  }
  return low;
}
