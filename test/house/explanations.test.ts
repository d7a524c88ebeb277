import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { generateExplanations, PAGE } from '../../tools/generate-explanations.ts';

test('the page on explanations holds the catalogue as it is', () => {
  assert.equal(readFileSync(PAGE, 'utf8'), generateExplanations());
});
