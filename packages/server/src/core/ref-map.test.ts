import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RefMap } from './ref-map.ts';
import { registrationKey } from './registration.ts';

const REF = fc.record({ tenant: fc.constantFrom('a', 'b'), id: fc.constantFrom('1', '2', 'a/1') });

test('holds what a map of texts would hold, of each tenant its own', () => {
  const step = fc.record({ ref: REF, value: fc.option(fc.nat(), { nil: undefined }) });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const map = new RefMap<number>();
      const model = new Map<string, number>();
      for (const { ref, value } of steps) {
        assert.equal(map.get(ref), model.get(registrationKey(ref)));
        if (value === undefined) {
          map.delete(ref);
          model.delete(registrationKey(ref));
        } else {
          map.set(ref, value);
          model.set(registrationKey(ref), value);
        }
        assert.equal(map.get(ref), value);
      }
      const ascending = (one: number, other: number): number => one - other;
      const values = [...map.values()].toSorted(ascending);
      assert.deepEqual(values, [...model.values()].toSorted(ascending));
    }),
  );
});

test('what is taken out while the values are gone through is passed over', () => {
  const map = new RefMap<string>();
  const refs = ['a', 'b'].flatMap((tenant) => ['1', '2'].map((id) => ({ tenant, id })));
  for (const ref of refs) map.set(ref, registrationKey(ref));
  const seen: string[] = [];
  for (const value of map.values()) {
    seen.push(value);
    for (const ref of refs) map.delete(ref);
  }
  assert.deepEqual(seen, ['a/1']);
});
