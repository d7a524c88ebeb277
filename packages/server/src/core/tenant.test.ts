import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_TENANT, isTenantId } from './tenant.ts';

test('ids of tenants are short, lower case and free of separators', () => {
  for (const id of [DEFAULT_TENANT, 'a', 'north-1.school_2', 'x'.repeat(64)]) {
    assert.equal(isTenantId(id), true, id);
  }
  for (const id of ['', 'North', 'a b', 'a/b', '*', 'a\n', 'é', 'x'.repeat(65)]) {
    assert.equal(isTenantId(id), false, JSON.stringify(id));
  }
});
