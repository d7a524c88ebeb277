import { type Condition, holds, pathsOf } from './conditions.ts';
import { readConditions } from './conditions-read.ts';
import type { Match } from './match.ts';
import { PathTree } from './payload-paths.ts';
import type { Registration } from './registration.ts';

type Asked = {
  readonly match: Match;
  readonly condition: Condition;
  /** Notifications that the filters let through; null for all of them. */
  readonly offered: ReadonlySet<number> | null;
  readonly wanted: number[];
};

/** The conditions of one tenant's registrations. Each notification is walked once for all of them. */
export class Narrowing {
  readonly #conditions = new Map<string, Condition>();
  readonly #paths = new PathTree();

  get isEmpty(): boolean {
    return this.#conditions.size === 0;
  }

  add({ id, conditions }: Registration): void {
    if (conditions === null) return;
    const condition = readConditions(conditions);
    this.#conditions.set(id, condition);
    for (const path of pathsOf(condition)) this.#paths.add(path);
  }

  remove({ id }: Pick<Registration, 'id'>): void {
    const condition = this.#conditions.get(id);
    if (condition === undefined) return;
    this.#conditions.delete(id);
    for (const path of pathsOf(condition)) this.#paths.remove(path);
  }

  /** Leaves to each registration the notifications that it wants, and drops those left with none. */
  narrow(matches: readonly Match[], texts: readonly string[]): readonly Match[] {
    if (!matches.some(({ registration }) => registration.conditions !== null)) return matches;
    const wanted = this.#wanted(matches, texts);
    return matches.flatMap((match) => {
      const picks = wanted.get(match);
      if (picks === undefined) return [match];
      if (picks.length === 0) return [];
      const { registration } = match;
      return [{ registration, picks: picks.length === texts.length ? null : picks }];
    });
  }

  /** By match, for those with conditions: the notifications that meet them. */
  #wanted(matches: readonly Match[], texts: readonly string[]): Map<Match, number[]> {
    const asked: Asked[] = [];
    for (const match of matches) {
      const condition = this.#conditions.get(match.registration.id);
      const offered = match.picks === null ? null : new Set(match.picks);
      if (condition !== undefined) asked.push({ match, condition, offered, wanted: [] });
    }
    for (const [position, text] of texts.entries()) {
      const concerned = asked.filter(({ offered }) => offered?.has(position) ?? true);
      if (concerned.length === 0) continue;
      const findings = this.#paths.read(text);
      for (const { condition, wanted } of concerned) {
        if (holds(condition, findings)) wanted.push(position);
      }
    }
    return new Map(asked.map(({ match, wanted }) => [match, wanted]));
  }
}
