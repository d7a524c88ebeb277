import { createHash } from 'node:crypto';
import type { Id } from './id.ts';

/** The filter under which a registration asks for manifests about itself. */
export const MANIFEST = 'Schoolbell.Manifest';

/** What a registration was sent, or is to be sent, of one day, in short. */
export type Manifest = {
  /** The UTC day on which these were accepted, as `2026-09-01`. */
  readonly day: string;
  readonly count: number;
  /** The lowest and the highest number of these. */
  readonly first: number;
  readonly last: number;
  readonly digest: string;
};

const DAY_MS = 86_400_000;

export function dayOf(at: number): number {
  return Math.floor(at / DAY_MS);
}

export function startOfDay(day: number): number {
  return day * DAY_MS;
}

function nameOfDay(day: number): string {
  return new Date(startOfDay(day)).toISOString().slice(0, 10);
}

/** Of the text of a manifest, whom it told of which day; undefined for any other text. */
export function toldIn(text: string): { readonly id: Id; readonly day: number } | undefined {
  const { Registration, Day } = membersOf(text);
  const { Id: id } = Object(Registration) as { readonly Id?: unknown };
  if (typeof id !== 'string' || typeof Day !== 'string') return undefined;
  const at = Date.parse(Day);
  return Number.isNaN(at) ? undefined : { id, day: dayOf(at) };
}

type Members = { readonly Registration?: unknown; readonly Day?: unknown };

function membersOf(text: string): Members {
  try {
    return Object(JSON.parse(text)) as Members;
  } catch {
    return {};
  }
}

/**
 * Adds up a manifest, delivery by delivery in the order of their numbers. The digest is SHA-256, in
 * lower-case hexadecimal, of a line for each: its number, a space, its id, a line feed.
 */
export class ManifestSum {
  readonly #hash = createHash('sha256');
  #count = 0;
  #first = 0;
  #last = 0;

  add(sequence: number, id: Id): void {
    this.#hash.update(`${sequence} ${id}\n`);
    if (this.#count === 0) this.#first = sequence;
    this.#last = sequence;
    this.#count += 1;
  }

  /** To be called once. */
  of(day: number): Manifest {
    return {
      day: nameOfDay(day),
      count: this.#count,
      first: this.#first,
      last: this.#last,
      digest: this.#hash.digest('hex'),
    };
  }
}
