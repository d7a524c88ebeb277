import type { DatabaseSync } from 'node:sqlite';
import { integer } from '../rows.ts';
import { LAST_SEQUENCE } from './feed.ts';
import type { Value } from './protocol.ts';

const INSERT = `
insert into sequences (tenant, registration_id)
values (?, ?)`;

const NOTE = `
insert into numbered_deliveries (sequence_id, sequence, delivery_id)
values (?, ?, unhex(?))`;

/** Registrations whose numbers are kept in memory: those of a whole installation, mostly. */
const MAX_KNOWN = 100_000;

type Counter = { readonly id: number; last: number };

/**
 * Numbers deliveries within their registration, in the order in which they are written. The one
 * thread that writes knows the last numbers by heart, so that a number costs one small row.
 */
export class Sequences {
  readonly #find;
  readonly #insert;
  readonly #note;
  #known = new Map<Value, Map<Value, Counter>>();
  #count = 0;

  constructor(database: DatabaseSync) {
    this.#find = database.prepare(LAST_SEQUENCE);
    this.#insert = database.prepare(INSERT);
    this.#note = database.prepare(NOTE);
  }

  /** Gives the delivery the next number of its registration. */
  take(tenant: Value, registrationId: Value, deliveryId: Value): number {
    const counter = this.#counterOf(tenant, registrationId);
    const sequence = counter.last + 1;
    this.#note.run(counter.id, sequence, deliveryId);
    counter.last = sequence;
    return sequence;
  }

  /** What was given may not be on disk: the disk knows better. */
  forget(): void {
    this.#known = new Map();
    this.#count = 0;
  }

  #counterOf(tenant: Value, registrationId: Value): Counter {
    let ofTenant = this.#known.get(tenant);
    if (ofTenant === undefined) this.#known.set(tenant, (ofTenant = new Map()));
    const known = ofTenant.get(registrationId);
    if (known !== undefined) return known;
    if (this.#count >= MAX_KNOWN) {
      this.forget();
      return this.#counterOf(tenant, registrationId);
    }
    const counter = this.#open(tenant, registrationId);
    ofTenant.set(registrationId, counter);
    this.#count += 1;
    return counter;
  }

  #open(tenant: Value, registrationId: Value): Counter {
    const row = this.#find.get(tenant, registrationId);
    if (row !== undefined) return { id: integer(row, 'id'), last: integer(row, 'last') };
    const { lastInsertRowid } = this.#insert.run(tenant, registrationId);
    return { id: Number(lastInsertRowid), last: 0 };
  }
}
