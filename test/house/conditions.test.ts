import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { BUILTIN_FILTERS } from '../../packages/server/src/catalog/builtin.ts';
import { readConditions } from '../../packages/server/src/core/conditions-read.ts';
import { holds, pathsOf } from '../../packages/server/src/core/conditions.ts';
import { compactJson } from '../../packages/server/src/core/json-text.ts';
import { PathTree } from '../../packages/server/src/core/payload-paths.ts';

const page = readFileSync(new URL('../../docs/conditions.md', import.meta.url), 'utf8');

test('the page on conditions has an example for every built-in event, and each holds for its example', () => {
  const rows = [...page.matchAll(/^\|[^|]*\| `(\w+)` \| `(\{.*\})` \|$/gm)];
  for (const filter of BUILTIN_FILTERS) {
    const row = rows.find(([, name]) => name === filter.name);
    assert.ok(row, filter.name);
    const condition = readConditions(compactJson(row[2] ?? ''));
    const paths = new PathTree();
    for (const path of pathsOf(condition)) paths.add(path);
    assert.ok(holds(condition, paths.read(JSON.stringify(filter.example))), filter.name);
  }
});

test('the other conditions on the page can be taken', () => {
  const blocks = [...page.matchAll(/```json\n([\s\S]*?)```/g)].map(([, text = '']) => text);
  const conditions = blocks.flatMap((text) => {
    const value = JSON.parse(text) as Record<string, unknown>;
    if ('Matched' in value) return [];
    return [JSON.stringify(value['Conditions'] ?? value)];
  });
  assert.equal(conditions.length, 2);
  for (const text of conditions) readConditions(text);
});
