import { type Id, idAt } from '../../core/id.ts';
import type { Row } from '../rows.ts';
import { codeOf, type Database, NOT_TEXT } from './database.ts';

const LIMIT = 'limit ?';

/** The lines of a `where`, with the values they compare with. */
export class Conditions {
  readonly #lines: string[] = [];
  readonly #values: unknown[];

  constructor(values: unknown[] = []) {
    this.#values = values;
  }

  /** Conditions for another place of the same statement: these read the values of both. */
  elsewhere(): Conditions {
    return new Conditions(this.#values);
  }

  /** `sql` holds a question mark where the value goes. */
  add(sql: string, value: unknown): void {
    this.#values.push(value);
    this.#lines.push(sql.replaceAll('?', () => `$${this.#values.length}`));
  }

  /** Ids grow with time, so that times and the last id seen are bounds of one kind. */
  idRange(
    id: string,
    { from, to, before }: { readonly from?: number; readonly to?: number; readonly before?: Id },
  ): void {
    if (from !== undefined) this.add(`${id} >= ?`, idAt(from));
    if (to !== undefined) this.add(`${id} < ?`, idAt(to));
    if (before !== undefined) this.add(`${id} < ?`, before);
  }

  copy(): Conditions {
    const copy = new Conditions();
    copy.#lines.push(...this.#lines);
    copy.#values.push(...this.#values);
    return copy;
  }

  get where(): string {
    return this.#lines.length === 0 ? '' : `\n where ${this.#lines.join('\n   and ')}`;
  }

  /** The same behind others. */
  get and(): string {
    return this.#lines.map((line) => `\n   and ${line}`).join('');
  }

  /**
   * Runs a statement with these values and a limit, where it says `limit ?` or else at its end; it is
   * named by its text, of which there are few.
   */
  async read(database: Database, sql: string, limit: number): Promise<readonly Row[]> {
    const values = [...this.#values, limit];
    const placed = sql.includes(LIMIT) ? sql : `${sql}\n ${LIMIT}`;
    const text = placed.replaceAll(LIMIT, `limit $${values.length}`);
    try {
      return await database.query({ name: nameOf(text), text }, values);
    } catch (error) {
      if (codeOf(error) === NOT_TEXT) return [];
      throw error;
    }
  }
}

const names = new Map<string, string>();

function nameOf(text: string): string {
  const name = names.get(text) ?? `search ${names.size}`;
  names.set(text, name);
  return name;
}
