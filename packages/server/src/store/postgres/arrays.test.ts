import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { testDatabase, type TestDatabase } from '../../../../../tools/postgres/test-database.ts';
import { Database } from './database.ts';

const databases: TestDatabase[] = [];
after(() => Promise.all(databases.map(({ drop }) => drop())));

/** What the database makes of arrays of every type that statements name. */
async function echoed(values: Record<string, readonly unknown[]>): Promise<object> {
  const created = await testDatabase();
  databases.push(created);
  const database = new Database({
    url: created.url,
    listenUrl: null,
    poolSize: 1,
    statementTimeoutMs: 5000,
    pooled: false,
  });
  const types = Object.keys(values);
  const columns = types.map((type, index) => `$${index + 1}::${type}[]::text[] as "${type}"`);
  const text = `select ${columns.join(', ')}`;
  try {
    const [row] = await database.query({ name: 'echo', text }, Object.values(values));
    return { ...row };
  } finally {
    await database.close();
  }
}

test('the database reads arrays of every type as they were', async () => {
  const texts = ['', 'a b', '"\\', '{,}', 'NULL', 'ä€😀', '\u0001\n', 'x'.repeat(100_000)];
  const values = {
    text: [...texts, null],
    smallint: [0, -32_768, 32_767, null],
    int: [0, -1, 2_147_483_647, -2_147_483_648, null],
    bigint: [0, -1, 1_790_000_000_000, 2 ** 32, -(2 ** 32), Number.MAX_SAFE_INTEGER, null],
    bool: [true, false, null],
    boolean: [false, true],
  };
  const asTexts = Object.entries(values).map(([type, all]) => [
    type,
    all.map((value) => (value === null ? null : String(value))),
  ]);
  assert.deepEqual(await echoed(values), Object.fromEntries(asTexts));
});

test('numbers beyond what is exact come as texts, and arrays may be empty', async () => {
  const bigint = ['-9223372036854775808', '9223372036854775807'];
  const empty = { text: [], int: [] };
  assert.deepEqual(await echoed({ bigint, ...empty }), { bigint, ...empty });
});

test('what is not of its type is refused, and not taken for the database being away', async () => {
  const wrong: [string, unknown][] = [
    ['text', 1],
    ['int', 1.5],
    ['int', 2 ** 31],
    ['smallint', Number.NaN],
    ['bigint', 2 ** 53],
    ['bigint', {}],
    ['bool', 1],
  ];
  for (const [type, value] of wrong)
    await assert.rejects(echoed({ [type]: [value] }), /integer|not a (text|boolean)|out of range/);
});
