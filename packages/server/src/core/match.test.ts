import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MatchIndex } from './match.ts';
import type { Registration } from './registration.ts';

function registration(id: string, filters: readonly string[], tenant = 't'): Registration {
  return {
    id,
    tenant,
    filters,
    webHookUri: '',
    secret: '',
    description: null,
    isPaused: false,
    headers: [],
    properties: '{}',
    createdAt: 0,
    updatedAt: 0,
    secretId: '#1',
    secretChangedAt: null,
    oldSecrets: [],
    conditions: null,
    switchedOff: null,
  };
}

/** The rule in one line, as slow as it is plain. */
function plainly(
  all: readonly Registration[],
  actions: readonly string[],
): [string, readonly number[]][] {
  const found = all.map(({ id, filters }): [string, readonly number[]] => {
    const lower = filters.map((name) => name.toLowerCase());
    return [
      id,
      actions.flatMap((action, n) =>
        lower.includes('*') || lower.includes(action.toLowerCase()) ? [n] : [],
      ),
    ];
  });
  return found.filter(([, picks]) => picks.length > 0).toSorted(([a], [b]) => (a < b ? -1 : 1));
}

test('matches what the plain rule matches, in the same order, whatever was added, replaced and removed', () => {
  const name = fc.constantFrom('A', 'a', 'B', 'C', '*', 'MS_Private_X');
  const change = fc.record({
    id: fc.constantFrom('1', '2', '3', '4', '5'),
    filters: fc.array(name, { minLength: 1, maxLength: 3 }),
    remove: fc.boolean(),
  });
  fc.assert(
    fc.property(
      fc.array(change, { maxLength: 20 }),
      fc.array(fc.constantFrom('A', 'b', 'C', 'D', 'ms_private_x'), { minLength: 1, maxLength: 4 }),
      (changes, actions) => {
        const index = new MatchIndex();
        const model = new Map<string, Registration>();
        for (const { id, filters, remove } of changes) {
          const made = registration(id, filters);
          if (remove) {
            index.remove(made);
            model.delete(id);
          } else {
            if (model.has(id)) index.replace(made);
            else index.add(made);
            model.set(id, made);
          }
        }
        const matches = index
          .match('t', actions, [])
          .map(({ registration: { id }, picks }) => [id, picks ?? actions.map((_, n) => n)]);
        assert.deepEqual(matches, plainly([...model.values()], actions));
      },
    ),
    { numRuns: 500 },
  );
});

test('a registration that is added again takes its own place', () => {
  const index = new MatchIndex();
  index.add(registration('1', ['A']));
  index.add(registration('1', ['A', 'B']));
  assert.equal(index.match('t', ['A'], []).length, 1);
  index.remove(registration('1', []));
  assert.deepEqual(index.match('t', ['A', 'B'], []), []);
});

test('tenants do not meet, even with the same ids', () => {
  const index = new MatchIndex();
  index.add(registration('1', ['*'], 'one'));
  index.add(registration('1', ['*'], 'two'));
  index.remove(registration('1', ['*'], 'one'));
  assert.deepEqual(index.match('one', ['A'], []), []);
  assert.equal(index.match('two', ['A'], []).length, 1);
});

test('of each event a registration with conditions gets only the notifications that meet them', () => {
  const index = new MatchIndex();
  const web = '{"Kind":[{"prefix":"Web"}]}';
  index.add({ ...registration('1', ['A', 'B']), conditions: web });
  index.add(registration('2', ['*']));
  index.add({ ...registration('3', ['A']), conditions: '{"Kind":["Room"]}' });
  index.add({ ...registration('4', ['*'], 'other'), conditions: '{"Kind":["Gone"]}' });
  const got = (actions: readonly string[], kinds: readonly string[]) =>
    index
      .match(
        't',
        actions,
        kinds.map((Kind) => JSON.stringify({ Kind })),
      )
      .map(({ registration: { id }, picks }) => [id, picks]);
  assert.deepEqual(got(['A'], ['Webinar']), [
    ['1', null],
    ['2', null],
  ]);
  assert.deepEqual(got(['A'], ['Room']), [
    ['2', null],
    ['3', null],
  ]);
  assert.deepEqual(got(['A', 'B', 'C'], ['Webinar', 'Web', 'Web']), [
    ['1', [0, 1]],
    ['2', null],
  ]);
  assert.deepEqual(got(['A', 'B'], ['Webinar', 'Web']), [
    ['1', null],
    ['2', null],
  ]);
  assert.deepEqual(got(['A', 'A'], ['Room', 'Web']), [
    ['1', [1]],
    ['2', null],
    ['3', [0]],
  ]);
  index.replace(registration('1', ['A']));
  assert.deepEqual(got(['A'], ['Hall']), [
    ['1', null],
    ['2', null],
  ]);
  index.remove({ tenant: 't', id: '3' });
  assert.deepEqual(got(['A'], ['Room']), [
    ['1', null],
    ['2', null],
  ]);
});

test('a hundred thousand registrations of one tenant cost no more than those that match', () => {
  const index = new MatchIndex();
  for (let n = 0; n < 100_000; n += 1)
    index.add(registration(String(n).padStart(6, '0'), [`Filter${n}`]));
  const rounds = 10_000;
  const from = process.cpuUsage();
  for (let n = 0; n < rounds; n += 1)
    assert.equal(index.match('t', [`Filter${n * 7}`], []).length, 1);
  const { user } = process.cpuUsage(from);
  assert.ok(user / rounds < 50, `${user / rounds} µs each`);
});
