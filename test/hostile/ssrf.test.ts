import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { runInNamespace, skip } from './namespace.ts';
import { answersOf, type Entry, readCorpus } from './ssrf-corpus.ts';
import type { NamespaceReport } from './ssrf-report.ts';

describe('the real egress, where every address answers', { skip }, () => {
  const corpus = readCorpus();
  let report: NamespaceReport;
  const found = (entry: Entry): NamespaceReport['entries'][number] => {
    const result = report.entries.find(({ id }) => id === entry.id);
    assert.ok(result);
    return result;
  };

  before(async () => {
    report = await runInNamespace<NamespaceReport>('ssrf-in-namespace.ts');
  });

  test('reaches nothing for a URI that must be refused', () => {
    const refused = corpus.filter(
      ({ expect, dns, stage }) =>
        expect === 'block' && stage !== 'follow' && dns?.seq === undefined,
    );
    const leaks = refused.filter((entry) => found(entry).reached.length > 0);
    assert.ok(refused.length > 150);
    assert.deepEqual(
      leaks.map((entry) => [entry.id, entry.url, found(entry).reached]),
      [],
    );
    const answered = refused.filter((entry) =>
      found(entry).outcomes.some((text) => /^\d/.test(text)),
    );
    assert.deepEqual(answered, []);
  });

  test('reaches the place of a URI that must be taken, and no other', () => {
    const taken = corpus.filter(({ expect }) => expect === 'allow');
    const missed = taken.filter((entry) => {
      const { reached } = found(entry);
      return reached.length === 0 || !reached.every((address) => placesOf(entry).has(address));
    });
    assert.ok(taken.length > 30);
    assert.deepEqual(
      missed.map((entry) => [entry.id, entry.url, found(entry)]),
      [],
    );
  });

  test('judges each answer of a name that changes its mind', () => {
    const changing = corpus.filter(({ dns }) => dns?.seq !== undefined);
    assert.ok(changing.length > 2);
    for (const entry of changing) {
      const { reached, outcomes, lookups } = found(entry);
      assert.deepEqual([...new Set(reached)], ['93.184.216.34'], entry.id);
      assert.equal(outcomes.at(-1), 'blocked', entry.id);
      assert.equal(lookups, outcomes.length, entry.id);
    }
  });

  test('records a redirect and goes nowhere', () => {
    const redirects = corpus.filter(({ stage }) => stage === 'follow');
    assert.ok(redirects.length > 5);
    for (const entry of redirects) {
      const { reached, outcomes } = found(entry);
      assert.deepEqual(outcomes, Array(2).fill(String(entry.respond?.status)), entry.id);
      assert.deepEqual(reached, Array(2).fill('93.184.216.34'), entry.id);
    }
  });

  test('never reaches a bad address in a thousand rounds of good and bad answers by turns', () => {
    const { rounds, reached, outcomes, lookups } = report.rebinding;
    assert.deepEqual(reached, ['93.184.216.34']);
    assert.deepEqual(outcomes, { 200: rounds / 2, blocked: rounds / 2 });
    assert.equal(lookups, rounds);
  });
});

/** Every address that an entry may lead to. */
function placesOf(entry: Entry): ReadonlySet<string> {
  const host = new URL(entry.url).hostname.replace(/^\[|\]$/g, '');
  const answers = answersOf(entry).flatMap(({ A = [], AAAA = [] }) => [...A, ...AAAA]);
  return new Set([host, ...answers]);
}
