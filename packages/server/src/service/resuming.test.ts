import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { newestOfSubject } from './resuming.ts';

const subjectsOf = (_action: string, text: string): readonly string[] => text.split('').toSorted();

const held = (text: string) => ({ actions: ['A'], notifications: [text] });

test('newest first, a delivery is kept where it is the newest about one of its subjects', () => {
  const isNewest = newestOfSubject(subjectsOf);
  const kept = ['a', 'ab', 'b', '', 'abc', 'c', 'd', ''].filter((text) => isNewest(held(text)));
  assert.deepEqual(kept, ['a', 'ab', '', 'abc', 'd', '']);
});

test('of every subject the newest delivery is kept, and of what is kept each is the newest about something', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'd'), maxLength: 3 })),
      (texts) => {
        const isNewest = newestOfSubject(subjectsOf);
        texts.forEach((text, place) => {
          const newer = new Set(texts.slice(0, place).join(''));
          const isNeeded = text === '' || text.split('').some((subject) => !newer.has(subject));
          assert.equal(isNewest(held(text)), isNeeded);
        });
      },
    ),
  );
});
